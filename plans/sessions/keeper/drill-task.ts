import { hostname } from 'node:os';
import type { Pool } from 'pg';
import { type Drill, restoreDrill } from '../../../src/backup/restore-drill.ts';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { quoteIdent } from '../../../src/db/identifier.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { Task, TaskContext } from '../../../src/keeper/task.ts';
import { type BackupRow, listGoodBackups, listUnfinishedDrills } from './backup-records.ts';
import type { BackupSettings } from './monitoring-config.ts';

export interface DrillTaskOptions {
  readonly pool: Pool;
  /** A scratch database is made beside this one. */
  readonly databaseUrl: string;
  readonly settings: BackupSettings;
  readonly host?: string;
}

const LOOK_EVERY_MS = 60_000;
const SCRATCH = /^tandem_drill_[0-9a-f]{10}$/;

/** Restores the newest backup aside, and compares: from time to time, and after a failure when there is another backup. */
export function drillTask(options: DrillTaskOptions): Task {
  const { pool, settings, host = hostname() } = options;
  return {
    name: 'drill',
    everyMs: () => LOOK_EVERY_MS,
    run: async (context) => {
      if (settings.drillEveryHours === null) return null;
      await settle(pool, host, context);
      const [newest] = await listGoodBackups(pool, host);
      if (newest === undefined || !(await isDue(pool, settings.drillEveryHours, newest))) return null;
      const { tables } = await drill(options, host, newest, context);
      const rows = tables.reduce((sum, table) => sum + table.rows, 0);
      return `${rows} rows of ${newest.directory} came back as they were`;
    },
  };
}

async function isDue(client: Queryable, everyHours: number, newest: BackupRow): Promise<boolean> {
  const { rows } = await client.query<{ due: boolean }>(
    `SELECT started_at + $1::float8 * interval '1 hour' <= now() OR error IS NOT NULL AND backup_id < $2 AS due
       FROM keeper.drills ORDER BY id DESC LIMIT 1`,
    [everyHours, newest.id],
  );
  return rows[0]?.due ?? true;
}

/** A keeper that was killed left its scratch database. */
async function settle(pool: Pool, host: string, { fence }: TaskContext): Promise<void> {
  for (const { id, scratch } of await listUnfinishedDrills(pool, host)) {
    await inTransaction(pool, fence);
    // What stands in the table decides which database is dropped: never one of another name.
    if (scratch !== null && SCRATCH.test(scratch))
      await pool.query(`DROP DATABASE IF EXISTS ${quoteIdent(scratch)} WITH (FORCE)`);
    await note(pool, fence, id, { error: 'The keeper ended during this drill.' });
  }
}

async function drill(
  { pool, databaseUrl, settings }: DrillTaskOptions,
  host: string,
  backup: BackupRow,
  { signal, fence }: TaskContext,
): Promise<Drill> {
  const id = await inTransaction(pool, async (client) => {
    await fence(client);
    const { rows } = await client.query<{ id: string }>(
      'INSERT INTO keeper.drills (backup_id, host, directory, place) VALUES ($1, $2, $3, $4) RETURNING id',
      [backup.id, host, backup.directory, settings.drillIn],
    );
    return Number(rows[0]?.id);
  });
  try {
    const result = await restoreDrill({
      directory: backup.directory,
      place: settings.drillIn === 'embedded' ? { kind: 'embedded' } : { kind: 'server', databaseUrl },
      source: pool,
      signal,
      onScratch: async (name) => {
        await pool.query('UPDATE keeper.drills SET scratch = $2 WHERE id = $1', [id, name]);
      },
    });
    await note(pool, fence, id, { drill: result });
    return result;
  } catch (error) {
    // Who stops the keeper says nothing of the backup: the next one drills it.
    if (signal.aborted) await pool.query('DELETE FROM keeper.drills WHERE id = $1', [id]);
    else if (!(error instanceof TandemError && error.code === 'TD021'))
      await note(pool, fence, id, { error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

async function note(
  pool: Pool,
  fence: TaskContext['fence'],
  id: number,
  outcome: { readonly drill?: Drill; readonly error?: string },
): Promise<void> {
  const sum = (of: 'rows' | 'bytes') => outcome.drill?.tables.reduce((total, table) => total + table[of], 0) ?? null;
  await inTransaction(pool, async (client) => {
    await fence(client);
    await client.query(
      `UPDATE keeper.drills SET ended_at = clock_timestamp(), rows = $2, bytes = $3, error = $4, scratch = NULL WHERE id = $1`,
      [id, sum('rows'), sum('bytes'), outcome.error ?? null],
    );
  });
}
