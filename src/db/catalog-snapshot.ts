import { z } from 'zod';
import type { Client } from './connect.ts';
import { readSqlFile } from './sql-file.ts';

const lineRows = z.array(z.object({ line: z.string() }));

/**
 * Everything that the given schemas hold, as sorted lines for people and for comparison: relations, columns in their
 * order, constraints, indexes, triggers, policies, functions, types, casts, comments, and who may do what. Two databases
 * in the same state give the same lines, whatever their owners, oids and histories. A schema that does not exist adds
 * nothing.
 *
 * @param client a session and not a pool: its search_path is emptied meanwhile, so that every name comes out qualified
 */
export async function catalogSnapshot(client: Client, schemas: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ previous: string }>(
    "SELECT pg_catalog.current_setting('search_path') AS previous",
  );
  await client.query("SELECT pg_catalog.set_config('search_path', '', false)");
  try {
    const result = await client.query(readSqlFile('src/db/sql/catalog-snapshot.sql'), [schemas]);
    return lineRows
      .parse(result.rows)
      .map((row) => row.line)
      .sort();
  } finally {
    await client.query("SELECT pg_catalog.set_config('search_path', $1, false)", [rows[0]?.previous ?? '']);
  }
}

/** What only one of two snapshots has: `- line` of the first, `+ line` of the second. Empty where they are the same. */
export function catalogDifference(before: readonly string[], after: readonly string[]): string[] {
  const [inBefore, inAfter] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !inAfter.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !inBefore.has(line)).map((line) => `+ ${line}`),
  ];
}
