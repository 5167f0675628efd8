import { z } from 'zod';
import { type ForeignKey, foreignKeySchema, type TableMove } from '../move/table-move.ts';
import type { Queryable } from './connect.ts';
import { type QualifiedName, quoteName } from './identifier.ts';

const FOREIGN_KEYS = `
  SELECT c.conname AS name, c.convalidated AS validated, pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment,
         pg_catalog.json_build_object('schema', tn.nspname, 'name', t.relname) AS table,
         pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname) AS references,
         (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
            FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k (num, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
         (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
            FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY AS k (num, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS "referencedColumns",
         pg_catalog.concat_ws(' ',
           CASE c.confmatchtype WHEN 'f' THEN 'MATCH FULL' END,
           CASE c.confupdtype WHEN 'r' THEN 'ON UPDATE RESTRICT' WHEN 'c' THEN 'ON UPDATE CASCADE'
             WHEN 'n' THEN 'ON UPDATE SET NULL' WHEN 'd' THEN 'ON UPDATE SET DEFAULT' END,
           CASE c.confdeltype WHEN 'r' THEN 'ON DELETE RESTRICT' WHEN 'c' THEN 'ON DELETE CASCADE'
             WHEN 'n' THEN 'ON DELETE SET NULL' WHEN 'd' THEN 'ON DELETE SET DEFAULT' END,
           CASE WHEN c.confdelsetcols IS NOT NULL THEN (SELECT '(' || pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') || ')'
             FROM pg_catalog.unnest(c.confdelsetcols) AS d (num)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = d.num) END,
           CASE WHEN c.condeferrable THEN 'DEFERRABLE' END,
           CASE WHEN c.condeferred THEN 'INITIALLY DEFERRED' END) AS rules
    FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_catalog.pg_class r ON r.oid = c.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
   WHERE c.contype = 'f' AND c.conparentid = 0`;

/** Foreign keys that a table has. */
export async function outgoingForeignKeys(client: Queryable, table: QualifiedName): Promise<ForeignKey[]> {
  const { rows } = await client.query(`${FOREIGN_KEYS} AND c.conrelid = $1::regclass ORDER BY c.conname`, [
    quoteName(table),
  ]);
  return z.array(foreignKeySchema).parse(rows);
}

/** Foreign keys of any table that point at a table. */
export async function incomingForeignKeys(client: Queryable, table: QualifiedName): Promise<ForeignKey[]> {
  const { rows } = await client.query(
    `${FOREIGN_KEYS} AND c.confrelid = $1::regclass ORDER BY tn.nspname, t.relname, c.conname`,
    [quoteName(table)],
  );
  return z.array(foreignKeySchema).parse(rows);
}

/**
 * Promises that the server does not keep: foreign keys from and to a table that are NOT ENFORCED, and a NOT NULL that is
 * NOT VALID. Both from version 18 on; asked by way of JSON, since older catalogs have no such column.
 */
export async function unkeptConstraints(
  client: Queryable,
  table: QualifiedName,
): Promise<{ name: string; table: string; kind: 'f' | 'n' }[]> {
  const { rows } = await client.query(
    `SELECT c.conname AS name, c.conrelid::regclass::text AS table, c.contype AS kind
       FROM pg_catalog.pg_constraint c
      WHERE c.contype = 'f' AND $1::regclass IN (c.conrelid, c.confrelid) AND pg_catalog.to_jsonb(c) ->> 'conenforced' = 'false'
         OR c.contype = 'n' AND c.conrelid = $1::regclass AND NOT c.convalidated
      ORDER BY 2, 1`,
    [quoteName(table)],
  );
  return z.array(z.object({ name: z.string(), table: z.string(), kind: z.enum(['f', 'n']) })).parse(rows);
}

/** The user's triggers: neither those of constraints nor Tandem's own. */
export async function userTriggers(client: Queryable, table: QualifiedName): Promise<TableMove['userTriggers']> {
  const { rows } = await client.query(
    `SELECT tgname AS name, pg_catalog.pg_get_triggerdef(oid) AS definition, tgenabled AS enabled
       FROM pg_catalog.pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgname NOT LIKE 'tandem\\_%' ORDER BY tgname`,
    [quoteName(table)],
  );
  return z
    .array(z.object({ name: z.string(), definition: z.string(), enabled: z.enum(['O', 'A', 'R', 'D']) }))
    .parse(rows);
}

export async function ownedSequences(client: Queryable, table: QualifiedName): Promise<TableMove['ownedSequences']> {
  const { rows } = await client.query(
    `SELECT pg_catalog.json_build_object('schema', n.nspname, 'name', s.relname) AS sequence, a.attname AS column
       FROM pg_catalog.pg_depend d
       JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid = $1::regclass AND d.deptype = 'a' ORDER BY 1::text`,
    [quoteName(table)],
  );
  return z
    .array(z.object({ sequence: z.object({ schema: z.string(), name: z.string() }), column: z.string() }))
    .parse(rows);
}

export interface SourceIndex {
  readonly name: string;
  readonly unique: boolean;
  readonly columns: readonly string[];
  /** CREATE INDEX as pg_get_indexdef writes it, on the source's own name. */
  readonly definition: string;
}

/** Indexes that belong to no constraint, and unique constraints, but not the primary key. */
export async function secondaryIndexes(
  client: Queryable,
  table: QualifiedName,
): Promise<(SourceIndex & { constraint: string | null })[]> {
  const { rows } = await client.query(
    `SELECT c.relname AS name, i.indisunique AS unique, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
            (SELECT coalesce(pg_catalog.array_agg(a.attname::text), '{}') FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])) AS columns,
            (SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
              WHERE k.conindid = i.indexrelid AND k.contype IN ('u', 'x')) AS constraint
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = $1::regclass AND NOT i.indisprimary AND i.indisvalid ORDER BY c.relname`,
    [quoteName(table)],
  );
  return z
    .array(
      z.object({
        name: z.string(),
        unique: z.boolean(),
        columns: z.array(z.string()),
        definition: z.string(),
        constraint: z.string().nullable(),
      }),
    )
    .parse(rows);
}

/**
 * What hangs on a table or on a view that reads it, would stay with the old version, and is not carried over: rules,
 * functions over the row type, the table's own policies that read such a view, inheritance. Each by the server's own
 * description.
 */
export async function unmovableDependents(
  client: Queryable,
  table: QualifiedName,
  moved: readonly QualifiedName[],
): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH RECURSIVE readers AS (
       SELECT d.objid, r.ev_class, r.ev_type FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::regclass
       UNION
       SELECT d.objid, r.ev_class, r.ev_type FROM readers JOIN pg_catalog.pg_depend d ON d.refobjid = readers.ev_class
         AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.classid = 'pg_catalog.pg_rewrite'::regclass
         JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid)
     SELECT DISTINCT pg_catalog.pg_describe_object('pg_catalog.pg_rewrite'::regclass, r.objid, 0) AS what
       FROM readers r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
      WHERE r.ev_type <> '1' OR c.relkind NOT IN ('v', 'm')
     UNION ALL
     SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0) || ' (by the row type)'
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON d.refobjid IN (t.oid, t.typarray)
      WHERE d.refclassid = 'pg_catalog.pg_type'::regclass AND t.typrelid IN (SELECT $1::regclass UNION SELECT ev_class FROM readers) AND d.deptype = 'n'
        AND NOT (t.typrelid <> $1::regclass AND (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid IN (SELECT ev_class FROM readers)
          OR d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid IN (SELECT objid FROM readers)))
     UNION ALL
     SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, p.oid, 0) || ' (which reads a view of it)'
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy p ON p.oid = d.objid AND p.polrelid = ANY ($2::text[]::regclass[])
      WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid IN (SELECT ev_class FROM readers)
     UNION ALL
     SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND p.prosqlbody IS NULL
      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::regclass
     UNION ALL
     SELECT 'child table ' || i.inhrelid::regclass FROM pg_catalog.pg_inherits i WHERE i.inhparent = $1::regclass
     UNION ALL
     SELECT 'parent table ' || i.inhparent::regclass FROM pg_catalog.pg_inherits i WHERE i.inhrelid = $1::regclass
      ORDER BY 1`,
    [quoteName(table), moved.map(quoteName)],
  );
  return rows.map((row) => row.what);
}
