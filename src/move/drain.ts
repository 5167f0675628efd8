import type { Pool } from 'pg';
import { type Client, inRepeatableTransaction } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import { isDataError, sqlStateOf } from '../db/sqlstate.ts';
import { hasTruncateEntry } from './change-log.ts';
import { changeLogName, type Direction } from './direction.ts';
import { drainAroundRefused } from './drain-refused.ts';
import { countsRow, type DrainCounts, drainSql, PLAN_BY_KEY } from './drain-sql.ts';
import { requeueQuarantine, requeueSql } from './quarantine.ts';

export const DRAIN_BATCH = 5000;

/** Not the role's or the database's default: one statement, one snapshot, and nothing to try again. */
export const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

/**
 * Takes up to `limit` entries out of the change log and brings the other side to these keys' current state. A row that
 * the other side refuses (a constraint of its own) is set aside in quarantine with the server's reason; the rest goes
 * on. `postponed` is shared by the batches of one catching up: see `drainAroundRefused`.
 */
export async function drainBatch(
  pool: Pool,
  direction: Direction,
  limit = DRAIN_BATCH,
  postponed: Set<string> = new Set(),
): Promise<DrainCounts> {
  try {
    return await inRepeatableTransaction(
      pool,
      async (client) => {
        await client.query('SET LOCAL synchronous_commit = off');
        return drainWithin(client, direction, limit);
      },
      BEGIN,
    );
  } catch (error) {
    if (!isDataError(sqlStateOf(error))) throw error;
    return drainAroundRefused(pool, direction, limit, postponed);
  }
}

/** The same inside the caller's transaction: what the cutover runs under its lock. Throws where a row is refused. */
export async function drainWithin(client: Client, direction: Direction, limit: number): Promise<DrainCounts> {
  // A policy that would hide rows raises instead: a row that is not seen would be taken for one that is gone.
  await client.query(`SET LOCAL row_security = off; ${PLAN_BY_KEY}`);
  const { rows } = await client.query(drainSql(direction), [direction.name, limit]);
  return countsRow.parse(rows[0]);
}

export interface DrainOptions {
  /** The log is as good as empty where a batch took fewer entries than this. */
  readonly rest: number;
  /** No more batches than this, however fast the log grows. */
  readonly maxBatches?: number;
  readonly signal?: AbortSignal;
  /** Awaited before each batch: where the run is held back. */
  readonly pace?: () => Promise<void>;
  readonly onBatch?: (counts: DrainCounts) => void;
}

/**
 * Drains until fewer than `rest` entries came with the last batch. On the way back, rows that the retired table refused
 * are tried again first: what was in their way may be gone. Returns what was done in all.
 */
export async function drainUntil(pool: Pool, direction: Direction, options: DrainOptions): Promise<DrainCounts> {
  const total: DrainCounts = { taken: 0, written: 0, removed: 0, unfit: 0 };
  if (direction.keepsRefused) await requeueQuarantine(pool, direction);
  const postponed = new Set<string>();
  for (let batch = 1; !options.signal?.aborted && batch <= (options.maxBatches ?? Number.POSITIVE_INFINITY); batch++) {
    await options.pace?.();
    await applyTruncate(pool, direction);
    const counts = await drainBatch(pool, direction, DRAIN_BATCH, postponed);
    for (const name of ['taken', 'written', 'removed', 'unfit'] as const) total[name] += counts[name];
    options.onBatch?.(counts);
    if (counts.taken < options.rest) break;
  }
  return total;
}

/**
 * A TRUNCATE of the side that is read: in one statement, its entries are taken and every row that the side no longer
 * has is removed from the other one. Rows written since then have entries of their own. What is in quarantine, and rows
 * elsewhere whose computed columns looked at rows that went, are judged anew by the next drain.
 */
export async function applyTruncate(pool: Pool, direction: Direction): Promise<void> {
  await inRepeatableTransaction(
    pool,
    async (client) => {
      await client.query('SET LOCAL row_security = off');
      if (!(await hasTruncateEntry(client, direction))) return;
      const from = quoteName(direction.from);
      const match = direction.key.map((k) => `s.${quoteIdent(k.from)} ${k.equals} t.${quoteIdent(k.to)}`).join(' AND ');
      const key = direction.key[0];
      const due = direction.dependents.map(
        (dependent, i) => `due${i} AS (
         INSERT INTO ${quoteName(changeLogName({ name: dependent.move }))} (k1)
         SELECT m.${quoteIdent(dependent.sourceKey)} FROM ${quoteName(dependent.source)} m
          WHERE NOT EXISTS (SELECT FROM ${from} s WHERE s.${quoteIdent(key?.from ?? '')} ${key?.equals} m.${quoteIdent(dependent.column)})), `,
      );
      await client.query(
        `WITH taken AS (DELETE FROM ${quoteName(direction.log)} WHERE k1 IS NULL),
            ${due.join('')}again AS (${requeueSql(direction)})
       DELETE FROM ${quoteName(direction.to)} t WHERE NOT EXISTS (SELECT FROM ${from} s WHERE ${match})`,
        [direction.name],
      );
    },
    BEGIN,
  );
}
