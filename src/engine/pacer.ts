import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { inTransaction } from '../db/connect.ts';
import type { QualifiedName } from '../db/identifier.ts';
import { type Restraint, readRestraint, runControl, setWaitingFor } from './control.ts';
import type { Emit } from './events.ts';

/** How often the measures are taken again, at most; a batch takes about as long. */
const POLL_MS = 500;

/** Holds the run back before a batch, while it is paused or the server is too busy. */
export interface Pacer {
  /** Returns when the next batch may begin, at once where nothing holds it back, and when `signal` is aborted. */
  wait(): Promise<void>;
}

/**
 * Watches what `tandem.control` says, or another table with its columns. A measure that cannot be read holds the run back too: a limit that silently does
 * nothing is worse than a wait that says why.
 */
export function createPacer(input: {
  pool: Pool;
  emit: Emit;
  signal: AbortSignal;
  control?: QualifiedName;
  now?: () => number;
}): Pacer {
  const { pool, emit, signal, control = runControl } = input;
  const now = input.now ?? Date.now;
  const walRate = createWalRate(now);
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;

  const look = async () => {
    let told: string | null = null;
    while (!signal.aborted) {
      const reason = await reasonToWait(pool, await readRestraint(pool, control), walRate);
      if (reason !== told) {
        await setWaitingFor(pool, reason, control);
        if (reason === null) emit({ event: 'throttle', reason: null });
        else emit({ event: 'throttle', reason });
        told = reason;
      }
      if (reason === null) break;
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
    lookedAt = now();
  };

  return {
    wait: async () => {
      if (now() - lookedAt < POLL_MS) return;
      // Several workers come by at once: one looks, all wait for it.
      looking ??= look().finally(() => {
        looking = null;
      });
      await looking;
    },
  };
}

type WalRate = (position: number) => number | null;

/** Bytes per second between two looks that are far enough apart to mean something. */
function createWalRate(now: () => number): WalRate {
  let last: { position: number; at: number } | null = null;
  let rate: number | null = null;
  return (position) => {
    const at = now();
    if (last === null || at - last.at >= POLL_MS / 2) {
      rate = last === null ? null : ((position - last.position) * 1000) / (at - last.at);
      last = { position, at };
    }
    return rate;
  };
}

async function reasonToWait(pool: Pool, control: Restraint, walRate: WalRate): Promise<string | null> {
  if (control.paused) return 'paused by `tandem pause`';
  const checks = [
    () => lagReason(pool, control.max_lag),
    () => walReason(pool, control.max_wal_rate, walRate),
    () => activeReason(pool, control.max_active),
    () => sqlReason(pool, control.throttle_sql),
  ];
  for (const check of checks) {
    const reason = await check();
    if (reason !== null) return reason;
  }
  return null;
}

async function lagReason(pool: Pool, limit: number | null): Promise<string | null> {
  if (limit === null) return null;
  const { rows } = await pool.query<{ standbys: number; hidden: number; lag: number | null }>(
    `SELECT count(*)::int AS standbys, count(*) FILTER (WHERE state IS NULL)::int AS hidden,
            coalesce(max(extract(epoch FROM replay_lag)), 0)::float8 AS lag
       FROM pg_catalog.pg_stat_replication`,
  );
  const row = rows[0];
  if (!row || row.hidden > 0 || row.lag === null) return 'max-lag cannot be read: the role needs pg_monitor';
  return row.lag > limit ? `max-lag: a standby is ${row.lag.toFixed(1)} s behind, more than ${limit} s` : null;
}

async function walReason(pool: Pool, limit: number | null, walRate: WalRate): Promise<string | null> {
  if (limit === null) return null;
  const { rows } = await pool.query<{ position: number }>(
    "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::float8 AS position",
  );
  const rate = walRate(rows[0]?.position ?? 0);
  // One look is no rate: the first batch waits for the second.
  if (rate === null) return 'max-wal-rate: being measured';
  if (rate <= limit) return null;
  return `max-wal-rate: ${Math.round(rate / 1024 ** 2)} MB of WAL a second, more than ${Math.round(limit / 1024 ** 2)} MB`;
}

async function activeReason(pool: Pool, limit: number | null): Promise<string | null> {
  if (limit === null) return null;
  // Of sessions that are another role's, a role without pg_monitor is not even told that they are clients.
  const { rows } = await pool.query<{ active: number; hidden: number }>(
    `SELECT count(*) FILTER (WHERE state = 'active' AND backend_type = 'client backend' AND application_name <> 'tandem')::int AS active,
            count(*) FILTER (WHERE backend_type IS NULL AND usesysid IS NOT NULL)::int AS hidden
       FROM pg_catalog.pg_stat_activity`,
  );
  const row = rows[0];
  if (!row || row.hidden > 0) return 'max-active cannot be read: the role needs pg_monitor';
  return row.active > limit ? `max-active: ${row.active} backends are active, more than ${limit}` : null;
}

async function sqlReason(pool: Pool, sql: string | null): Promise<string | null> {
  if (sql === null) return null;
  try {
    // Somebody's own SQL: one statement, so that it cannot end the transaction in which it may not write, nor hold the
    // run up by itself.
    const query = { text: sql, rowMode: 'array', queryMode: 'extended' } as const;
    const value = await inTransaction(
      pool,
      async (client) => {
        await client.query('SET LOCAL statement_timeout = 2000');
        return (await client.query<unknown[]>(query)).rows[0]?.[0];
      },
      'BEGIN READ ONLY',
    );
    if (value === true) return 'sql: the throttle query says so';
    return typeof value === 'string' && value !== '' ? `sql: ${value}` : null;
  } catch (error) {
    return `sql cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}
