import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteLiteral, quoteName } from '../db/identifier.ts';
import { createViewSql, type DependentView, exchangeViewsSql, readDependentViews } from './dependent-views.ts';

/**
 * What refers to a live table by its OID and not by its name, and so would stay with the old version: views of any
 * depth, policies of other tables, functions with a parsed body (BEGIN ATOMIC), publications. Each is dropped before
 * the swap and made again after it from the server's own definition, which names the table; both are instant. Materialized
 * views, and views that they read, stand beside already, and change places as tables do.
 */
export interface Dependents {
  /** In the order in which they can be dropped, or put aside. */
  readonly drop: readonly string[];
  /** In the order in which they can be made again, with owner, privileges, comments, options and triggers. */
  readonly create: readonly string[];
  /** All views that read the tables, in the order in which they can be made. */
  readonly views: readonly DependentView[];
  /** CREATE OR REPLACE of the functions, as the server writes them. */
  readonly functions: readonly string[];
  /** Policies of other tables, publications and statistics, as they are made again. */
  readonly others: readonly Other[];
}

export interface Other {
  readonly create: readonly string[];
  /** Of a policy: the table that has it, quoted, and its name alone. Of statistics: their own name, quoted. */
  readonly name: string | null;
  readonly unqualified: string | null;
}

const statementRow = z.object({
  what: z.string(),
  drop: z.string().nullable(),
  create: z.array(z.string()),
  name: z.string().nullish().default(null),
  unqualified: z.string().nullish().default(null),
});

/** Reads the dependents of tables as they are at this moment. The session's search_path is empty: every name is qualified. */
export async function readDependents(
  client: Queryable,
  tables: readonly QualifiedName[],
  partitionedAfter: readonly QualifiedName[],
): Promise<Dependents> {
  const views = await readDependentViews(client, tables);
  const parameters = [tables.map(quoteName), partitionedAfter.map(quoteName), views.map((view) => view.name)];
  const read = async (sql: string) =>
    z.array(statementRow).parse((await client.query(PARAMETERS + sql, parameters)).rows);
  // A policy or a function may read a view: they go first, and come back last.
  const functions = await read(FUNCTIONS);
  const policies = await read(POLICIES);
  const rest = [...(await read(PUBLICATIONS)), ...(await read(STATISTICS))];
  const remade = views.filter((view) => !view.stands);
  return {
    drop: [
      ...[...functions, ...policies].flatMap((row) => row.drop ?? []),
      ...[...remade].reverse().map((view) => `DROP VIEW ${view.name}`),
      ...exchangeViewsSql(views),
      ...rest.flatMap((row) => row.drop ?? []),
    ],
    create: [
      ...remade.flatMap((view) => createViewSql(view, view.name, orWithoutCasts)),
      ...[...functions, ...policies, ...rest].flatMap((row) => row.create.map(orWithoutCasts)),
    ],
    views,
    functions: functions.flatMap((row) => row.create),
    others: [...policies, ...rest],
  };
}

/**
 * The server writes a condition out with the types that it had: `status = 'active'::text`, which an enum does not
 * compare with. Where that is refused (42883), the constants are written as their author wrote them, without a type.
 */
export function orWithoutCasts(sql: string): string {
  const plain = withoutCasts(sql);
  if (plain === sql) return sql;
  return `DO $tandem_do$ BEGIN EXECUTE ${quoteLiteral(sql)};
    EXCEPTION WHEN undefined_function THEN EXECUTE ${quoteLiteral(plain)}; END $tandem_do$`;
}

const LITERAL = "'(?:[^']|'')*'";
const NAME = '(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)';
const CAST = new RegExp(`(${LITERAL})::(?:character varying|${NAME}(?:\\.${NAME})?)(?![\\w(])`, 'g');
const ANY_OF = new RegExp(`= ANY \\(\\(?ARRAY\\[(${LITERAL}(?:, ${LITERAL})*)\\](?:\\)?::[a-z_. "]+\\[\\])?\\)`, 'g');

/** `'active'::text` becomes `'active'`, and `= ANY (ARRAY['active'::text, 'archived'::text])` becomes `IN ('active', 'archived')`. */
export function withoutCasts(sql: string): string {
  return sql.replace(CAST, '$1').replace(ANY_OF, 'IN ($1)');
}

const PARAMETERS = `WITH moved AS (
    SELECT t::regclass::oid AS oid, t = ANY ($2::text[]) AS partitioned_after FROM unnest($1::text[]) AS t),
  views AS (SELECT v::regclass::oid AS oid FROM unnest($3::text[]) AS v) `;

// CREATE OR REPLACE parses the body again, and binds it to what has the name then. One that reads a view has an empty body
// while there is none.
const FUNCTIONS = `
  SELECT DISTINCT 'function ' || p.oid::regprocedure AS what,
         CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_depend v WHERE v.classid = 'pg_catalog.pg_proc'::regclass AND v.objid = p.oid
                              AND v.refclassid = 'pg_catalog.pg_class'::regclass AND v.refobjid IN (SELECT oid FROM views))
              THEN 'SET LOCAL check_function_bodies = off; ' || pg_catalog.replace(pg_catalog.pg_get_functiondef(p.oid),
                     pg_catalog.pg_get_function_sqlbody(p.oid), 'AS $tandem$$tandem$') END AS drop,
         ARRAY[pg_catalog.pg_get_functiondef(p.oid)] AS create
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid
   WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.refobjid IN (SELECT oid FROM moved UNION SELECT oid FROM views) AND p.prosqlbody IS NOT NULL ORDER BY 1`;

// Policies of the moved tables themselves come with them; here are those of tables that only mention a moved one.
const POLICIES = `
  SELECT DISTINCT pg_catalog.format('policy %I on %s', p.polname, p.polrelid::regclass) AS what,
         pg_catalog.format('DROP POLICY %I ON %I.%I', p.polname, n.nspname, c.relname) AS drop,
         pg_catalog.array_remove(ARRAY[${policyDefinition("pg_catalog.format('%I.%I', n.nspname, c.relname)")},
           pg_catalog.format('COMMENT ON POLICY %I ON %I.%I IS ', p.polname, n.nspname, c.relname)
             || pg_catalog.quote_literal(pg_catalog.obj_description(p.oid, 'pg_policy'))], NULL) AS create,
         pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, pg_catalog.quote_ident(c.relname) AS unqualified
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy p ON p.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.refobjid IN (SELECT oid FROM moved UNION SELECT oid FROM views) AND p.polrelid NOT IN (SELECT oid FROM moved) ORDER BY 1`;

// A publication goes on publishing what has the name. The table that left it is dropped from it first, under its own
// name, which is the live one until the swap. A partitioned table is published under its own name only with
// publish_via_partition_root, which changes nothing for tables that are not partitioned, and stays; it comes first, as a
// list of columns or a condition needs it.
const PUBLICATIONS = `
  SELECT pg_catalog.format('publication %I of %I.%I', p.pubname, n.nspname, c.relname) AS what,
         pg_catalog.format('ALTER PUBLICATION %I DROP TABLE %I.%I', p.pubname, n.nspname, c.relname) AS drop,
         CASE WHEN m.partitioned_after AND NOT p.pubviaroot
              THEN ARRAY[pg_catalog.format('ALTER PUBLICATION %I SET (publish_via_partition_root = true)', p.pubname)] ELSE '{}' END
         || ARRAY[pg_catalog.format('ALTER PUBLICATION %I ADD TABLE %I.%I', p.pubname, n.nspname, c.relname)
           || coalesce(' (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
                                  FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs::int2[])) || ')', '')
           || coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')', '')] AS create
    FROM pg_catalog.pg_publication_rel r JOIN moved m ON m.oid = r.prrelid JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
    JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  UNION ALL
  SELECT pg_catalog.format('publication %I of %s', p.pubname, m.oid::regclass), NULL,
         ARRAY[pg_catalog.format('ALTER PUBLICATION %I SET (publish_via_partition_root = true)', p.pubname)]
    FROM moved m JOIN pg_catalog.pg_class c ON c.oid = m.oid CROSS JOIN pg_catalog.pg_publication p
   WHERE m.partitioned_after AND NOT p.pubviaroot
     AND (p.puballtables OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace))
   ORDER BY 1`;

// Filled by the next ANALYZE. They do not move with their table's schema, and their name is needed again.
const STATISTICS = `
  SELECT pg_catalog.format('statistics %I.%I', n.nspname, e.stxname) AS what,
         pg_catalog.format('DROP STATISTICS %I.%I', n.nspname, e.stxname) AS drop,
         pg_catalog.array_remove(ARRAY[pg_catalog.pg_get_statisticsobjdef(e.oid),
           pg_catalog.format('ALTER STATISTICS %I.%I SET STATISTICS ', n.nspname, e.stxname) || nullif(e.stxstattarget, -1),
           pg_catalog.format('ALTER STATISTICS %I.%I OWNER TO %I', n.nspname, e.stxname, pg_catalog.pg_get_userbyid(e.stxowner)),
           pg_catalog.format('COMMENT ON STATISTICS %I.%I IS ', n.nspname, e.stxname)
             || pg_catalog.quote_literal(pg_catalog.obj_description(e.oid, 'pg_statistic_ext'))], NULL) AS create,
         pg_catalog.format('%I.%I', n.nspname, e.stxname) AS name
    FROM pg_catalog.pg_statistic_ext e JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace
   WHERE e.stxrelid IN (SELECT oid FROM moved) ORDER BY 1`;

/** The policies of a table itself, as CREATE POLICY on `on`. */
export async function ownPolicies(client: Queryable, table: QualifiedName, on: QualifiedName): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(
    `SELECT ${policyDefinition('$2::text')} AS sql FROM pg_catalog.pg_policy p WHERE p.polrelid = $1::regclass ORDER BY p.polname`,
    [quoteName(table), quoteName(on)],
  );
  return rows.map((row) => row.sql);
}

/** REPLICA IDENTITY USING INDEX for the table `on`, or each of its partitions; by the primary key it is the default. */
export async function replicaIndex(
  client: Queryable,
  table: QualifiedName,
  on: QualifiedName = table,
): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(
    `SELECT pg_catalog.format('DO $tandem$ DECLARE leaf record; BEGIN
              FOR leaf IN SELECT i.indrelid::regclass AS name, x.relname AS index FROM pg_catalog.pg_index i
                JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relkind = %L
                LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = x.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
               WHERE %L IN (x.relname, p.relname) AND (i.indrelid = %L::regclass
                  OR i.indrelid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree(%L::regclass) t))
              LOOP EXECUTE pg_catalog.format(%L, leaf.name, leaf.index); END LOOP; END $tandem$',
              'i', x.relname, $2::text, $2::text, 'ALTER TABLE %s REPLICA IDENTITY USING INDEX %I') AS sql
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = $1::regclass AND i.indisreplident AND NOT i.indisprimary`,
    [quoteName(table), quoteName(on)],
  );
  return rows.map((row) => row.sql);
}

/**
 * Comments of a table's own policies, triggers, constraints and indexes, for the table `on`: COMMENT ON what it has too.
 * Those of columns come with the target, those of keys with nothing.
 */
export async function ownComments(
  client: Queryable,
  table: QualifiedName,
  on: QualifiedName = table,
): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(
    `SELECT pg_catalog.format('DO $tandem$ BEGIN EXECUTE %L; EXCEPTION WHEN undefined_object OR undefined_table THEN NULL; END $tandem$',
              'COMMENT ON ' || o.what || ' IS ' || pg_catalog.quote_literal(d.description)) AS sql
       FROM (
         SELECT 'pg_catalog.pg_policy'::regclass::oid AS class, oid, pg_catalog.format('POLICY %I ON %s', polname, $2::text) AS what
           FROM pg_catalog.pg_policy WHERE polrelid = $1::regclass
         UNION ALL
         SELECT 'pg_catalog.pg_trigger'::regclass, oid, pg_catalog.format('TRIGGER %I ON %s', tgname, $2::text)
           FROM pg_catalog.pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal
         UNION ALL
         SELECT 'pg_catalog.pg_constraint'::regclass, oid, pg_catalog.format('CONSTRAINT %I ON %s', conname, $2::text)
           FROM pg_catalog.pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'u', 'x')
         UNION ALL
         SELECT 'pg_catalog.pg_class'::regclass, c.oid, pg_catalog.format('INDEX %I.%I', $3::text, c.relname)
           FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
          WHERE i.indrelid = $1::regclass AND NOT i.indisprimary
       ) o JOIN pg_catalog.pg_description d ON d.classoid = o.class AND d.objoid = o.oid AND d.objsubid = 0 ORDER BY 1`,
    [quoteName(table), quoteName(on), on.schema],
  );
  return rows.map((row) => row.sql);
}

/** SQL that gives CREATE POLICY for a row `p` of pg_policy, on the table that the SQL `on` names. */
function policyDefinition(on: string): string {
  return `pg_catalog.format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, ${on},
           CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
           CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           (SELECT pg_catalog.string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) END, ', ')
              FROM unnest(p.polroles) AS r),
           ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
           ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')`;
}
