import type { Pool } from 'pg';
import { inRepeatableTransaction, type Queryable } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import { isDataError, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { OnProgress } from '../engine/progress.ts';
import { type BlockRange, BlockRanges } from './block-ranges.ts';
import { type Direction, fitsCondition, fromClause } from './direction.ts';

/** What a batch should take: long enough to be sequential reading, short enough to stop, resume and hold no vacuum back. */
const TARGET_BATCH_MS = 400;

/** Blocks whose rows are left to the drain because the target refuses one of them; beyond it, the mapping is at fault. */
const MAX_REFUSED_BLOCKS = 200;

export interface CopyOptions {
  readonly pool: Pool;
  readonly direction: Direction;
  readonly workers: number;
  /** Milliseconds since the epoch at each call; progress is measured with it. */
  readonly now?: () => number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
  /** Awaited before each batch: where the run is held back. */
  readonly pace?: () => Promise<void>;
  /** Called inside each batch's transaction, before its commit. */
  readonly beforeCommit?: (range: { from: number; to: number }) => Promise<void>;
}

/**
 * Copies the source into the target by block ranges, each range and the note that it is done in one transaction:
 *
 *     INSERT INTO target (…) SELECT … FROM source s WHERE s.ctid >= '(0,0)' AND s.ctid < '(256,0)'
 *
 * No row is locked. The relation's size is taken after the change log stands, so that rows in later blocks are in the
 * log. A source that is rewritten meanwhile (VACUUM FULL, CLUSTER, TRUNCATE) puts its rows elsewhere: the copy starts
 * again, and says so by `restarted`. Interrupted by `signal`, or by anything else, it goes on where it stopped.
 *
 * @returns rows copied in all, and how often the copy had to start again
 */
export async function copyTable(options: CopyOptions): Promise<{ rows: number; restarts: number }> {
  for (let restarts = 0; ; restarts++) {
    const plan = await beginCopy(options.pool, options.direction);
    if (plan.done) return { rows: plan.rows, restarts };
    const rewritten = await copyRanges(options, plan);
    if (!rewritten) return { rows: await finishCopy(options.pool, options.direction), restarts };
    if (restarts >= 4) {
      throw new TandemError(
        'TD023',
        `${quoteName(options.direction.from)} is rewritten again and again while it is copied.`,
        {
          hint: 'Stop the job that runs VACUUM FULL, CLUSTER or TRUNCATE on it, then run the same command again.',
        },
      );
    }
  }
}

interface CopyPlan {
  done: boolean;
  rows: number;
  filenode: string;
  blocks: number;
  copied: { from: number; to: number }[];
  rowsEstimate: number;
}

/** Reads or starts the copy's state. A changed filenode throws away what was copied: `restarting` is not an error. */
async function beginCopy(pool: Pool, direction: Direction): Promise<CopyPlan> {
  return inRepeatableTransaction(pool, async (client) => {
    const source = quoteName(direction.from);
    const { rows: now } = await client.query<{ filenode: string; blocks: number; estimate: number }>(
      `SELECT pg_catalog.pg_relation_filenode(c.oid)::text AS filenode,
              (pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::int)::int AS blocks,
              greatest(c.reltuples, 0)::float8 * CASE WHEN c.relpages > 0
                THEN pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::float8 / c.relpages ELSE 1 END AS estimate
         FROM pg_catalog.pg_class c WHERE c.oid = $1::regclass`,
      [source],
    );
    const { rows: then } = await client.query<{ filenode: string | null; blocks: number; done: boolean; rows: string }>(
      `SELECT copy_filenode::text AS filenode, copy_blocks AS blocks, copy_done AS done, copied_rows::text AS rows
         FROM tandem.moved_table WHERE name = $1 FOR UPDATE`,
      [direction.name],
    );
    const current = now[0];
    const stored = then[0];
    if (!current || !stored) throw new TandemError('TD099', `The state of ${source} is missing.`);
    if (stored.done) {
      return {
        done: true,
        rows: Number(stored.rows),
        filenode: '',
        blocks: stored.blocks,
        copied: [],
        rowsEstimate: 0,
      };
    }
    if (stored.filenode !== current.filenode) {
      await client.query(`TRUNCATE ${quoteName(direction.to)}`);
      await client.query('DELETE FROM tandem.copied_range WHERE table_name = $1', [direction.name]);
      await client.query(
        `UPDATE tandem.moved_table SET copy_filenode = $2::oid, copy_blocks = $3, copied_rows = 0, rows_estimate = $4
          WHERE name = $1`,
        [direction.name, current.filenode, current.blocks, Math.round(current.estimate)],
      );
      stored.blocks = current.blocks;
    }
    const { rows: copied } = await client.query<{ from: number; to: number; rows: string }>(
      `SELECT first_block AS "from", end_block AS "to", rows::text FROM tandem.copied_range
        WHERE table_name = $1 ORDER BY first_block`,
      [direction.name],
    );
    return {
      done: false,
      rows: copied.reduce((sum, range) => sum + Number(range.rows), 0),
      filenode: current.filenode,
      blocks: stored.blocks,
      copied,
      rowsEstimate: current.estimate,
    };
  });
}

/** @returns true where the source was rewritten, and the copy must start again */
async function copyRanges(options: CopyOptions, plan: CopyPlan): Promise<boolean> {
  const { direction, signal } = options;
  const now = options.now ?? Date.now;
  const ranges = new BlockRanges(plan.blocks, plan.copied, options.workers);
  const startedAt = now();
  const before = plan.rows;
  let rows = plan.rows;
  let rewritten = false;
  let failed: unknown = null;
  const refused = { blocks: 0 };
  const report = () =>
    options.onProgress?.({
      subject: `${direction.from.schema}.${direction.from.name}`,
      done: rows,
      // Blocks are known exactly, rows are not: the total is what the blocks read so far promise.
      total:
        ranges.done > 0
          ? Math.max(rows, Math.round((rows * plan.blocks) / ranges.done))
          : Math.round(plan.rowsEstimate),
      unit: 'rows',
      elapsedMs: rows > before ? ((now() - startedAt) * rows) / (rows - before) : now() - startedAt,
    });
  // Of a table that was never analyzed nothing is known before the first blocks are read.
  if (ranges.done > 0 || plan.rowsEstimate > 0 || plan.blocks === 0) report();
  const worker = async () => {
    while (!rewritten && failed === null && !signal?.aborted) {
      await options.pace?.();
      // The wait may have been long, and the signal may have ended it.
      if (signal?.aborted) break;
      const range = ranges.take();
      if (range === null) return;
      const began = now();
      const copied = await copyRange(options, plan.filenode, range, refused);
      if (copied === null) {
        rewritten = true;
        return;
      }
      ranges.finished(range, now() - began, TARGET_BATCH_MS);
      rows += copied;
      report();
    }
  };
  // Each worker ends by itself before an error is reported: no batch is in flight when the caller goes on.
  await Promise.all(
    Array.from({ length: options.workers }, () =>
      worker().catch((error: unknown) => {
        failed ??= error;
      }),
    ),
  );
  if (failed !== null) throw failed;
  if (signal?.aborted)
    throw new TandemError('TD022', 'Stopped between two batches of the copy.', {
      hint: 'Run the same command again to go on.',
    });
  return rewritten;
}

/**
 * Copies a range; where the target refuses a row of it, the range is halved until the row's block stands alone. The rows
 * of that block go into the change log instead: the drain takes them one by one, and sets aside those that are refused.
 *
 * @returns rows inserted, or null where the source is no longer the relation whose blocks were counted
 */
async function copyRange(
  options: CopyOptions,
  filenode: string,
  range: BlockRange,
  refused: { blocks: number },
): Promise<number | null> {
  try {
    return await copyBatch(options, filenode, range, 'copied');
  } catch (error) {
    if (!isDataError(sqlStateOf(error)) || refused.blocks >= MAX_REFUSED_BLOCKS) throw error;
  }
  if (range.to - range.from === 1) {
    refused.blocks += 1;
    return copyBatch(options, filenode, range, 'left to the drain');
  }
  const middle = range.from + Math.ceil((range.to - range.from) / 2);
  const first = await copyRange(options, filenode, { from: range.from, to: middle }, refused);
  if (first === null || options.signal?.aborted) return first;
  const second = await copyRange(options, filenode, { from: middle, to: range.to }, refused);
  return second === null ? null : first + second;
}

/** One transaction: the range's rows, or their keys, and the note that the range is done. */
async function copyBatch(
  { pool, direction, beforeCommit }: CopyOptions,
  filenode: string,
  range: BlockRange,
  how: 'copied' | 'left to the drain',
): Promise<number | null> {
  return inRepeatableTransaction(
    pool,
    async (client) => {
      // One flush a batch, and nobody's standby is waited for: a crash of the server takes the batches that were under way,
      // and no other.
      // A policy that would hide rows raises instead: a copy that is filtered is no copy.
      await client.query('SET LOCAL synchronous_commit = local; SET LOCAL row_security = off; SET LOCAL jit = off');
      const sql = how === 'copied' ? insertSql(direction) : logRangeSql(direction);
      const inserted = await client.query(sql, [`(${range.from},0)`, `(${range.to},0)`]);
      if (!(await isSameRelation(client, direction, filenode))) {
        await client.query('ROLLBACK; BEGIN');
        return null;
      }
      const rows = how === 'copied' ? (inserted.rowCount ?? 0) : 0;
      await client.query(
        `INSERT INTO tandem.copied_range (table_name, first_block, end_block, rows) VALUES ($1, $2, $3, $4)`,
        [direction.name, range.from, range.to, rows],
      );
      await beforeCommit?.(range);
      return rows;
    },
    'BEGIN ISOLATION LEVEL READ COMMITTED',
  );
}

/** The INSERT has locked the source (ACCESS SHARE) by now: it cannot be rewritten between this look and the commit. */
async function isSameRelation(client: Queryable, direction: Direction, filenode: string): Promise<boolean> {
  const { rows } = await client.query<{ same: boolean }>(
    'SELECT pg_catalog.pg_relation_filenode($1::regclass) = $2::oid AS same',
    [quoteName(direction.from), filenode],
  );
  return rows[0]?.same === true;
}

/** `INSERT INTO target (…) OVERRIDING SYSTEM VALUE SELECT … FROM source s WHERE s.ctid >= $1 AND s.ctid < $2 AND fits` */
export function insertSql(direction: Direction): string {
  return `${insertAllSql(direction)}
      WHERE s.ctid >= $1::tid AND s.ctid < $2::tid AND ${fitsCondition(direction)}`;
}

/** `INSERT INTO target (…) OVERRIDING SYSTEM VALUE SELECT … FROM source s` */
export function insertAllSql(direction: Direction): string {
  const columns = direction.columns.map((c) => quoteIdent(c.column)).join(', ');
  const values = direction.columns.map((c) => c.expression).join(', ');
  return `INSERT INTO ${quoteName(direction.to)} (${columns}) OVERRIDING SYSTEM VALUE
     SELECT ${values} ${fromClause(direction)}`;
}

/** `INSERT INTO changes (k1) SELECT s."id" FROM source s WHERE s.ctid >= $1 AND s.ctid < $2` */
function logRangeSql(direction: Direction): string {
  return `INSERT INTO ${quoteName(direction.log)} (${direction.key.map((k) => k.log).join(', ')})
     SELECT ${direction.key.map((k) => `s.${quoteIdent(k.from)}`).join(', ')} FROM ${quoteName(direction.from)} s
      WHERE s.ctid >= $1::tid AND s.ctid < $2::tid`;
}

async function finishCopy(pool: Pool, direction: Direction): Promise<number> {
  const { rows } = await pool.query<{ rows: string }>(
    `UPDATE tandem.moved_table t SET copy_done = true,
            copied_rows = (SELECT coalesce(sum(r.rows), 0) FROM tandem.copied_range r WHERE r.table_name = t.name)
      WHERE name = $1 RETURNING copied_rows::text AS rows`,
    [direction.name],
  );
  return Number(rows[0]?.rows ?? 0);
}
