import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteName } from '../db/identifier.ts';
import { withoutCasts } from '../move/dependents.ts';

const viewRow = z.object({ schema: z.string(), name: z.string(), definition: z.string() });

/** A view that reads a moved table, or reads such a view. */
export interface DependentView {
  readonly name: QualifiedName;
  /** As the server prints it, with every name qualified: the cutover makes the view again from it. */
  readonly definition: string;
}

/** The views that read the tables, those before the ones that read them. search_path must be empty. */
export async function dependentViews(client: Queryable, tables: readonly QualifiedName[]): Promise<DependentView[]> {
  const { rows } = await client.query(
    `WITH RECURSIVE readers AS (
       SELECT t::regclass::oid AS oid, 0 AS depth FROM pg_catalog.unnest($1::text[]) AS t
       UNION
       SELECT r.ev_class, readers.depth + 1 FROM readers
         JOIN pg_catalog.pg_depend d ON d.refobjid = readers.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
          AND d.classid = 'pg_catalog.pg_rewrite'::regclass
         JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> readers.oid)
     SELECT n.nspname AS schema, c.relname AS name, pg_catalog.btrim(pg_catalog.pg_get_viewdef(c.oid), '; ') AS definition
       FROM (SELECT oid, max(depth) AS depth FROM readers GROUP BY oid) v
       JOIN pg_catalog.pg_class c ON c.oid = v.oid AND c.relkind = 'v' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      ORDER BY v.depth, 1, 2`,
    [tables.map(quoteName)],
  );
  return (
    z
      .array(viewRow)
      .parse(rows)
      // As the cutover makes it again where the server's own text is refused.
      .map(({ schema, name, definition }) => ({ name: { schema, name }, definition: withoutCasts(definition) }))
  );
}

const expressionRow = z.object({ what: z.string(), sql: z.string() });

/** The policies of other tables that mention one of the tables: the cutover makes them again, too. */
export async function dependentPolicies(
  client: Queryable,
  tables: readonly QualifiedName[],
): Promise<{ what: string; sql: string }[]> {
  const { rows } = await client.query(
    `SELECT DISTINCT pg_catalog.format('policy %I on %s', p.polname, p.polrelid::regclass) AS what,
            pg_catalog.format('SELECT FROM %I.%I WHERE %s', n.nspname, c.relname, e.expression) AS sql
       FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy p ON p.oid = d.objid
       JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL (VALUES (pg_catalog.pg_get_expr(p.polqual, p.polrelid)), (pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))) AS e (expression)
      WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
        AND d.refobjid = ANY (SELECT t::regclass::oid FROM pg_catalog.unnest($1::text[]) AS t)
        AND e.expression IS NOT NULL ORDER BY 1, 2`,
    [tables.map(quoteName)],
  );
  return z.array(expressionRow).parse(rows);
}
