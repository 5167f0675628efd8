import type { Client, Queryable } from '../../src/db/connect.ts';
import type { TableDescription } from '../../src/db/describe-table.ts';
import { displayName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import { forward } from '../../src/move/direction.ts';
import { findUnfitRows } from '../../src/move/quarantine.ts';
import type { TableMove } from '../../src/move/table-move.ts';
import type { SessionsConfig } from './config.ts';
import type { SessionsNames } from './names.ts';
import type { ShapeColumn } from './shape.ts';

/** Rows that would not fit the new shape, counted, with sample keys, before anything is changed. */
export async function unfitFindings(
  client: Client,
  moves: readonly TableMove[],
  config: SessionsConfig,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const move of moves) {
    for (const unfit of await findUnfitRows(client, forward(move))) {
      // A message has the language of its session: what is wrong with that is said of the session, or is an orphan.
      if (move.name === 'messages' && unfit.column === 'language') continue;
      const values = unfit.values.map((value) => (value === 'NULL' ? 'NULL' : `'${value}'`)).join(', ');
      findings.push({
        severity: 'blocks',
        subject: displayName(move.source),
        message: `${unfit.rows.toLocaleString('en')} ${unfit.rows === 1 ? 'row has' : 'rows have'} a ${unfit.column} that does not fit (${values}), for example ${unfit.keys.join(', ')}`,
        hint: `Mend them, or map them in the plan file: { "${move.name}": { "values": { "${guideName(config, move.name, unfit.column)}": { "<their value>": "<label>" } } } }, or for NULLs { "columns": { … "whenNull": "…" } }.`,
      });
    }
  }
  return findings;
}

/**
 * Text in the place of a uuid: that alone blocks, and these are the values that would keep the column from being changed
 * to what the plan needs.
 */
export async function nonUuidValues(
  client: Queryable,
  table: TableDescription,
  shape: readonly ShapeColumn[],
  columnNames: Readonly<Record<string, string>>,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, kind } of shape) {
    const live = table.columns.find((column) => column.name === columnNames[name]);
    if (kind !== 'uuid' || !live || !/^(text|character)/.test(live.type)) continue;
    const value = `s.${quoteIdent(live.name)}`;
    const { rows } = await client.query<{ rows: number; values: string[] | null }>(
      `SELECT count(*)::int AS rows, (array_agg(DISTINCT v.value ORDER BY v.value))[1:5] AS values
         FROM (SELECT ${value}::text AS value FROM ${quoteName(table.name)} s
                WHERE ${value} !~* '^[{]?([0-9a-f]{4}-?){8}[}]?$') v
        WHERE pg_catalog.has_table_privilege($1, 'SELECT')`,
      [quoteName(table.name)],
    );
    const [found] = rows;
    if (!found || found.rows === 0) continue;
    findings.push({
      severity: 'blocks',
      subject: displayName(table.name),
      message: `${found.rows.toLocaleString('en')} ${found.rows === 1 ? 'row has' : 'rows have'} no uuid in ${live.name}, for example ${found.values?.map((v) => `'${v}'`).join(', ')}`,
      hint: 'Give them uuids, here and wherever they are referred to, and change the type of the column then.',
    });
  }
  return findings;
}

/** Messages of one session that have the same number: they are kept, and nothing says which comes first. */
export async function duplicateNumbers(
  client: Queryable,
  moves: readonly TableMove[],
  names: SessionsNames,
): Promise<Finding[]> {
  const move = moves.find(({ name }) => name === 'messages');
  const session = names.messagesColumns['session_id'] ?? 'session_id';
  const number = names.messagesColumns['sequence_number'] ?? 'sequence_number';
  const value = move?.columns.find(({ target }) => target === number);
  // Where messages have no number yet, the run gives them theirs.
  if (!move || !value?.forward || value.once) return [];
  const { rows } = await client.query<{ rows: number; keys: string[] | null }>(
    `SELECT coalesce(sum(d.rows), 0)::int AS rows, (array_agg(d.key ORDER BY d.key))[1:5] AS keys
       FROM (SELECT pg_catalog.format('(%s, %s)', s.${quoteIdent(session)}, ${value.forward}) AS key, count(*) AS rows
               FROM ${quoteName(move.source)} s WHERE (${value.forward}) IS NOT NULL
              GROUP BY s.${quoteIdent(session)}, ${value.forward} HAVING count(*) > 1) d`,
  );
  const [found] = rows;
  if (!found || found.rows === 0) return [];
  return [
    {
      severity: 'warning',
      subject: displayName(move.source),
      message: `${found.rows.toLocaleString('en')} rows share their (${session}, ${number}) with another, for example ${found.keys?.join(', ')}`,
      hint: 'They are moved as they are; number them anew if their order matters.',
    },
  ];
}

/** PostgreSQL's own limit for a table. */
const MOST_COLUMNS = 1600;

/** A new table that would have more columns than that, with those that are added. */
export function tooManyColumns(table: TableDescription, needed: number): Finding[] {
  if (needed <= MOST_COLUMNS) return [];
  return [
    {
      severity: 'blocks',
      subject: displayName(table.name),
      message: `the new table would have ${needed.toLocaleString('en')} columns, and PostgreSQL allows ${MOST_COLUMNS.toLocaleString('en')}`,
      hint: 'Drop columns that nobody needs, or move some to a table of their own.',
    },
  ];
}

function guideName(config: SessionsConfig, table: string, column: string): string {
  const columns = table === 'sessions' ? config.sessions.columns : config.messages.columns;
  for (const [guide, source] of Object.entries(columns)) {
    if ((typeof source === 'string' ? source : source.column) === column) return guide;
  }
  return column;
}
