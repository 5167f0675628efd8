import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteName } from '../db/identifier.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from './errors.ts';

/**
 * What a running run is told from another terminal, through the database: `tandem pause`, `resume`, `throttle`,
 * `cutover`. The runner reads it before each batch.
 */
const restraintRow = z.object({
  paused: z.boolean(),
  /** Seconds that the slowest standby may be behind; null: not watched. */
  max_lag: z.number().nullable(),
  /** Bytes of WAL that the server may write per second, everybody's together. */
  max_wal_rate: z.number().nullable(),
  /** Other backends that may be active at the same time. */
  max_active: z.number().nullable(),
  /** SQL of the user's: one row, one column; true, or a text that is not empty, means pause. */
  throttle_sql: z.string().nullable(),
  /** Why the run is waiting right now; null while it works. */
  waiting_for: z.string().nullable(),
});
/** What holds work back. */
export type Restraint = z.infer<typeof restraintRow>;

const controlRow = restraintRow.extend({ cutover_requested: z.boolean() });
export type Control = z.infer<typeof controlRow>;

/** Where a run is told; others that are held back by the same measures have a table of their own with these columns. */
export const runControl: QualifiedName = { schema: 'tandem', name: 'control' };

/** The settings by the names that `tandem throttle key=value` takes. */
export const throttleKeys = ['max-lag', 'max-wal-rate', 'max-active', 'sql'] as const;
export type ThrottleKey = (typeof throttleKeys)[number];
export type Throttles = Partial<Record<ThrottleKey, string | number | null>>;

const COLUMNS: Record<ThrottleKey, string> = {
  'max-lag': 'max_lag',
  'max-wal-rate': 'max_wal_rate',
  'max-active': 'max_active',
  sql: 'throttle_sql',
};

const RESTRAINT = 'paused, max_lag, max_wal_rate::float8 AS max_wal_rate, max_active, throttle_sql, waiting_for';

export async function readControl(client: Queryable): Promise<Control> {
  const { rows } = await client.query(`SELECT cutover_requested, ${RESTRAINT} FROM tandem.control`);
  return controlRow.parse(rows[0]);
}

export async function readRestraint(client: Queryable, table = runControl): Promise<Restraint> {
  const { rows } = await client.query(`SELECT ${RESTRAINT} FROM ${quoteName(table)}`);
  return restraintRow.parse(rows[0]);
}

export async function setPaused(client: Queryable, paused: boolean, table = runControl): Promise<void> {
  await client.query(`UPDATE ${quoteName(table)} SET paused = $1`, [paused]);
}

export async function requestCutover(client: Queryable, requested: boolean): Promise<void> {
  await client.query('UPDATE tandem.control SET cutover_requested = $1', [requested]);
}

export async function setWaitingFor(client: Queryable, reason: string | null, table = runControl): Promise<void> {
  await client.query(`UPDATE ${quoteName(table)} SET waiting_for = $1 WHERE waiting_for IS DISTINCT FROM $1`, [reason]);
}

const lockAttemptSchema = z.object({
  /** What the locks are for: `The cutover`. */
  purpose: z.string(),
  attempt: z.number(),
  attempts: z.number(),
  reason: z.string(),
  at: z.string(),
});
export type LockAttempt = z.infer<typeof lockAttemptSchema>;

/** The last attempt that gave its locks back; null where none did, or they were obtained since. */
export async function maybeLockAttempt(client: Queryable): Promise<LockAttempt | null> {
  // Tables of an earlier version have no such column until a command takes the run.
  const { rows } = await client.query<{ lock_attempt: unknown }>(
    "SELECT pg_catalog.to_jsonb(c) -> 'lock_attempt' AS lock_attempt FROM tandem.control c",
  );
  return lockAttemptSchema.nullable().parse(rows[0]?.lock_attempt ?? null);
}

/** Noted for `status`, from wherever that is asked; the plan's own tables need no run. */
export async function setLockAttempt(client: Queryable, attempt: Omit<LockAttempt, 'at'> | null): Promise<void> {
  try {
    await client.query(
      `UPDATE tandem.control SET lock_attempt = $1::jsonb || pg_catalog.jsonb_build_object('at', pg_catalog.now())
        WHERE $1::jsonb IS NOT NULL OR lock_attempt IS NOT NULL`,
      [attempt === null ? null : JSON.stringify(attempt)],
    );
  } catch (error) {
    const noState = [SqlState.undefinedTable, SqlState.undefinedSchema].some((state) => state === sqlStateOf(error));
    if (!noState) throw error;
  }
}

export async function setThrottles(client: Queryable, throttles: Throttles, table = runControl): Promise<void> {
  for (const key of throttleKeys) {
    const value = throttles[key];
    if (value === undefined) continue;
    await client.query(`UPDATE ${quoteName(table)} SET ${COLUMNS[key]} = $1`, [value]);
  }
}

/** Reads `max-active=20`, `max-wal-rate=64MB`, `max-lag=10s`, `sql=SELECT …`; `key=off` stops watching. */
export function parseThrottle(text: string): Throttles {
  const [key, ...rest] = text.split('=');
  const value = rest.join('=').trim();
  const known = throttleKeys.find((k) => k === key?.trim());
  if (known === undefined || value === '') {
    throw new TandemError('TD008', `\`${text}\` is no throttle.`, {
      hint: `Write key=value, with one of the keys ${throttleKeys.join(', ')}; key=off stops watching it.`,
    });
  }
  if (value === 'off') return { [known]: null };
  if (known === 'sql') return { sql: value };
  return { [known]: parseAmount(known, value) };
}

const UNITS: Record<string, number> = { '': 1, s: 1, ms: 0.001, min: 60, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

function parseAmount(key: ThrottleKey, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  const fits = key === 'max-lag' ? ['', 's', 'ms', 'min'] : key === 'max-wal-rate' ? ['', 'kB', 'MB', 'GB'] : [''];
  const broken = key === 'max-active' && !/^\d+$/.test(text);
  if (!match || unit === undefined || broken || !fits.includes(match[2] ?? '')) {
    throw new TandemError('TD008', `\`${text}\` is no value for ${key}.`, {
      hint: 'Examples: max-lag=10s, max-wal-rate=64MB (a second), max-active=20.',
    });
  }
  return Number(match[1]) * unit;
}
