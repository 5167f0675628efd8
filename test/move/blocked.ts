import type pg from 'pg';
import type { Pool } from 'pg';
import type { CutoverOptions } from '../../src/move/cutover.ts';
import type { Moving } from './moving.ts';

/** Resolves once the given backend waits for a lock: there is no event for it but the server's own view. */
export async function untilBlocked(pool: Pool, backend: number): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ blocked: boolean }>(
      'SELECT pg_catalog.cardinality(pg_catalog.pg_blocking_pids($1)) > 0 AS blocked',
      [backend],
    );
    if (rows[0]?.blocked) return;
  }
}

/** The server's process behind a session. */
export async function backendOf(client: { query: Pool['query'] }): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}

const GATE = 4242;

/**
 * Swaps, and does `work` at the one point at which a write is seen neither by the last drain nor by the locks: after the
 * former and before the latter. `gate` is a session of its own; `first` are statements run at the beginning of each attempt.
 * With `under: 'the locks'`, it is done a moment later: once what is left was drained under the locks (on the way back).
 */
export async function swapMeeting(
  moving: Moving,
  gate: pg.ClientBase,
  work: () => Promise<void>,
  options: Partial<CutoverOptions> & { readonly first?: readonly string[]; readonly under?: 'the locks' } = {},
): Promise<{ lockMs: number; attempts: number }> {
  await gate.query('SELECT pg_catalog.pg_advisory_lock($1)', [GATE]);
  let ended = false;
  const before = [
    ...(options.first ?? []),
    "SET LOCAL lock_timeout = '60s'",
    `SELECT pg_catalog.pg_advisory_xact_lock(${GATE})`,
    // Nobody is in the way then, but an autovacuum that gives way.
    "SET LOCAL lock_timeout = '5s'",
  ];
  const gated: Partial<CutoverOptions> = options.under
    ? { live: before }
    : {
        beforeLocks: async (client) => {
          for (const sql of before) await client.query(sql);
        },
      };
  const swapped = moving.swap({ ...gated, ...options }).finally(() => {
    ended = true;
  });
  // Its failure is the caller's, once the gate is open.
  swapped.catch(() => undefined);
  for (let waits = false; !waits && !ended; ) {
    const { rowCount } = await gate.query(
      `SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
          AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`,
      [GATE],
    );
    waits = rowCount === 1;
  }
  try {
    await work();
  } finally {
    await gate.query('SELECT pg_catalog.pg_advisory_unlock($1)', [GATE]);
  }
  return swapped;
}
