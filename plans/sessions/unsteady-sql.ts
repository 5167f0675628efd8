import type { Queryable } from '../../src/db/connect.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { ColumnSource } from './config.ts';

/** What is no name of a function: literals, and names in quotes. */
const QUOTED = /'(?:[^']|'')*'|"(?:[^"]|"")*"/g;
const WORD = /[a-z_][a-z0-9_$]*/gi;

/** The present moment; of the functions, those that are stable and yet other ones a transaction later. */
const CLOCK = [
  'current_timestamp',
  'current_date',
  'current_time',
  'localtimestamp',
  'localtime',
  'now',
  'transaction_timestamp',
  'statement_timestamp',
];

/**
 * SQL of the plan file that has another value whenever it is read, as `now()` and `gen_random_uuid()` have: a row would
 * never be the same on both sides. The server's own functions are known for that; one of the application's may only not
 * be declared as what it is.
 */
export async function unsteadySql(
  client: Queryable,
  subject: string,
  sources: Readonly<Record<string, ColumnSource | undefined>>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [column, source] of Object.entries(sources)) {
    if (source === undefined || typeof source === 'string') continue;
    for (const key of ['sql', 'whenNull'] as const) {
      const words = (source[key] ?? '').replaceAll(QUOTED, ' ').toLowerCase().match(WORD) ?? [];
      const { rows } = await client.query<{ name: string }>(
        `SELECT DISTINCT w.name FROM unnest($1::text[]) AS w (name)
          WHERE w.name = ANY ($2::text[])
             OR (SELECT pg_catalog.bool_and(p.provolatile = 'v') FROM pg_catalog.pg_proc p
                  WHERE p.proname = w.name AND p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f')
          ORDER BY 1`,
        [words, CLOCK],
      );
      for (const { name } of rows)
        findings.push({
          severity: 'blocks',
          subject,
          message: `the SQL for column ${column} in the plan file has another value each time that it is read, by ${name}`,
          hint: 'Give it a value that follows from the row alone, or a constant.',
        });
    }
  }
  return findings;
}
