import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteLiteral, quoteName } from '../db/identifier.ts';

/**
 * What refers to a live table by its OID and not by its name, and so would stay with the old version: views of any
 * depth, policies of other tables, functions with a parsed body (BEGIN ATOMIC), publications. Each is dropped before
 * the swap and made again after it from the server's own definition, which names the table; both are instant.
 */
export interface Dependents {
  /** In the order in which they can be dropped. */
  readonly drop: readonly string[];
  /** In the order in which they can be made again, with owner, privileges, comments, options and triggers. */
  readonly create: readonly string[];
  /** What each of them is, for people. */
  readonly names: readonly string[];
}

const statementRow = z.object({ what: z.string(), drop: z.string().nullable(), create: z.array(z.string()) });

/** Reads the dependents of tables as they are at this moment. The session's search_path is empty: every name is qualified. */
export async function readDependents(
  client: Queryable,
  tables: readonly QualifiedName[],
  partitionedAfter: readonly QualifiedName[],
): Promise<Dependents> {
  const parameters = [tables.map(quoteName), partitionedAfter.map(quoteName)];
  const read = async (sql: string) => z.array(statementRow).parse((await client.query(sql, parameters)).rows);
  // A policy or a function may read a view: they go first, and come back last.
  const views = await read(VIEWS);
  const functions = await read(FUNCTIONS);
  const policies = await read(POLICIES);
  const publications = await read(PUBLICATIONS);
  const statistics = await read(STATISTICS);
  const ordered = [...views, ...functions, ...policies, ...publications, ...statistics];
  return {
    drop: [...policies, ...[...views].reverse(), ...publications, ...statistics].flatMap((row) =>
      row.drop === null ? [] : [row.drop],
    ),
    create: [
      ...[...views, ...functions, ...policies].flatMap((row) => row.create.map(orWithoutCasts)),
      ...[...publications, ...statistics].flatMap((row) => row.create),
    ],
    names: ordered.map((row) => row.what),
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

const TABLES = 'SELECT t::regclass::oid AS oid, t = ANY ($2::text[]) AS partitioned_after FROM unnest($1::text[]) AS t';

// Views that read the tables, and views that read those: the deepest last.
const VIEWS = `
  WITH RECURSIVE moved AS (${TABLES}),
  readers AS (
    SELECT r.ev_class AS oid, 1 AS depth FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.refobjid IN (SELECT oid FROM moved) AND r.ev_class <> d.refobjid
    UNION
    SELECT r.ev_class, readers.depth + 1 FROM readers
      JOIN pg_catalog.pg_depend d ON d.refobjid = readers.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.classid = 'pg_catalog.pg_rewrite'::regclass
      JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> readers.oid)
  SELECT 'view ' || v.name AS what, 'DROP VIEW ' || v.name AS drop,
         pg_catalog.array_remove(ARRAY[
           'CREATE VIEW ' || v.name || coalesce(' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')', '')
             || ' AS ' || pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'),
           pg_catalog.format('ALTER VIEW %s OWNER TO %I', v.name, pg_catalog.pg_get_userbyid(c.relowner))]
         || ARRAY(SELECT pg_catalog.format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', v.name, a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
                    FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
                   WHERE d.adrelid = c.oid ORDER BY a.attnum)
         || ${withoutDefaultPrivileges('v.name')}
         || ARRAY(SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', g.privilege_type, v.name,
                           CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                           CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                    FROM pg_catalog.aclexplode(c.relacl) g WHERE g.grantee <> c.relowner ORDER BY 1)
         || ARRAY(SELECT pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, v.name,
                           CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
                           CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                    FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g WHERE a.attrelid = c.oid ORDER BY 1)
         || ARRAY(SELECT CASE WHEN d.objsubid = 0 THEN pg_catalog.format('COMMENT ON VIEW %s IS %L', v.name, d.description)
                              ELSE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', v.name, a.attname, d.description) END
                    FROM pg_catalog.pg_description d
                    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
                   WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = c.oid ORDER BY d.objsubid)
         || ARRAY(SELECT pg_catalog.pg_get_triggerdef(t.oid) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname),
         NULL) AS create
    FROM (SELECT oid, max(depth) AS depth FROM readers GROUP BY oid) r
    JOIN pg_catalog.pg_class c ON c.oid = r.oid AND c.relkind = 'v'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   CROSS JOIN LATERAL (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name) v
   ORDER BY r.depth, v.name`;

// CREATE OR REPLACE parses the body again, and binds it to what has the name then.
const FUNCTIONS = `
  WITH moved AS (${TABLES})
  SELECT DISTINCT 'function ' || p.oid::regprocedure AS what, NULL::text AS drop, ARRAY[pg_catalog.pg_get_functiondef(p.oid)] AS create
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid
   WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.refobjid IN (SELECT oid FROM moved) AND p.prosqlbody IS NOT NULL ORDER BY 1`;

// Policies of the moved tables themselves come with them; here are those of tables that only mention a moved one.
const POLICIES = `
  WITH moved AS (${TABLES})
  SELECT DISTINCT pg_catalog.format('policy %I on %s', p.polname, p.polrelid::regclass) AS what,
         pg_catalog.format('DROP POLICY %I ON %I.%I', p.polname, n.nspname, c.relname) AS drop,
         pg_catalog.array_remove(ARRAY[${policyDefinition("pg_catalog.format('%I.%I', n.nspname, c.relname)")},
           pg_catalog.format('COMMENT ON POLICY %I ON %I.%I IS ', p.polname, n.nspname, c.relname)
             || pg_catalog.quote_literal(pg_catalog.obj_description(p.oid, 'pg_policy'))], NULL) AS create
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_policy p ON p.oid = d.objid
    JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.refobjid IN (SELECT oid FROM moved) AND p.polrelid NOT IN (SELECT oid FROM moved) ORDER BY 1`;

// A publication goes on publishing what has the name. The table that left it is dropped from it first, under its own
// name, which is the live one until the swap. A partitioned table is published under its own name only with
// publish_via_partition_root, which changes nothing for tables that are not partitioned, and stays.
const PUBLICATIONS = `
  WITH moved AS (${TABLES})
  SELECT pg_catalog.format('publication %I of %I.%I', p.pubname, n.nspname, c.relname) AS what,
         pg_catalog.format('ALTER PUBLICATION %I DROP TABLE %I.%I', p.pubname, n.nspname, c.relname) AS drop,
         ARRAY[pg_catalog.format('ALTER PUBLICATION %I ADD TABLE %I.%I', p.pubname, n.nspname, c.relname)
           || coalesce(' (' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
                                  FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs::int2[])) || ')', '')
           || coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')', '')]
           || CASE WHEN m.partitioned_after AND NOT p.pubviaroot
                   THEN ARRAY[pg_catalog.format('ALTER PUBLICATION %I SET (publish_via_partition_root = true)', p.pubname)] ELSE '{}' END AS create
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
  WITH moved AS (${TABLES})
  SELECT pg_catalog.format('statistics %I.%I', n.nspname, e.stxname) AS what,
         pg_catalog.format('DROP STATISTICS %I.%I', n.nspname, e.stxname) AS drop,
         pg_catalog.array_remove(ARRAY[pg_catalog.pg_get_statisticsobjdef(e.oid),
           pg_catalog.format('ALTER STATISTICS %I.%I SET STATISTICS ', n.nspname, e.stxname) || nullif(e.stxstattarget, -1),
           pg_catalog.format('ALTER STATISTICS %I.%I OWNER TO %I', n.nspname, e.stxname, pg_catalog.pg_get_userbyid(e.stxowner)),
           pg_catalog.format('COMMENT ON STATISTICS %I.%I IS ', n.nspname, e.stxname)
             || pg_catalog.quote_literal(pg_catalog.obj_description(e.oid, 'pg_statistic_ext'))], NULL) AS create
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

/** REPLICA IDENTITY USING INDEX for the new table of that name, or each of its partitions; by the primary key it is the default. */
export async function replicaIndex(client: Queryable, table: QualifiedName): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(
    `SELECT pg_catalog.format('DO $tandem$ DECLARE leaf record; BEGIN
              FOR leaf IN SELECT i.indrelid::regclass AS name, x.relname AS index FROM pg_catalog.pg_index i
                JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid AND x.relkind = %L
                LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = x.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
               WHERE %L IN (x.relname, p.relname) AND (i.indrelid = %L::regclass
                  OR i.indrelid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree(%L::regclass) t))
              LOOP EXECUTE pg_catalog.format(%L, leaf.name, leaf.index); END LOOP; END $tandem$',
              'i', x.relname, $1::text, $1::text, 'ALTER TABLE %s REPLICA IDENTITY USING INDEX %I') AS sql
       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = $1::regclass AND i.indisreplident AND NOT i.indisprimary`,
    [quoteName(table)],
  );
  return rows.map((row) => row.sql);
}

/**
 * Comments of a table's own policies, triggers, constraints and indexes, for the new table of that name: COMMENT ON what it
 * has too. Those of columns come with the target, those of keys with nothing.
 */
export async function ownComments(client: Queryable, table: QualifiedName): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(
    `SELECT pg_catalog.format('DO $tandem$ BEGIN EXECUTE %L; EXCEPTION WHEN undefined_object OR undefined_table THEN NULL; END $tandem$',
              'COMMENT ON ' || o.what || ' IS ' || pg_catalog.quote_literal(d.description)) AS sql
       FROM (
         SELECT 'pg_catalog.pg_policy'::regclass::oid AS class, oid, pg_catalog.format('POLICY %I ON %s', polname, $1::text) AS what
           FROM pg_catalog.pg_policy WHERE polrelid = $1::regclass
         UNION ALL
         SELECT 'pg_catalog.pg_trigger'::regclass, oid, pg_catalog.format('TRIGGER %I ON %s', tgname, $1::text)
           FROM pg_catalog.pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal
         UNION ALL
         SELECT 'pg_catalog.pg_constraint'::regclass, oid, pg_catalog.format('CONSTRAINT %I ON %s', conname, $1::text)
           FROM pg_catalog.pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'u', 'x')
         UNION ALL
         SELECT 'pg_catalog.pg_class'::regclass, c.oid, pg_catalog.format('INDEX %I.%I', n.nspname, c.relname)
           FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE i.indrelid = $1::regclass AND NOT i.indisprimary
       ) o JOIN pg_catalog.pg_description d ON d.classoid = o.class AND d.objoid = o.oid AND d.objsubid = 0 ORDER BY 1`,
    [quoteName(table)],
  );
  return rows.map((row) => row.sql);
}

/** SQL that gives a statement on the new view that the SQL `name` names: what ALTER DEFAULT PRIVILEGES gave it, the old one need not have had. */
function withoutDefaultPrivileges(name: string): string {
  return `pg_catalog.format('DO $tandem$ DECLARE role text; BEGIN
             FOR role IN SELECT DISTINCT CASE WHEN a.grantee = 0 THEN %L ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
                           FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
                          WHERE c.oid = pg_catalog.to_regclass(%L) AND a.grantee <> c.relowner
             LOOP EXECUTE pg_catalog.format(%L, role); END LOOP; END $tandem$',
           'PUBLIC', ${name}, 'REVOKE ALL ON ' || pg_catalog.replace(${name}, '%', '%%') || ' FROM %s')`;
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
