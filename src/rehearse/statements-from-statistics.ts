import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { quoteIdent } from '../db/identifier.ts';
import type { RehearsalSession } from './session.ts';

export interface CountedStatement {
  readonly sql: string;
  readonly role: number;
  readonly calls: number;
}

export interface StatementStatistics {
  /** The most-called first, one for each text and role. */
  readonly statements: readonly CountedStatement[];
  /** Why it is not all of them; empty where it is. */
  readonly notes: readonly string[];
}

const statementRow = z.object({ sql: z.string(), role: z.number(), calls: z.number() });

/**
 * The statements of this database that mention one of the names, by pg_stat_statements: constants are `$n` in them. Where
 * the extension is missing, or cannot be read, there are none, and the notes say why.
 */
export async function readStatistics(
  session: RehearsalSession,
  names: readonly string[],
  limit: number,
): Promise<StatementStatistics> {
  const { rows: extensions } = await session.client.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
      WHERE e.extname = 'pg_stat_statements'`,
  );
  const schema = extensions[0]?.schema;
  if (schema === undefined) {
    return {
      statements: [],
      notes: ['it is not installed in this database, so give the statements in a file'],
    };
  }
  const read = await session.attempt(() =>
    readView(session.client, `${quoteIdent(schema)}.pg_stat_statements`, names, limit),
  );
  if ('value' in read) return read.value;
  const { sqlstate, message } = read.refusal;
  return { statements: [], notes: [`it cannot be read (${sqlstate}: ${message})`] };
}

async function readView(
  client: Queryable,
  view: string,
  names: readonly string[],
  limit: number,
): Promise<StatementStatistics> {
  const ofThisDatabase =
    's.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())';
  const { rows } = await client.query(
    `SELECT s.query AS sql, s.userid::int8::float8 AS role, sum(s.calls)::float8 AS calls FROM ${view} s
      WHERE ${ofThisDatabase} AND s.query ILIKE ANY ($1::text[]) GROUP BY s.query, s.userid ORDER BY 3 DESC, 1 LIMIT $2`,
    [names.map((name) => `%${name.replaceAll(/[\\%_]/g, '\\$&')}%`), limit + 1],
  );
  const { rows: hidden } = await client.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM ${view} s WHERE ${ofThisDatabase} AND s.query = '<insufficient privilege>'`,
  );
  const statements = z.array(statementRow).parse(rows);
  const notes: string[] = [];
  if (statements.length > limit) notes.push(`only the ${limit} called most were looked at`);
  if ((hidden[0]?.n ?? 0) > 0) {
    notes.push(`${hidden[0]?.n} of other roles are hidden from this one, which lacks pg_read_all_stats`);
  }
  return { statements: statements.slice(0, limit), notes };
}
