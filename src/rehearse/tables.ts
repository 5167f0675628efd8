import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteName } from '../db/identifier.ts';
import type { TableMove } from '../move/table-move.ts';

const columnRow = z.object({
  name: z.string(),
  /** As format_type writes it, and without a schema that everybody knows. */
  type: z.string(),
  typeOid: z.number(),
  generated: z.boolean(),
  /** Labels of an enum in their order; null for any other type. */
  labels: z.array(z.string()).nullable(),
  /** An enum whose labels sort otherwise as text. */
  sortsUnlikeText: z.boolean(),
});
export type ShapeColumn = z.infer<typeof columnRow>;

const shapeRow = z.object({
  oid: z.number(),
  /** Of the row type. */
  typeOid: z.number(),
  partitioned: z.boolean(),
  hasPrimaryKey: z.boolean(),
  /** The planner's own, of the table and its partitions; null before the first ANALYZE. */
  estimatedRows: z.number().nullable(),
});

export interface TableShape extends z.infer<typeof shapeRow> {
  readonly columns: readonly ShapeColumn[];
}

/** A moved table as it is today and as it is after cutover, by what both are at this moment. */
export interface MovedTable {
  readonly move: Pick<TableMove, 'source' | 'target' | 'key' | 'targetKey' | 'identity'>;
  readonly today: TableShape;
  readonly after: TableShape;
}

/** A column whose type changes. */
export interface RetypedColumn {
  readonly table: MovedTable;
  readonly name: string;
  readonly from: ShapeColumn;
  readonly to: ShapeColumn;
}

/** Null where the source or the target does not stand. */
export async function readMovedTable(client: Queryable, move: TableMove): Promise<MovedTable | null> {
  const today = await readShape(client, move.source);
  const after = await readShape(client, move.target);
  return today && after ? { move, today, after } : null;
}

export function retypedColumns(table: MovedTable): RetypedColumn[] {
  return table.today.columns.flatMap((from) => {
    const to = table.after.columns.find((column) => column.name === from.name);
    return to === undefined || to.typeOid === from.typeOid ? [] : [{ table, name: from.name, from, to }];
  });
}

/** Names of the columns that come with the new shape. */
export function addedColumns(table: MovedTable): string[] {
  const known = new Set(table.today.columns.map((column) => column.name));
  return table.after.columns.map((column) => column.name).filter((name) => !known.has(name));
}

/** `session_status (active, archived, deleted)`, or the type's plain name. */
export function describeType(column: ShapeColumn): string {
  return column.labels === null ? column.type : `${column.type}, an enum of ${column.labels.join(', ')}`;
}

async function readShape(client: Queryable, name: QualifiedName): Promise<TableShape | null> {
  const { rows } = await client.query(
    `SELECT c.oid::int8::float8 AS oid, c.reltype::int8::float8 AS "typeOid", c.relkind = 'p' AS partitioned,
            EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid) AS "hasPrimaryKey",
            CASE WHEN c.relkind <> 'p' AND c.reltuples >= 0 THEN c.reltuples::float8
                 WHEN c.relkind = 'p' THEN (SELECT CASE WHEN bool_and(l.reltuples >= 0) THEN sum(l.reltuples)::float8 END
                   FROM pg_catalog.pg_partition_tree(c.oid) t JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf) END AS "estimatedRows"
       FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`,
    [quoteName(name)],
  );
  if (rows[0] === undefined) return null;
  const columns = await client.query(
    `SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.atttypid::int8::float8 AS "typeOid",
            a.attgenerated <> '' AS generated, e.labels, coalesce(e.labels <> e.alphabetical, false) AS "sortsUnlikeText"
       FROM pg_catalog.pg_attribute a
       LEFT JOIN LATERAL (SELECT pg_catalog.array_agg(l.enumlabel::text ORDER BY l.enumsortorder) AS labels,
                                 pg_catalog.array_agg(l.enumlabel::text ORDER BY l.enumlabel::text COLLATE "default") AS alphabetical
                            FROM pg_catalog.pg_enum l WHERE l.enumtypid = a.atttypid) e ON true
      WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [quoteName(name)],
  );
  return { ...shapeRow.parse(rows[0]), columns: z.array(columnRow).parse(columns.rows) };
}
