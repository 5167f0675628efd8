import type { Pool } from 'pg';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import type { TableMove } from '../move/table-move.ts';
import { makeSection, VERDICT, verdictOf } from './section.ts';

export interface EnumColumn {
  readonly table: QualifiedName;
  readonly column: string;
  readonly type: QualifiedName;
  /** In their order, which decides how values sort. */
  readonly labels: readonly string[];
}

const HEAD = {
  key: 'enum_values',
  title: 'Enum values',
  guide: 'Data Integrity',
  columns: [
    { key: 'table', title: 'Table', kind: 'code' },
    { key: 'column', title: 'Column', kind: 'code' },
    { key: 'value', title: 'Value', kind: 'code' },
    { key: 'rows', title: 'Rows', kind: 'count', scale: 'rows' },
    { key: 'retired_rows', title: 'Read from the retired table', kind: 'count', scale: 'rows' },
    VERDICT,
  ],
} as const;

/** That each column has its enum, and the enum its labels in their order; and how many rows have which value, then and now. */
export function enumValues(
  pool: Pool,
  columns: readonly EnumColumn[],
  moves: readonly TableMove[],
): Promise<ReportSection> {
  return makeSection(HEAD, async () => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    for (const column of columns) {
      const own = await typeFindings(pool, column);
      findings.push(...own);
      const now = await countValues(pool, quoteName(column.table), `s.${quoteIdent(column.column)}`);
      const move = moves.find((m) => quoteName(m.source) === quoteName(column.table));
      const mapped = move?.columns.find((c) => c.target === column.column);
      // A column that the retired table lacks was computed once, and has gone its own way since.
      const then =
        move && mapped?.source != null && mapped.backward !== null && mapped.forward !== null
          ? await countValues(pool, quoteName(move.retired), mapped.forward)
          : null;
      for (const value of new Set([...column.labels, ...now.keys()])) {
        const foreign = !column.labels.includes(value);
        rows.push({
          table: displayName(column.table),
          column: column.column,
          value,
          rows: now.get(value) ?? 0,
          retired_rows: then === null ? null : (then.get(value) ?? 0),
          verdict: foreign ? 'blocks' : verdictOf(own),
        });
        if (foreign) {
          findings.push({
            severity: 'blocks',
            subject: displayName(column.table),
            message: `${column.column} has the value “${value}” in ${now.get(value)} rows, which is none of the enum's`,
          });
        }
      }
    }
    return { rows, findings };
  });
}

async function typeFindings(pool: Pool, { table, column, type, labels }: EnumColumn): Promise<Finding[]> {
  const { rows } = await pool.query<{ type: string; labels: string[] | null }>(
    `SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
            (SELECT pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
              WHERE e.enumtypid = pg_catalog.to_regtype($3)) AS labels
       FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped`,
    [quoteName(table), column, quoteName(type)],
  );
  const found = rows[0];
  const blocks = (message: string): Finding => ({ severity: 'blocks', subject: displayName(table), message });
  if (!found) return [blocks(`has no column ${column}`)];
  const findings: Finding[] = [];
  // format_type quotes as SQL needs it, and so does displayName.
  if (found.type !== displayName(type)) findings.push(blocks(`${column} is ${found.type}, not ${displayName(type)}`));
  if (found.labels === null) findings.push(blocks(`there is no enum ${displayName(type)}`));
  else if (found.labels.join('\n') !== labels.join('\n'))
    findings.push(blocks(`${displayName(type)} is (${found.labels.join(', ')}), not (${labels.join(', ')})`));
  return findings;
}

async function countValues(pool: Pool, table: string, expression: string): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ value: string; rows: number }>(
    `SELECT coalesce((${expression})::text, 'NULL') AS value, count(*)::float8 AS rows FROM ${table} s GROUP BY 1`,
  );
  return new Map(rows.map((row) => [row.value, row.rows]));
}
