import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { describeTable, type TableDescription } from '../db/describe-table.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';

export interface WholeTable {
  readonly name: QualifiedName;
  readonly oid: number;
}

const relation = z.object({
  oid: z.number(),
  kind: z.string(),
  inherited: z.boolean(),
  columns: z.number(),
  ancestors: z.array(z.number()),
});

/**
 * Finds tables whose rows are what `SELECT *` returns of them, each row once: ordinary tables and partitioned ones.
 * Reads the catalog only, and so waits for no lock.
 *
 * @throws TD005 for a table that is not there
 * @throws TD017 for a view, for a table that others inherit from (`SELECT *` would return their rows too), and for a
 * partition that stands beside its parent in the list (each of its rows would be taken twice)
 */
export async function findWholeTables(db: Queryable, tables: readonly QualifiedName[]): Promise<WholeTable[]> {
  const found: (WholeTable & { ancestors: number[] })[] = [];
  for (const { schema, name } of tables) {
    const row = relation.optional().parse((await db.query(RELATION, [schema, name])).rows[0]);
    if (!row) {
      throw new TandemError('TD005', `There is no table ${displayName({ schema, name })}.`, {
        hint: 'Check its schema and name, and the database of the connection.',
      });
    }
    if (row.kind !== 'r' && row.kind !== 'p') throw unsuitable({ schema, name }, 'is no table');
    if (row.columns === 0) throw unsuitable({ schema, name }, 'has no columns');
    if (row.inherited)
      throw unsuitable({ schema, name }, 'has tables that inherit from it', 'Back it up with pg_dump.');
    found.push({ name: { schema, name }, oid: row.oid, ancestors: row.ancestors });
  }
  for (const { name, ancestors } of found) {
    const parent = found.find(({ oid }) => ancestors.includes(oid));
    if (!parent) continue;
    const hint = 'Leave the partition out of the list: its rows are those of its parent.';
    throw unsuitable(name, `is a partition of ${displayName(parent.name)}, which is in the list too`, hint);
  }
  return found.map(({ name, oid }) => ({ name, oid }));
}

/** The same with columns. Waits for locks: call it once the tables are locked. */
export async function describeWholeTables(
  db: Queryable,
  tables: readonly QualifiedName[],
): Promise<TableDescription[]> {
  const described: TableDescription[] = [];
  for (const { name } of await findWholeTables(db, tables)) {
    const table = await describeTable(db, name);
    if (!table) throw new TandemError('TD099', `${quoteName(name)} is locked, and yet not there.`);
    described.push(table);
  }
  return described;
}

const RELATION = `
  SELECT c.oid::int8::float8 AS oid,
         c.relkind AS kind,
         c.relkind <> 'p' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS inherited,
         (SELECT count(*)::int FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
         ARRAY(SELECT a.relid::oid::int8::float8 FROM pg_catalog.pg_partition_ancestors(c.oid) a
                WHERE a.relid <> c.oid) AS ancestors
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2`;

function unsuitable(table: QualifiedName, why: string, hint = 'Leave it out of the list of tables.'): TandemError {
  return new TandemError('TD017', `${displayName(table)} ${why}.`, { hint });
}
