import type { Queryable } from '../../src/db/connect.ts';
import type { Column, TableDescription } from '../../src/db/describe-table.ts';
import { displayName, quoteIdent, quoteLiteral, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { ColumnMove, TableMove } from '../../src/move/table-move.ts';

/** What the server writes for a plain value: `'active'::text`, `0`. */
const CONSTANT = /^(?:'(?:[^']|'')*'(?:::[\w ."]+(?:\(\d+\))?)?|-?\d+(?:\.\d+)?|true|false)$/;

/** How a mapping, or SQL of the plan file, names a column of the row: a default has no row to look at. */
const OTHER_COLUMN = /\bs\s*\./i;

/**
 * Defaults and NOT NULL of the guide's columns, as SQL on the target: an application that leaves a column out of its
 * INSERT goes on as before. A default is read as the copy reads a value.
 */
export async function carriedDefaults(client: Queryable, source: TableDescription, move: TableMove): Promise<string[]> {
  const sql: string[] = [];
  for (const { column, mapping } of guideColumns(source, move.columns)) {
    const alter = `ALTER TABLE ${quoteName(move.target)} ALTER COLUMN ${quoteIdent(mapping.target)}`;
    if (column.default !== null && !isNow(column, mapping))
      sql.push(`${alter} SET DEFAULT ${await defaultOf(client, column, mapping)}`);
    if (column.notNull) sql.push(`${alter} SET NOT NULL`);
  }
  return sql;
}

/** The present moment, however it was made to fit a column without time zone: the guide's `now()` says it better. */
function isNow(column: Column, mapping: ColumnMove): boolean {
  return (
    mapping.type !== mapping.sourceType &&
    mapping.type.startsWith('timestamp') &&
    /^\W*(?:timezone\('utc'::text, )?(?:now\(\)|current_timestamp|localtimestamp|transaction_timestamp\(\)|statement_timestamp\(\)|clock_timestamp\(\))[^+-]*$/i.test(
      column.default ?? '',
    )
  );
}

/** Defaults that no row of the new table could have, and columns that the server computes, which the guide's are not. */
export async function unfitDefaults(
  client: Queryable,
  source: TableDescription,
  columns: readonly ColumnMove[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const blocks = (message: string, hint: string) =>
    findings.push({ severity: 'blocks', subject: displayName(source.name), message, hint });
  for (const { column, mapping } of guideColumns(source, columns)) {
    if (column.generated !== '')
      blocks(
        `column ${column.name} is generated, and the new table's is not`,
        'Drop the expression before the move (ALTER COLUMN … DROP EXPRESSION), or name another column in the plan file.',
      );
    else if (column.default !== null && mapping.fits !== null && CONSTANT.test(column.default)) {
      const fits = ofDefault(mapping.fits, column);
      if (OTHER_COLUMN.test(fits)) continue;
      const { rows } = await client.query<{ fits: boolean | null }>(`SELECT (${fits}) AS fits`);
      if (rows[0]?.fits !== true)
        blocks(
          `the default of column ${column.name}, ${column.default}, does not fit ${mapping.type}`,
          'Change the default, or map its value in the plan file.',
        );
    }
  }
  return findings;
}

function guideColumns(source: TableDescription, columns: readonly ColumnMove[]) {
  return columns.flatMap((mapping) => {
    const column = source.columns.find((c) => c.name === mapping.source);
    return column === undefined || mapping.carried ? [] : [{ column, mapping }];
  });
}

async function defaultOf(client: Queryable, column: Column, mapping: ColumnMove): Promise<string> {
  const value = column.default ?? 'NULL';
  if (mapping.type === mapping.sourceType || mapping.forward === null) return value;
  const read = ofDefault(mapping.forward, column);
  if (OTHER_COLUMN.test(read)) return value;
  if (!CONSTANT.test(value)) return read;
  // Asked without the new type, which need not be there yet.
  const untyped = read.replaceAll(`::${mapping.type}`, '');
  const { rows } = await client.query<{ value: string | null }>(`SELECT (${untyped})::text AS value`);
  return rows[0]?.value == null ? 'NULL' : quoteLiteral(rows[0].value);
}

/** SQL over a row `s`, asked of a row that has the default. */
function ofDefault(sql: string, column: Column): string {
  return sql.replaceAll(`s.${quoteIdent(column.name)}`, () => `(${column.default})::${column.type}`);
}
