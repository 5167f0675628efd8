import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import { keeperNames } from './transitions.ts';

export interface Refresh {
  readonly mode: 'plain' | 'concurrent' | 'skipped';
  /** Changes that were folded into the rollup. */
  readonly entries: number;
  readonly elapsedMs: number;
  readonly rows: number | null;
}

export interface RefreshOptions {
  readonly pool: Pool;
  readonly names: SessionsNames;
  /** Although nothing was written. */
  readonly force?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Awaited in each transaction that writes: refuses where somebody else is at work by now. */
  readonly fence?: ((client: Queryable) => Promise<void>) | undefined;
}

/** Entries of the queue that one transaction folds; a fifth of a second or so. */
const FOLD_ENTRIES = 20_000;

/**
 * Folds what was written since into the rollup, refreshes `session_stats` from it, and notes it. Readers go on reading the
 * old figures meanwhile; only a view that was never filled, or was emptied, is refreshed plainly. Where nothing was
 * written since the last time, nothing is refreshed. `CALL keeper.refresh_stats()` does the same in the database.
 *
 *     SELECT entries FROM private.fold_session_changes($1);   -- until it takes less
 *     SELECT refresh_id, refresh_mode FROM keeper.begin_refresh($1, $2, $3);
 *     REFRESH MATERIALIZED VIEW CONCURRENTLY "public".session_stats;
 *     SELECT row_count FROM keeper.end_refresh($1, NULL);
 *
 * @throws TD022 where the signal fired between two folds: what was folded so far is folded
 */
export async function refreshStats(options: RefreshOptions): Promise<Refresh> {
  const { pool, names, force = false, fence } = options;
  const startedAt = performance.now();
  const began = await clock(pool);
  const entries = await foldChanges(options);
  const { id, mode } = await inTransaction(pool, async (client) => {
    await fence?.(client);
    const { rows } = await client.query<{ id: string; mode: Refresh['mode'] }>(
      'SELECT refresh_id AS id, refresh_mode AS mode FROM keeper.begin_refresh($1, $2, $3)',
      [began, entries, force],
    );
    return one(rows);
  });
  if (mode === 'skipped') return { mode, entries, elapsedMs: performance.now() - startedAt, rows: null };
  try {
    // Not fenced: it may take longer than a lease, and whoever runs it brings the view to what is committed.
    await pool.query(`REFRESH MATERIALIZED VIEW ${mode === 'plain' ? '' : 'CONCURRENTLY '}${keeperNames(names).stats}`);
  } catch (error) {
    await endRefresh(pool, id, error instanceof Error ? error.message : String(error));
    throw error;
  }
  const rows = await endRefresh(pool, id, null);
  return { mode, entries, elapsedMs: performance.now() - startedAt, rows };
}

/** Folds until the queue is empty, but for what comes in meanwhile. Returns how many entries it took. */
export async function foldChanges({ pool, fence, signal }: Omit<RefreshOptions, 'names'>): Promise<number> {
  let folded = 0;
  for (;;) {
    if (signal?.aborted)
      throw new TandemError('TD022', 'Stopped between two folds of the statistics.', {
        hint: 'Run the same command again to go on.',
      });
    const taken = await inTransaction(pool, async (client) => {
      await fence?.(client);
      const { rows } = await client.query<{ entries: number }>(
        'SELECT entries::float8 AS entries FROM private.fold_session_changes($1)',
        [FOLD_ENTRIES],
      );
      return one(rows).entries;
    });
    folded += taken;
    if (taken < FOLD_ENTRIES) return folded;
  }
}

async function clock(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ now: string }>('SELECT clock_timestamp()::text AS now');
  return one(rows).now;
}

async function endRefresh(pool: Pool, id: string, failure: string | null): Promise<number | null> {
  const { rows } = await pool.query<{ rows: number | null }>(
    'SELECT row_count::float8 AS rows FROM keeper.end_refresh($1, $2)',
    [id, failure],
  );
  return one(rows).rows;
}

function one<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new TandemError('TD099', 'A function of the keeper returned no row.');
  return row;
}
