import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { expect } from 'vitest';
import { catalogSnapshot } from '../../src/db/catalog-snapshot.ts';
import { inTransaction } from '../../src/db/connect.ts';
import { quoteName } from '../../src/db/identifier.ts';

const SCHEMAS = ['public', 'private', 'auth', 'tandem', 'supabase_migrations'];

/** Tandem's own notes: when something was done, and by whom. */
const NOTES = ['run', 'step', 'runner', 'copied_range', 'moved_table', 'control', 'created_object'];

/** The catalog of every schema that a run touches. */
export function catalogOf(pool: Pool, schemas: readonly string[] = SCHEMAS): Promise<string[]> {
  return inTransaction(pool, (client) => catalogSnapshot(client, schemas));
}

/** A line with a hash for each table and materialized view: two databases with the same rows give the same lines. */
export async function rowsOf(pool: Pool, schemas: readonly string[] = SCHEMAS): Promise<string[]> {
  return inTransaction(
    pool,
    async (client) => {
      const { rows: tables } = await client.query<{ schema: string; name: string }>(
        `SELECT n.nspname AS schema, c.relname AS name
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'm') AND c.relispopulated
            AND NOT (n.nspname = 'tandem' AND c.relname = ANY ($2::text[])) ORDER BY 1, 2`,
        [schemas, NOTES],
      );
      const lines: string[] = [];
      for (const table of tables) {
        const { rows } = await client.query<{ row: string }>(
          `SELECT t::text AS row FROM ${quoteName(table)} t ORDER BY t::text COLLATE "C"`,
        );
        const hash = createHash('sha256');
        for (const { row } of rows) hash.update(row).update('\n');
        lines.push(`${table.schema}.${table.name}: ${rows.length} rows ${hash.digest('hex').slice(0, 16)}`);
      }
      return lines;
    },
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
}

/** Whatever in the whole database has Tandem's name, or hangs on what had it. */
export async function expectNothingOfTandems(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ what: string }>(
    `SELECT 'schema ' || nspname AS what FROM pg_catalog.pg_namespace WHERE nspname LIKE 'tandem%'
      UNION ALL SELECT 'relation ' || oid::regclass FROM pg_catalog.pg_class WHERE relname LIKE '%tandem%'
      UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_catalog.pg_proc WHERE proname LIKE '%tandem%' OR prosrc LIKE '%tandem%' AND prolang <> 12
      UNION ALL SELECT 'trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgname LIKE '%tandem%'
      UNION ALL SELECT 'constraint ' || conname FROM pg_catalog.pg_constraint WHERE conname LIKE '%tandem%'
      UNION ALL SELECT 'policy ' || polname FROM pg_catalog.pg_policy WHERE polname LIKE '%tandem%'
      UNION ALL SELECT 'comment ' || description FROM pg_catalog.pg_description WHERE description ILIKE '%tandem%'
      UNION ALL SELECT 'advisory lock of ' || l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database
                 WHERE l.locktype = 'advisory' AND d.datname = current_database()`,
  );
  expect(rows.map((row) => row.what)).toEqual([]);
}
