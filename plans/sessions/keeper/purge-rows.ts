import type { Queryable } from '../../../src/db/connect.ts';
import { quoteIdent } from '../../../src/db/identifier.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
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
  const read = async (table: string) => {
    const { rows } = await client.query<ArchivedColumn>(
      `SELECT attname AS name, pg_catalog.format_type(atttypid, -1) AS type FROM pg_catalog.pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
      [table],
    );
    return rows;
  };
  return { sessions: await read(k.sessions), messages: await read(k.messages), feedback: await read(k.feedback) };
}

/**
 * SQL of all rows of sessions ($1: their ids), as `session`, `part`, `name` and `row`: an array of texts, as each type writes
 * its values. NULL is null; a jsonb that is null is the text `null`.
 */
export function archivedRows(names: SessionsNames, columns: Record<ArchivedTable, readonly ArchivedColumn[]>): string {
  const k = keeperNames(names);
  const values = (alias: string, table: ArchivedTable) => {
    const texts = columns[table].map(({ name }) => {
      const column = `${alias}.${quoteIdent(name)}`;
      return `CASE WHEN ${column} IS DISTINCT FROM NULL THEN pg_catalog.format('%s', ${column}) END`;
    });
    return `pg_catalog.to_json(ARRAY[${texts.join(', ')}]::text[])`;
  };
  return `SELECT s.${k.id}::text AS session, 'sessions' AS "table", ${values('s', 'sessions')} AS "values", 1 AS part, s.${k.id}::text AS id
      FROM ${k.sessions} s WHERE s.${k.id} = ANY ($1::uuid[])
    UNION ALL
    SELECT m.${k.messageSession}::text, 'messages', ${values('m', 'messages')}, 2, m.${k.messageId}::text
      FROM ${k.messages} m WHERE m.${k.messageSession} = ANY ($1::uuid[])
    UNION ALL
    SELECT m.${k.messageSession}::text, 'feedback', ${values('f', 'feedback')}, 3, f.id::text
      FROM ${k.feedback} f JOIN ${k.messages} m ON m.${k.messageId} = f.message_id WHERE m.${k.messageSession} = ANY ($1::uuid[])
    ORDER BY session, part, id`;
}

/** The statement that puts rows ($1: a JSON array of arrays of texts) back, each value as its column's type reads it. */
export function insertRows(
  names: SessionsNames,
  table: ArchivedTable,
  columns: readonly string[],
  now: readonly ArchivedColumn[],
): string {
  const k = keeperNames(names);
  const target = { sessions: k.sessions, messages: k.messages, feedback: k.feedback }[table];
  const values = columns.map((name, i) => {
    const column = now.find((c) => c.name === name);
    if (column === undefined)
      throw new TandemError('TD044', `${target} has no column ${name} of its own any more.`, {
        hint: 'Add the column, restore, and drop it again.',
      });
    return `(r->>${i})::${column.type}`;
  });
  return `INSERT INTO ${target} (${columns.map(quoteIdent).join(', ')}) OVERRIDING SYSTEM VALUE
    SELECT ${values.join(', ')} FROM pg_catalog.jsonb_array_elements($1::jsonb) r`;
}
