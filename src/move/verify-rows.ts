import type { Pool } from 'pg';
import { type Client, inRepeatableTransaction } from '../db/connect.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { Finding } from '../engine/events.ts';
import { hasTruncateEntry } from './change-log.ts';
import { type CompareOptions, compareSides, type Difference } from './digest.ts';
import { backward, type ComparedState, changeLogName, comparison, type Direction, forward } from './direction.ts';
import { applyTruncate } from './drain.ts';
import type { TableMove } from './table-move.ts';

export interface TableVerification {
  readonly table: string;
  /** Rows compared, column by column. */
  readonly rows: number;
  /** Keys left out because they are still in the change log, or in quarantine. */
  readonly leftOut: number;
  readonly differences: Difference[];
  /** More rows differ than are listed. */
  readonly truncated: boolean;
  /** Rows of each partition of the new table. */
  readonly partitions: Record<string, number>;
  readonly elapsedMs: number;
}

/**
 * Compares every column of every row of each table with its other version, each pair in one snapshot. Writers are not
 * held up: what they wrote a moment ago is in the change log, and is left out by key.
 */
export async function verifyRows(
  pool: Pool,
  moves: readonly TableMove[],
  state: ComparedState,
  options: CompareOptions = {},
): Promise<TableVerification[]> {
  const limit = options.limit ?? 20;
  const results: TableVerification[] = [];
  for (const move of moves) {
    const startedAt = performance.now();
    const direction = comparison(move, moves, state);
    let result = await compareOnce(pool, direction, options);
    for (let tries = 1; result === null; tries++) {
      if (tries > 5) {
        throw new TandemError(
          'TD023',
          `${displayName(move.source)} is truncated again and again while it is verified.`,
          {
            hint: 'Stop the job that runs TRUNCATE on it, then run the same command again.',
          },
        );
      }
      await applyTruncate(pool, state === 'baking' ? backward(move) : forward(move));
      result = await compareOnce(pool, direction, options);
    }
    results.push({
      table: displayName(move.source),
      rows: result.rows,
      leftOut: result.leftOut,
      // The digest is what counts: where it differs and no row seems to, something is wrong all the same.
      differences:
        result.differingChunks > 0 && result.differences.length === 0
          ? [{ key: '', kind: 'changed', columns: [] }]
          : result.differences,
      truncated: result.differences.length >= limit || result.differingChunks > limit,
      partitions: result.partitions,
      elapsedMs: Math.round(performance.now() - startedAt),
    });
  }
  return results;
}

/** One comparison in one snapshot; null where the log of this snapshot holds a TRUNCATE: every row may rightly differ then. */
async function compareOnce(pool: Pool, direction: Direction, options: CompareOptions) {
  return inRepeatableTransaction(
    pool,
    async (client) => {
      // A policy that would hide rows raises instead: two empty sides are no proof.
      await client.query(`SET LOCAL row_security = off; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'`);
      // Before the snapshot is taken: a TRUNCATE that came between the two would show a table empty that was not.
      await client.query(`LOCK TABLE ${quoteName(direction.from)}, ${quoteName(direction.to)} IN ACCESS SHARE MODE`);
      if (await hasTruncateEntry(client, direction)) return null;
      const compared = await compareSides(client, direction, options);
      return { ...compared, partitions: compared.partitions ?? (await countPartitions(client, direction)) };
    },
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
}

/** Rows of each partition, the ones left out of the comparison included. */
async function countPartitions(client: Client, direction: Direction): Promise<Record<string, number>> {
  const { rows } = await client.query<{ partition: string; rows: number }>(
    `SELECT c.relname AS partition, t.rows
       FROM (SELECT tableoid, count(*)::float8 AS rows FROM ${quoteName(direction.to)} GROUP BY tableoid) t
       JOIN pg_catalog.pg_class c ON c.oid = t.tableoid WHERE c.relispartition ORDER BY 1`,
  );
  return Object.fromEntries(rows.map((r) => [r.partition, r.rows]));
}

/** Each difference as a finding that blocks: table, key and columns. */
export function differencesAsFindings(results: readonly TableVerification[]): Finding[] {
  return results.flatMap((table) =>
    table.differences.map((d) => ({
      severity: 'blocks' as const,
      subject: table.table,
      message: describeDifference(d),
      hint: 'The live table is right and serves on. Go back with `tandem rollback`, and keep this output.',
    })),
  );
}

function describeDifference({ key, kind, columns }: Difference): string {
  if (kind === 'missing') return `row ${key} is missing from the target`;
  if (kind === 'extra') return `row ${key} is in the target only`;
  if (columns.length === 0)
    return 'the digests of both sides differ, though each row has its like: one may be there twice';
  return `row ${key} differs in ${columns.join(', ')}`;
}

/** True where a log holds the entry of a TRUNCATE that no drain has applied yet: nothing can be compared before that. */
export async function awaitsTruncate(pool: Pool, moves: readonly TableMove[]): Promise<boolean> {
  for (const move of moves) {
    const { rowCount } = await pool.query(`SELECT FROM ${quoteName(changeLogName(move))} WHERE k1 IS NULL LIMIT 1`);
    if (rowCount) return true;
  }
  return false;
}
