import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from './errors.ts';
import { maybeLatestRun, type Run } from './run-state.ts';

/**
 * Backends of this database that are older than the cutover: a statement that one of them has prepared, or cached in a
 * function, may still mean the old tables' types.
 */
export interface OlderBackends {
  /** Doing nothing, and outside of a transaction. */
  readonly idle: number;
  readonly active: number;
  readonly idle_in_transaction: number;
  /** Of other roles, of which the connecting role may not know how old they are: it needs pg_read_all_stats. */
  readonly hidden: number;
}

// A backend that came while the names were being swapped has seen the old ones.
const OLDER = `a.datname = pg_catalog.current_database() AND a.application_name <> 'tandem' AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type = 'client backend' AND a.backend_start <= $1::timestamptz + pg_catalog.make_interval(secs => $2 / 1000.0)`;

/** What the swap takes where nobody noted it. */
const UNKNOWN_LOCK_MS = 1000;

function cutoverOf(run: Run): [Date | null, number] {
  return [run.cutover_at, run.cutover_lock_ms ?? UNKNOWN_LOCK_MS];
}

/** Counts them; null where no run is baking. */
export async function olderBackends(client: Queryable, run: Run): Promise<OlderBackends | null> {
  if (run.phase !== 'baking' || run.cutover_at === null) return null;
  const { rows } = await client.query<OlderBackends>(
    `SELECT count(*) FILTER (WHERE ${OLDER} AND a.state = 'idle')::int AS idle,
            count(*) FILTER (WHERE ${OLDER} AND a.state LIKE 'idle in transaction%')::int AS idle_in_transaction,
            count(*) FILTER (WHERE ${OLDER} AND a.state <> 'idle' AND a.state NOT LIKE 'idle in transaction%')::int AS active,
            count(*) FILTER (WHERE a.datname = pg_catalog.current_database() AND a.backend_start IS NULL)::int AS hidden
       FROM pg_catalog.pg_stat_activity a`,
    cutoverOf(run),
  );
  return rows[0] ?? null;
}

export interface Recycled {
  readonly ended: number;
  /** How many are left, and why: what they are doing, or that the role may not end them. */
  readonly left: { readonly reason: string; readonly backends: number }[];
}

/**
 * Ends idle backends that are older than the cutover, one by one, so that their clients connect anew; their pools do.
 * Each is looked at again right before: one that has begun something meanwhile is left alone.
 *
 * @throws TD012 where no run is baking
 */
export async function recycle(client: Queryable, signal: AbortSignal): Promise<Recycled> {
  const run = await bakingRun(client);
  const { rows } = await client.query(
    `SELECT a.pid, a.backend_start::text AS since FROM pg_catalog.pg_stat_activity a WHERE ${OLDER} AND a.state = 'idle' ORDER BY a.backend_start, a.pid`,
    cutoverOf(run),
  );
  let ended = 0;
  let refused = 0;
  for (const { pid, since } of z.array(z.object({ pid: z.number(), since: z.string() })).parse(rows)) {
    if (signal.aborted) break;
    try {
      const { rows: outcome } = await client.query<{ ended: boolean }>(
        `SELECT pg_catalog.pg_terminate_backend(a.pid, 5000) AS ended FROM pg_catalog.pg_stat_activity a
          WHERE a.pid = $1 AND a.backend_start = $2::timestamptz AND a.state = 'idle'`,
        [pid, since],
      );
      if (outcome[0]?.ended) ended += 1;
    } catch (error) {
      if (sqlStateOf(error) !== SqlState.insufficientPrivilege) throw error;
      refused += 1;
    }
  }
  const left = await olderBackends(client, run);
  const reasons = [
    { reason: 'active', backends: left?.active ?? 0 },
    { reason: 'idle in transaction', backends: left?.idle_in_transaction ?? 0 },
    { reason: 'this role may not end them: it needs pg_signal_backend', backends: refused },
    { reason: 'came to rest meanwhile', backends: Math.max(0, (left?.idle ?? 0) - refused) },
    { reason: 'this role may not see how old they are: it needs pg_read_all_stats', backends: left?.hidden ?? 0 },
  ];
  return { ended, left: reasons.filter(({ backends }) => backends > 0) };
}

/** @throws TD012 */
export async function bakingRun(client: Queryable): Promise<Run> {
  const run = await maybeLatestRun(client);
  if (run?.phase === 'baking') return run;
  throw new TandemError('TD012', 'No run has been cut over, so no backend is older than a cutover.', {
    hint: '`tandem status` tells where the run stands.',
  });
}
