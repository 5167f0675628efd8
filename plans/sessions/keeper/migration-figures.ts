import type { Pool } from 'pg';
import { readControl } from '../../../src/engine/control.ts';
import type { Phase } from '../../../src/engine/events.ts';
import { isOpen, maybeLatestRun, type Run } from '../../../src/engine/run-state.ts';
import { currentHolder } from '../../../src/engine/runner-lock.ts';
import { backlog } from '../../../src/move/change-log.ts';
import { countQuarantined } from '../../../src/move/quarantine.ts';

export interface MigrationFigures {
  readonly phase: Phase;
  /** A command works on it. */
  readonly hasRunner: boolean;
  /** When a batch or a step was last finished; null where no run is open. */
  readonly progressAt: Date | null;
  readonly tables: readonly { readonly table: string; readonly copied: number; readonly lag: number }[];
  readonly quarantined: number;
  /** Why it is held back now; null while it is not. */
  readonly waitingFor: string | null;
}

/** Where the last migration stands. `isMigrated`: once it is finished, only the tables themselves tell that there was one. */
export async function readMigration(pool: Pool, isMigrated: boolean): Promise<MigrationFigures> {
  const run = await maybeLatestRun(pool);
  const phase = run?.phase ?? (isMigrated ? 'finished' : 'none');
  if (!isOpen(run)) {
    return { phase, hasRunner: false, progressAt: null, tables: [], quarantined: 0, waitingFor: null };
  }
  return {
    phase: run.phase,
    hasRunner: (await currentHolder(pool)) !== null,
    progressAt: await lastProgress(pool, run),
    tables: await tableFigures(pool, run),
    quarantined: await countQuarantined(pool),
    waitingFor: (await readControl(pool)).waiting_for,
  };
}

async function lastProgress(pool: Pool, run: Run): Promise<Date> {
  const { rows } = await pool.query<{ at: Date | null }>(
    `SELECT greatest(max(started_at), max(finished_at), (SELECT max(finished_at) FROM tandem.copied_range)) AS at
       FROM tandem.step WHERE run_id = $1`,
    [run.id],
  );
  return rows[0]?.at ?? run.started_at;
}

async function tableFigures(pool: Pool, run: Run): Promise<MigrationFigures['tables']> {
  const { rows } = await pool.query<{ name: string; copied: number; logged: boolean }>(
    `SELECT t.name, (SELECT coalesce(sum(r.rows), 0) FROM tandem.copied_range r WHERE r.table_name = t.name)::float8 AS copied,
            pg_catalog.to_regclass(pg_catalog.format('tandem.%I', 'changes_' || t.name)) IS NOT NULL AS logged
       FROM tandem.moved_table t`,
  );
  const result = [];
  for (const move of run.settings.moves) {
    const row = rows.find(({ name }) => name === move.name);
    result.push({ table: move.name, copied: row?.copied ?? 0, lag: row?.logged ? await backlog(pool, move) : 0 });
  }
  return result;
}
