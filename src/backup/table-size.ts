import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteName } from '../db/identifier.ts';

const SAMPLED_BLOCKS = 1000;

export interface TableSize {
  /** Exact up to 1000 blocks (8 MB); within a few percent above. */
  readonly estimatedRows: number;
  /** Of the heap and its TOAST, all partitions together. */
  readonly bytes: number;
}

const sizeSchema = z.tuple([z.object({ blocks: z.number(), bytes: z.number() })]);
const sampleSchema = z.tuple([z.object({ rows: z.number() })]);

/**
 * How much there is to copy, for a progress that a person can trust. Rows are counted in a sample of blocks: a table
 * that was never analyzed, or has grown since, has a pg_class.reltuples that is off by any factor.
 *
 * ```sql
 * SELECT count(*) FROM "public"."sessions" TABLESAMPLE SYSTEM (2.5)
 * ```
 */
export async function tableSize(db: Queryable, table: QualifiedName): Promise<TableSize> {
  const [{ blocks, bytes }] = sizeSchema.parse((await db.query(SIZE, [quoteName(table)])).rows);
  const percent = blocks > SAMPLED_BLOCKS ? (100 * SAMPLED_BLOCKS) / blocks : 100;
  const { rows } = await db.query(
    `SELECT count(*)::float8 AS rows FROM ${quoteName(table)} TABLESAMPLE SYSTEM ($1::float8)`,
    [percent],
  );
  return { estimatedRows: Math.round((sampleSchema.parse(rows)[0].rows * 100) / percent), bytes };
}

const SIZE = `
  SELECT coalesce(sum(pg_catalog.pg_relation_size(t.relid)), 0)::float8
           / pg_catalog.current_setting('block_size')::float8 AS blocks,
         coalesce(sum(pg_catalog.pg_table_size(t.relid)), 0)::float8 AS bytes
    FROM (SELECT $1::regclass AS relid UNION SELECT relid FROM pg_catalog.pg_partition_tree($1::regclass)) t`;
