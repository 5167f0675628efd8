import type { Queryable } from '../db/connect.ts';
import { quoteName } from '../db/identifier.ts';
import type { TableMove } from './table-move.ts';

// The tables on either side with what changes its schema with them: partitions, indexes, sequences of identity columns. A
// partition has a type and an array of it, of names that no other type may have; the table itself takes the live one's.
const NAMES = `
  WITH pair AS (
    SELECT pg_catalog.to_regclass(p.entering) AS entering, pg_catalog.to_regclass(p.leaving) AS leaving, n.oid AS schema, n.nspname
      FROM unnest($1::text[], $2::text[], $3::text[]) AS p (entering, leaving, schema) JOIN pg_catalog.pg_namespace n ON n.nspname = p.schema),
  root AS (
    SELECT r.* FROM (SELECT entering AS oid, schema, nspname, true AS enters FROM pair
                      UNION ALL SELECT leaving, schema, nspname, false FROM pair) r WHERE r.oid IS NOT NULL),
  tables AS (
    SELECT r.oid, r.schema, r.nspname, r.enters, true AS root FROM root r
     UNION SELECT t.relid, r.schema, r.nspname, r.enters, false FROM root r CROSS JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) t WHERE t.relid <> r.oid),
  relations AS (
    SELECT * FROM tables
     UNION ALL SELECT i.indexrelid, t.schema, t.nspname, t.enters, false FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
     UNION ALL SELECT d.objid, t.schema, t.nspname, t.enters, false FROM tables t JOIN pg_catalog.pg_depend d
                   ON d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
                  AND d.refobjid = t.oid AND d.deptype = 'i' AND d.objid <> t.oid)
  SELECT DISTINCT pg_catalog.format('%I.%I', r.nspname, c.relname) AS name
    FROM relations r JOIN pg_catalog.pg_class c ON c.oid = r.oid
    JOIN pg_catalog.pg_class taken ON taken.relnamespace = r.schema AND taken.relname = c.relname
   WHERE r.enters AND NOT r.root AND taken.oid NOT IN (SELECT x.oid FROM relations x)
  UNION
  SELECT pg_catalog.format('%I.%I', r.nspname, taken.typname)
    FROM relations r JOIN pg_catalog.pg_type t ON t.typrelid = r.oid
    JOIN pg_catalog.pg_type taken ON taken.typnamespace = r.schema
     AND (taken.typname = t.typname OR taken.oid <> t.typarray AND taken.typname = (SELECT a.typname FROM pg_catalog.pg_type a WHERE a.oid = t.typarray))
   WHERE r.enters AND NOT r.root AND taken.typrelid = 0 ORDER BY 1`;

/**
 * Names that come with the tables when they take the live ones' place, and that others have there by now: the swap
 * would be refused for them. Those of the tables that leave are free by then.
 */
export async function namesTaken(
  client: Queryable,
  moves: readonly TableMove[],
  entering: 'target' | 'retired',
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(NAMES, [
    moves.map((move) => quoteName(move[entering])),
    moves.map((move) => quoteName(move.source)),
    moves.map((move) => move.source.schema),
  ]);
  return rows.map(({ name }) => name);
}
