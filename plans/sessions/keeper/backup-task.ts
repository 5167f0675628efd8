import { hostname } from 'node:os';
import type { Pool } from 'pg';
import { backupTables } from '../../../src/backup/backup.ts';
import { backupFileNames } from '../../../src/backup/file-names.ts';
import type { Manifest } from '../../../src/backup/manifest.ts';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { KeeperEvent } from '../../../src/keeper/keeper.ts';
import type { Task, TaskContext } from '../../../src/keeper/task.ts';
import type { SessionsNames } from '../names.ts';
import { backupDirectory, removeIfEmpty, settleUnfinished } from './backup-directory.ts';
import { listUnfinishedBackups } from './backup-records.ts';
import type { BackupSettings } from './monitoring-config.ts';
import { rotateBackups } from './rotation.ts';

export interface BackupTaskOptions {
  readonly pool: Pool;
  readonly names: SessionsNames;
  readonly settings: BackupSettings;
  readonly log: (event: KeeperEvent) => void;
  /** Which host's disk it is; default: this one. */
  readonly host?: string;
}

const LOOK_EVERY_MS = 60_000;
/** After a failure: what was in the way may be gone by then. */
const RETRY_HOURS = 1;

/** Makes a backup when the last good one is old enough, and removes those that are too many then. */
export function backupTask(options: BackupTaskOptions): Task {
  const { pool, settings, log, host = hostname() } = options;
  return {
    name: 'backup',
    everyMs: () => LOOK_EVERY_MS,
    run: async (context) => {
      await settle(options, host, context);
      if (!(await isDue(pool, settings))) return null;
      const { directory, rows } = await makeBackup(options, host, context);
      const removed = await rotateBackups({ pool, settings, host, log, fence: context.fence });
      return `${rows} rows in ${directory}, ${removed} old ones removed`;
    },
  };
}

async function isDue(client: Queryable, { everyHours }: BackupSettings): Promise<boolean> {
  const { rows } = await client.query<{ due: boolean }>(
    `SELECT coalesce(max(started_at) FILTER (WHERE ended_at IS NOT NULL AND error IS NULL), '-infinity') + $1::float8 * interval '1 hour' <= now()
            AND coalesce(max(ended_at) FILTER (WHERE error IS NOT NULL), '-infinity') + $2::float8 * interval '1 hour' <= now() AS due
       FROM keeper.backups WHERE removed_at IS NULL`,
    [everyHours, RETRY_HOURS],
  );
  return rows[0]?.due === true;
}

/** A keeper that was killed left its files, or had just finished them. */
async function settle({ pool, settings }: BackupTaskOptions, host: string, { fence }: TaskContext): Promise<void> {
  for (const row of await listUnfinishedBackups(pool, host)) {
    await inTransaction(pool, fence);
    const manifest = await settleUnfinished(row, settings.directory);
    await inTransaction(pool, async (client) => {
      await fence(client);
      if (manifest === null) await noteFailure(client, row.id, 'The keeper ended while it made this backup.');
      else await noteSuccess(client, row.id, manifest);
    });
  }
}

async function makeBackup({ pool, names, settings }: BackupTaskOptions, host: string, { signal, fence }: TaskContext) {
  const tables = [names.sessions, names.messages, { schema: names.sessions.schema, name: 'message_feedback' }];
  const files = backupFileNames(tables, settings.gzip);
  const { id, directory } = await inTransaction(pool, async (client) => {
    await fence(client);
    const { rows } = await client.query<{ id: string; database: string; at: Date }>(
      `INSERT INTO keeper.backups (host, directory, files) VALUES ($1, '', $2)
       RETURNING id, current_database() AS database, started_at AS at`,
      [host, files],
    );
    const [row] = rows;
    if (row === undefined) throw new TandemError('TD099', 'The backup was not noted.');
    const place = backupDirectory(settings.directory, row.database, row.at);
    await client.query('UPDATE keeper.backups SET directory = $2 WHERE id = $1', [row.id, place]);
    return { id: Number(row.id), directory: place };
  });
  try {
    const manifest = await backupTables({ pool, tables, directory, gzip: settings.gzip, workers: 1, signal });
    await inTransaction(pool, async (client) => {
      await fence(client);
      await noteSuccess(client, id, manifest);
    });
    return { directory, rows: rowsOf(manifest) };
  } catch (error) {
    if (error instanceof TandemError && error.code === 'TD021') throw error;
    await removeIfEmpty(directory);
    await inTransaction(pool, async (client) => {
      await fence(client);
      // Who stops the keeper has not failed to make a backup: the next one makes it.
      if (signal.aborted) await client.query('DELETE FROM keeper.backups WHERE id = $1', [id]);
      else await noteFailure(client, id, error instanceof Error ? error.message : String(error));
    });
    throw error;
  }
}

const rowsOf = (manifest: Manifest) => manifest.tables.reduce((sum, table) => sum + table.rows, 0);

async function noteSuccess(client: Queryable, id: number, manifest: Manifest): Promise<void> {
  await client.query(
    `UPDATE keeper.backups SET ended_at = clock_timestamp(), bytes = $2, rows = $3, snapshot_at = $4, files = $5 WHERE id = $1`,
    [
      id,
      manifest.tables.reduce((sum, table) => sum + table.bytes, 0),
      rowsOf(manifest),
      manifest.created_at,
      manifest.tables.map((table) => table.file),
    ],
  );
}

async function noteFailure(client: Queryable, id: number, error: string): Promise<void> {
  await client.query('UPDATE keeper.backups SET ended_at = clock_timestamp(), error = $2 WHERE id = $1', [id, error]);
}
