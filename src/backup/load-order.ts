import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { displayName, quoteIdent, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { WholeTable } from './whole-tables.ts';

const foreignKeySchema = z.object({ from: z.number(), to: z.number(), name: z.string(), deferrable: z.boolean() });
export type ForeignKey = z.infer<typeof foreignKeySchema>;

/**
 * The foreign keys from one of the tables to another. A key of a partition, or to one, counts as its parent's, which is
 * the table that rows are loaded into.
 */
export async function foreignKeysBetween(db: Queryable, tables: readonly WholeTable[]): Promise<ForeignKey[]> {
  const { rows } = await db.query(FOREIGN_KEYS, [tables.map(({ oid }) => oid)]);
  return z.array(foreignKeySchema).parse(rows);
}

const FOREIGN_KEYS = `
  WITH members AS (
    SELECT root, root AS member FROM pg_catalog.unnest($1::oid[]) AS root
    UNION
    SELECT root, relid::oid FROM pg_catalog.unnest($1::oid[]) AS root, pg_catalog.pg_partition_tree(root)
  )
  SELECT f.root::int8::float8 AS "from", t.root::int8::float8 AS "to", k.conname AS name, k.condeferrable AS deferrable
    FROM pg_catalog.pg_constraint k
    JOIN members f ON f.member = k.conrelid
    JOIN members t ON t.member = k.confrelid
   WHERE k.contype = 'f' AND f.root <> t.root`;

export interface LoadOrder<T> {
  readonly tables: readonly T[];
  /** True where some key can only be checked after all tables are loaded: `SET CONSTRAINTS ALL DEFERRED`. */
  readonly deferred: boolean;
}

/**
 * Orders tables so that each comes after those that it references. Keys that are deferrable are left out of account
 * only where there is no such order with them. (A key from a table to itself is checked at the end of its COPY.)
 *
 * @throws TD044 for tables that reference each other in a circle by keys that cannot be deferred
 */
export function loadOrder<T extends WholeTable>(tables: readonly T[], keys: readonly ForeignKey[]): LoadOrder<T> {
  const strict = sortByReferences(tables, keys);
  if (strict.left.length === 0) return { tables: strict.sorted, deferred: false };
  const rigid = keys.filter((key) => !key.deferrable);
  const deferring = sortByReferences(tables, rigid);
  if (deferring.left.length === 0) return { tables: deferring.sorted, deferred: true };
  const circle = new Map(deferring.left.map((table) => [table.oid, table]));
  const between = rigid.filter((key) => circle.has(key.from) && circle.has(key.to));
  const alter = between.map((key) => {
    const table = circle.get(key.from);
    return table && `ALTER TABLE ${quoteName(table.name)} ALTER CONSTRAINT ${quoteIdent(key.name)} DEFERRABLE;`;
  });
  throw new TandemError(
    'TD044',
    `${[...circle.values()].map((t) => displayName(t.name)).join(' and ')} reference each other.`,
    {
      hint: 'Let one of these foreign keys be deferred, then restore again:',
      detail: alter.join('\n'),
    },
  );
}

function sortByReferences<T extends WholeTable>(tables: readonly T[], keys: readonly ForeignKey[]) {
  const sorted: T[] = [];
  let left = [...tables];
  for (;;) {
    const waiting = new Set(left.map((table) => table.oid));
    const free = left.filter((table) => !keys.some((key) => key.from === table.oid && waiting.has(key.to)));
    if (free.length === 0) return { sorted, left };
    sorted.push(...free);
    left = left.filter((table) => !free.includes(table));
  }
}
