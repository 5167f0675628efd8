import type { Queryable } from '../../../src/db/connect.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../../../src/db/identifier.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import type { CascadedTable } from './cascaded-rows.ts';
import { keeperNames } from './transitions.ts';

/** The tables of a purged session, in the order in which their rows refer to each other. */
export const archivedTables = ['sessions', 'messages', 'feedback'] as const;
export type ArchivedTable = (typeof archivedTables)[number];

export interface ArchivedColumn {
  readonly name: string;
  /** Without length or precision, so that a value that does not fit is refused, and not cut. */
  readonly type: string;
}

/** The columns that hold something of their own: what is generated comes by itself. */
export async function archivedColumns(
  client: Queryable,
  names: SessionsNames,
): Promise<Record<ArchivedTable, ArchivedColumn[]>> {
  const k = keeperNames(names);
  return {
    sessions: await readColumns(client, k.sessions),
    messages: await readColumns(client, k.messages),
    feedback: await readColumns(client, k.feedback),
  };
}

/** @param table its quoted name; of one that is not there, there are none */
export async function readColumns(client: Queryable, table: string): Promise<ArchivedColumn[]> {
  const { rows } = await client.query<ArchivedColumn>(
    `SELECT attname AS name, pg_catalog.format_type(atttypid, -1) AS type FROM pg_catalog.pg_attribute
      WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [table],
  );
  return rows;
}

/**
 * SQL of all rows of sessions, and its values, as `session`, `table` (one of `archivedTables`, or the number of a table of
 * the application's), and `values`: an array of texts, as each type writes its values. NULL is null; a jsonb that is null
 * is the text `null`. The sessions come in the order of their ids, each before what is its own.
 */
export function archivedRows(
  names: SessionsNames,
  columns: Record<ArchivedTable, readonly ArchivedColumn[]>,
  ids: readonly string[],
  cascaded: readonly CascadedTable[],
): { text: string; values: unknown[] } {
  const k = keeperNames(names);
  const values = (alias: string, table: readonly ArchivedColumn[]) => {
    const texts = table.map(({ name }) => {
      const column = `${alias}.${quoteIdent(name)}`;
      return `CASE WHEN ${column} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', ${column}) END`;
    });
    return `pg_catalog.to_json(ARRAY[${texts.join(', ')}]::text[])`;
  };
  const more = cascaded.map(
    ({ table, columns: its }, i) => `
    UNION ALL
    SELECT p.session::text, '${i}', ${values('c', its)}, ${4 + i}, p.tid::text
      FROM unnest($${2 + 3 * i}::oid[], $${3 + 3 * i}::tid[], $${4 + 3 * i}::uuid[]) p (rel, tid, session)
      JOIN ${quoteName(table)} c ON c.tableoid = p.rel AND c.ctid = p.tid`,
  );
  return {
    text: `SELECT session, "table", "values" FROM (
    SELECT s.${k.id}::text AS session, 'sessions' AS "table", ${values('s', columns.sessions)} AS "values", 1 AS part, s.${k.id}::text AS id
      FROM ${k.sessions} s WHERE s.${k.id} = ANY ($1::uuid[])
    UNION ALL
    SELECT m.${k.messageSession}::text, 'messages', ${values('m', columns.messages)}, 2, m.${k.messageId}::text
      FROM ${k.messages} m WHERE m.${k.messageSession} = ANY ($1::uuid[])
    UNION ALL
    SELECT m.${k.messageSession}::text, 'feedback', ${values('f', columns.feedback)}, 3, f.id::text
      FROM ${k.feedback} f JOIN ${k.messages} m ON m.${k.messageId} = f.message_id WHERE m.${k.messageSession} = ANY ($1::uuid[])
    ${more.join('')}) archived ORDER BY session COLLATE "C", part, id`,
    values: [
      ids,
      ...cascaded.flatMap(({ places }) => [
        places.map((p) => p.rel),
        places.map((p) => p.tid),
        places.map((p) => p.session),
      ]),
    ],
  };
}

/** The statement that puts rows ($1: a JSON array of arrays of texts) back, each value as its column's type reads it. */
export function insertRows(target: QualifiedName, columns: readonly string[], now: readonly ArchivedColumn[]): string {
  const values = columns.map((name, i) => {
    const column = now.find((c) => c.name === name);
    if (column === undefined)
      throw new TandemError('TD044', `${displayName(target)} has no column ${name} of its own any more.`, {
        hint: 'Add the column, restore, and drop it again.',
      });
    return `(r->>${i})::${column.type}`;
  });
  return `INSERT INTO ${quoteName(target)} (${columns.map(quoteIdent).join(', ')}) OVERRIDING SYSTEM VALUE
    SELECT ${values.join(', ')} FROM pg_catalog.jsonb_array_elements($1::jsonb) r`;
}
