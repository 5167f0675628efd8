import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import type { ResultColumn } from './describe-statement.ts';
import type { Lookup } from './redirect.ts';
import type { MovedTable } from './tables.ts';

/** A type by its OID, today and on the new shape. */
export interface TypePair {
  readonly today: number;
  readonly after: number;
}

/** What a function's variable holds; a record without `type` has a form that no type names. */
export type Variable =
  | { readonly kind: 'value'; readonly type: TypePair }
  | { readonly kind: 'row'; readonly fields: ReadonlyMap<string, TypePair>; readonly type: TypePair | null }
  | { readonly kind: 'unknown' };

export const unknownVariable: Variable = { kind: 'unknown' };

export function value(oid: number): Variable {
  return { kind: 'value', type: { today: oid, after: oid } };
}

/** The row of a moved table: `NEW` in its triggers, `sessions%ROWTYPE`. */
export function rowOf(table: MovedTable): Variable {
  const fields = new Map(
    table.today.columns.map((column) => {
      const now = table.after.columns.find((c) => c.name === column.name);
      return [column.name, { today: column.typeOid, after: now?.typeOid ?? column.typeOid }];
    }),
  );
  return { kind: 'row', fields, type: { today: table.today.typeOid, after: table.after.typeOid } };
}

/** The row that a query gives, by its results on either shape. */
export function rowFrom(today: readonly ResultColumn[], after: readonly ResultColumn[]): Variable {
  const fields = new Map(
    today.map((column, i) => [column.name, { today: column.typeOid, after: after[i]?.typeOid ?? column.typeOid }]),
  );
  return { kind: 'row', fields, type: null };
}

const typeRow = z.object({ oid: z.number(), relation: z.number() });
const fieldRow = z.object({ name: z.string(), type: z.number() });

/** The variable of a type by its OID: a value, or a row of its fields. */
export async function variableOfType(client: Queryable, tables: readonly MovedTable[], oid: number): Promise<Variable> {
  const moved = tables.find((table) => table.today.typeOid === oid);
  if (moved) return rowOf(moved);
  const { rows } = await client.query(
    'SELECT oid::int8::float8 AS oid, typrelid::int8::float8 AS relation FROM pg_catalog.pg_type WHERE oid = $1::int8::oid',
    [oid],
  );
  const [type] = z.array(typeRow).parse(rows);
  if (type === undefined) return unknownVariable;
  return type.relation === 0 ? value(oid) : rowOfRelation(client, type.relation, oid);
}

async function rowOfRelation(client: Queryable, relation: number, type: number): Promise<Variable> {
  const { rows } = await client.query(
    `SELECT attname AS name, atttypid::int8::float8 AS type FROM pg_catalog.pg_attribute
      WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [relation],
  );
  const fields = new Map(
    z
      .array(fieldRow)
      .parse(rows)
      .map((field) => [field.name, { today: field.type, after: field.type }]),
  );
  return { kind: 'row', fields, type: { today: type, after: type } };
}

/** The variable of a type as a function names it: `text[]`, `sessions.status%TYPE`, `public.sessions`. */
export async function variableNamed(
  client: Queryable,
  tables: readonly MovedTable[],
  lookup: Lookup,
  type: string,
): Promise<Variable> {
  const copied = /^(.*)%\s*type\s*(\[\s*\])?$/isu.exec(type.trim());
  if (copied?.[1] !== undefined) {
    return copied[2] === undefined ? variableLike(client, lookup, copied[1]) : unknownVariable;
  }
  if (type === 'record') return unknownVariable;
  const { rows } = await client.query<{ oid: number | null }>(
    'SELECT pg_catalog.to_regtype($1)::oid::int8::float8 AS oid',
    [type],
  );
  const oid = rows[0]?.oid ?? null;
  return oid === null ? unknownVariable : variableOfType(client, tables, oid);
}

/** `table.column%TYPE`: of a moved table's column, it changes with the column. */
async function variableLike(client: Queryable, lookup: Lookup, name: string): Promise<Variable> {
  const parsed = await client.query<{ parts: string[] }>('SELECT pg_catalog.parse_ident($1) AS parts', [name.trim()]);
  const parts = parsed.rows[0]?.parts ?? [];
  const [column, table, schema] = [parts.at(-1), parts.at(-2), parts.at(-3)];
  if (column === undefined || table === undefined) return unknownVariable;
  const standing = lookup(schema ?? null, table);
  if (standing?.kind === 'table') {
    const row = rowOf(standing.table);
    const type = row.kind === 'row' ? row.fields.get(column) : undefined;
    return type ? { kind: 'value', type } : unknownVariable;
  }
  const { rows } = await client.query<{ type: number }>(
    `SELECT a.atttypid::int8::float8 AS type FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = pg_catalog.to_regclass(pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.quote_ident(p)
              FROM pg_catalog.unnest($1::text[]) AS p), '.')) AND a.attname = $2`,
    [parts.slice(0, -1), column],
  );
  return rows[0] ? value(rows[0].type) : unknownVariable;
}
