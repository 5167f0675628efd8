import { z } from 'zod';
import type { Queryable } from './connect.ts';
import { type QualifiedName, quoteIdent, quoteName } from './identifier.ts';

const columnRow = z.object({
  name: z.string(),
  /** As format_type writes it with an empty search_path: `text`, `character varying(20)`, `public.session_status`. */
  type: z.string(),
  typeKind: z.enum(['b', 'c', 'd', 'e', 'm', 'p', 'r']),
  notNull: z.boolean(),
  default: z.string().nullable(),
  identity: z.enum(['', 'a', 'd']),
  /** How the sequence of an identity column counts, as CREATE TABLE wants it: `INCREMENT BY 10 START WITH 1000 …`. */
  sequenceOptions: z.string().nullable(),
  generated: z.enum(['', 's', 'v']),
  /** `COLLATE "de_DE"` where it is not the type's own. */
  collation: z.string().nullable(),
  comment: z.string().nullable(),
});
export type Column = z.infer<typeof columnRow>;

const keyRow = z.object({ column: z.string(), equals: z.string() });

export interface TableDescription {
  readonly name: QualifiedName;
  readonly oid: number;
  /** pg_class.relkind: `r` table, `p` partitioned table, `v` view, … */
  readonly kind: string;
  readonly columns: readonly Column[];
  /** Columns of the primary key in its order, with the equality of its operator class; empty where there is none. */
  readonly primaryKey: readonly { column: string; equals: string }[];
  readonly estimatedRows: number;
  /** Bytes of the heap, and of heap, indexes and TOAST together. */
  readonly heapBytes: number;
  readonly totalBytes: number;
}

/** Reads what a move needs to know of a table; null where there is no relation of that name. */
export async function describeTable(client: Queryable, name: QualifiedName): Promise<TableDescription | null> {
  const relation = await client.query<{ oid: number; kind: string; rows: number; heap: string; total: string }>(
    `SELECT c.oid::int8::float8 AS oid, c.relkind AS kind, greatest(c.reltuples, 0)::float8 AS rows,
            pg_catalog.pg_relation_size(c.oid)::text AS heap, pg_catalog.pg_total_relation_size(c.oid)::text AS total
       FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`,
    [quoteName(name)],
  );
  const found = relation.rows[0];
  if (!found) return null;
  return {
    name,
    oid: found.oid,
    kind: found.kind,
    columns: await readColumns(client, name),
    primaryKey: await readPrimaryKey(client, name),
    estimatedRows: found.rows,
    heapBytes: Number(found.heap),
    totalBytes: Number(found.total),
  };
}

async function readColumns(client: Queryable, name: QualifiedName): Promise<Column[]> {
  const { rows } = await client.query(
    `SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, t.typtype AS "typeKind",
            a.attnotnull AS "notNull", pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS "default",
            a.attidentity AS identity, a.attgenerated AS generated,
            CASE WHEN a.attidentity <> '' THEN (
              SELECT pg_catalog.format('INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', q.seqincrement, q.seqmin, q.seqmax,
                       q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' END)
                FROM pg_catalog.pg_depend i JOIN pg_catalog.pg_sequence q ON q.seqrelid = i.objid
               WHERE i.refclassid = 'pg_catalog.pg_class'::regclass AND i.refobjid = a.attrelid AND i.refobjsubid = a.attnum
                 AND i.classid = 'pg_catalog.pg_class'::regclass AND i.deptype = 'i') END AS "sequenceOptions",
            CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
                 THEN pg_catalog.format('COLLATE %I.%I', cn.nspname, co.collname) END AS collation,
            pg_catalog.col_description(a.attrelid, a.attnum) AS comment
       FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
       LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
      WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [quoteName(name)],
  );
  return z.array(columnRow).parse(rows);
}

async function readPrimaryKey(client: Queryable, name: QualifiedName) {
  const { rows } = await client.query(
    `SELECT a.attname AS "column", pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) AS equals
       FROM pg_catalog.pg_index i
       CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k (attnum, opclass, place)
       JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
       JOIN pg_catalog.pg_opclass oc ON oc.oid = k.opclass
       JOIN pg_catalog.pg_amop am ON am.amopfamily = oc.opcfamily AND am.amopstrategy = 3
                                 AND am.amoplefttype = oc.opcintype AND am.amoprighttype = oc.opcintype
       JOIN pg_catalog.pg_operator o ON o.oid = am.amopopr
       JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
      WHERE i.indrelid = $1::regclass AND i.indisprimary ORDER BY k.place`,
    [quoteName(name)],
  );
  return z.array(keyRow).parse(rows);
}

/** The names of a partitioned table's partitions, unqualified, by their bounds' order of creation. */
export async function partitionNames(client: Queryable, name: QualifiedName): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = pg_catalog.to_regclass($1) ORDER BY c.oid`,
    [quoteName(name)],
  );
  return rows.map((row) => row.name);
}

/** The partitions that hold a partitioned table's rows, at any depth; null for a table that is not partitioned. */
export async function leafPartitions(client: Queryable, name: QualifiedName): Promise<QualifiedName[] | null> {
  const { rows } = await client.query<{ leaves: unknown }>(
    `SELECT (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', l.relname) ORDER BY l.oid), '[]')
               FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid AND l.relkind = 'r'
               JOIN pg_catalog.pg_namespace n ON n.oid = l.relnamespace) AS leaves
       FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'p'`,
    [quoteName(name)],
  );
  return rows[0] === undefined
    ? null
    : z.array(z.object({ schema: z.string(), name: z.string() })).parse(rows[0].leaves);
}

export async function relationExists(client: Queryable, name: QualifiedName): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there', [
    quoteName(name),
  ]);
  return rows[0]?.there === true;
}

/** `"name" type COLLATE … DEFAULT … NOT NULL`: a column as CREATE TABLE or ADD COLUMN wants it. */
export function columnDefinition(column: Column): string {
  const parts = [quoteIdent(column.name), column.type];
  if (column.collation) parts.push(column.collation);
  if (column.generated !== '')
    parts.push(`GENERATED ALWAYS AS (${column.default ?? 'NULL'}) ${column.generated === 's' ? 'STORED' : 'VIRTUAL'}`);
  else if (column.identity !== '')
    parts.push(
      `GENERATED ${column.identity === 'a' ? 'ALWAYS' : 'BY DEFAULT'} AS IDENTITY (${column.sequenceOptions ?? 'START WITH 1'})`,
    );
  else if (column.default !== null) parts.push(`DEFAULT ${column.default}`);
  if (column.notNull) parts.push('NOT NULL');
  return parts.join(' ');
}
