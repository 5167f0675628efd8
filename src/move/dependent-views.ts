import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteIdent, quoteLiteral, quoteName } from '../db/identifier.ts';

const viewRow = z.object({
  /** Qualified, as the server writes it. */
  name: z.string(),
  schema: z.string(),
  /** Quoted where SQL needs it. */
  unqualified: z.string(),
  kind: z.enum(['VIEW', 'MATERIALIZED VIEW']),
  /** Materialized, or read by one that is: it is made beside, and not in the moment of the cutover. */
  stands: z.boolean(),
  populated: z.boolean(),
  create: z.string(),
  owner: z.string(),
  /** Defaults, privileges, comments, triggers, storage and indexes. */
  rest: z.array(z.string()),
  indexes: z.array(z.object({ name: z.string(), unqualified: z.string() })),
});

/** A view or materialized view that reads a moved table, at any depth, with the statements that make it again. */
export type DependentView = z.infer<typeof viewRow>;

/** In the order in which they can be made. The session's search_path is empty. */
export async function readDependentViews(
  client: Queryable,
  tables: readonly QualifiedName[],
): Promise<DependentView[]> {
  return z.array(viewRow).parse((await client.query(VIEWS, [tables.map(quoteName)])).rows);
}

/**
 * The view as the statements make it that are given through `change`; under `name` then, empty where it is materialized.
 * What ALTER DEFAULT PRIVILEGES gives to a new relation, the old one need not have had.
 */
export function createViewSql(view: DependentView, name: string, change: (sql: string) => string): string[] {
  const revoke = `DO $tandem$ DECLARE role text; BEGIN
      FOR role IN SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
                    FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
                   WHERE c.oid = pg_catalog.to_regclass(${quoteLiteral(name)}) AND a.grantee <> c.relowner
      LOOP EXECUTE 'REVOKE ALL ON ' || ${quoteLiteral(name)} || ' FROM ' || role; END LOOP; END $tandem$`;
  return [change(view.create), change(view.owner), revoke, ...view.rest.map(change)];
}

/** Where the other version of a standing view, or of its index, is: under its own name, in Tandem's schema. */
export function besideName({ unqualified }: Pick<DependentView, 'unqualified'>): string {
  return `tandem.${unqualified}`;
}

/** Passed through by views that change places, as the tables do. */
const ASIDE = 'tandem_aside';

/** Standing views and their other versions change places; either way. Nothing of it reads a row. */
export function exchangeViewsSql(views: readonly DependentView[]): string[] {
  const standing = views.filter((view) => view.stands);
  if (standing.length === 0) return [];
  const to = (schema: string, name: (view: DependentView) => string) =>
    standing.map((view) => `ALTER ${view.kind} ${name(view)} SET SCHEMA ${quoteIdent(schema)}`);
  return [
    `CREATE SCHEMA ${ASIDE}`,
    ...to(ASIDE, (view) => view.name),
    ...standing.map((view) => `ALTER ${view.kind} ${besideName(view)} SET SCHEMA ${quoteIdent(view.schema)}`),
    ...to('tandem', (view) => `${ASIDE}.${view.unqualified}`),
    `DROP SCHEMA ${ASIDE}`,
  ];
}

// Views that read the tables, and views that read those: the deepest last. What a materialized view reads stands with it.
const VIEWS = `
  WITH RECURSIVE moved AS (SELECT t::regclass::oid AS oid FROM unnest($1::text[]) AS t),
  readers AS (
    SELECT r.ev_class AS oid, 1 AS depth FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.refobjid IN (SELECT oid FROM moved) AND r.ev_class <> d.refobjid
    UNION
    SELECT r.ev_class, readers.depth + 1 FROM readers
      JOIN pg_catalog.pg_depend d ON d.refobjid = readers.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.classid = 'pg_catalog.pg_rewrite'::regclass
      JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> readers.oid),
  standing AS (
    SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid IN (SELECT oid FROM readers) AND c.relkind = 'm'
    UNION
    SELECT d.refobjid FROM standing JOIN pg_catalog.pg_rewrite r ON r.ev_class = standing.oid
      JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
     WHERE d.refobjid IN (SELECT oid FROM readers))
  SELECT v.name, n.nspname AS schema, pg_catalog.quote_ident(c.relname) AS "unqualified", v.kind, c.oid IN (SELECT oid FROM standing) AS stands,
         c.relkind = 'm' AND c.relispopulated AS populated,
         pg_catalog.format('CREATE %s %s%s AS %s%s', v.kind, v.name, ' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')',
           pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'), CASE c.relkind WHEN 'm' THEN ' WITH NO DATA' END) AS create,
         pg_catalog.format('ALTER %s %s OWNER TO %I', v.kind, v.name, pg_catalog.pg_get_userbyid(c.relowner)) AS owner,
         pg_catalog.array_remove(ARRAY(SELECT pg_catalog.format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', v.name, a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
                    FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                   WHERE d.adrelid = c.oid ORDER BY a.attnum)
         || ARRAY(SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', g.privilege_type, v.name,
                           CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                           CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                    FROM pg_catalog.aclexplode(c.relacl) g WHERE g.grantee <> c.relowner ORDER BY 1)
         || ARRAY(SELECT pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, v.name,
                           CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                           CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                    FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g WHERE a.attrelid = c.oid ORDER BY 1)
         || ARRAY(SELECT CASE WHEN d.objsubid = 0 THEN pg_catalog.format('COMMENT ON %s %s IS %L', v.kind, v.name, d.description)
                              ELSE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', v.name, a.attname, d.description) END
                    FROM pg_catalog.pg_description d
                    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
                   WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = c.oid ORDER BY d.objsubid)
         || ARRAY(SELECT pg_catalog.pg_get_triggerdef(t.oid) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname)
         || ARRAY(SELECT pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, v.name, d.description)
                    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_trigger'::regclass AND d.objoid = t.oid
                   WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname)
         || ARRAY(SELECT pg_catalog.format('ALTER MATERIALIZED VIEW %s ALTER COLUMN %I SET %s', v.name, a.attname, w.what)
                    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                   CROSS JOIN LATERAL (VALUES
                     ('STORAGE ' || CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END),
                     ('COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' WHEN 'p' THEN 'pglz' END),
                     ('STATISTICS ' || nullif(a.attstattarget, -1)),
                     ('(' || pg_catalog.array_to_string(a.attoptions, ', ') || ')')) w (what)
                   WHERE a.attrelid = c.oid AND c.relkind = 'm' AND a.attnum > 0 AND NOT a.attisdropped AND w.what IS NOT NULL ORDER BY a.attnum)
         || ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid ORDER BY i.indexrelid)
         || ARRAY(SELECT pg_catalog.format('COMMENT ON INDEX %I.%I IS %L', n.nspname, x.relname, d.description)
                    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                    JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = x.oid
                   WHERE i.indrelid = c.oid ORDER BY i.indexrelid),
         NULL) AS rest,
         ARRAY(SELECT pg_catalog.json_build_object('name', pg_catalog.format('%I.%I', n.nspname, x.relname), 'unqualified', pg_catalog.quote_ident(x.relname)) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                WHERE i.indrelid = c.oid) AS indexes
    FROM (SELECT oid, max(depth) AS depth FROM readers GROUP BY oid) r
    JOIN pg_catalog.pg_class c ON c.oid = r.oid AND c.relkind IN ('v', 'm')
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   CROSS JOIN LATERAL (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind) v
   ORDER BY r.depth, v.name`;
