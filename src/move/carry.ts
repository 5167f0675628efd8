import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { asServerWrites, type QualifiedName, quoteName } from '../db/identifier.ts';
import { orWithoutCasts } from './dependents.ts';

const textRows = z.array(z.object({ sql: z.string() }));

export interface CarryOptions {
  /** Columns whose type changes: a CHECK on nothing but such columns spoke of the old type, and the new one replaces it. */
  readonly retyped: readonly string[];
  /** Roles whose privileges the plan sets itself. */
  readonly exceptRoles: readonly string[];
}

/**
 * What a table has beyond its columns and keys and the target is to have too, as SQL on the target: owner, grants, CHECK
 * constraints, storage, comments, row security, replica identity. Names inside expressions are those of the columns, which both have.
 */
export async function carriedSql(
  client: Queryable,
  source: QualifiedName,
  target: QualifiedName,
  options: CarryOptions,
): Promise<string[]> {
  const args = [quoteName(source), quoteName(target), options.retyped, options.exceptRoles];
  const parts = [
    CHECKS,
    STORAGE,
    COLUMN_STORAGE,
    DEFAULT_PRIVILEGES,
    TABLE_GRANTS,
    COLUMN_GRANTS,
    IDENTITY_SEQUENCES,
    COMMENTS,
    ROW_SECURITY,
    OWNER,
  ];
  const sql: string[] = [];
  // Every query has the same four parameters, used or not.
  const parameters = `WITH parameters AS (SELECT $1::text AS source, $2::text AS target, $3::text[] AS retyped, $4::text[] AS roles) `;
  for (const part of parts) {
    const rows = textRows.parse((await client.query(parameters + part, args)).rows);
    // A check may speak of a column that changes its type, beside others.
    sql.push(...rows.map((row) => (part === CHECKS ? orWithoutCasts(row.sql) : row.sql)));
  }
  return sql;
}

// Partitions too, or their owner could not alter the table. Who is no superuser gives a table only to a role that may
// create in its schema.
const OWNER = `
  SELECT pg_catalog.format('DO $tandem$ DECLARE part regclass; BEGIN
      IF NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) THEN
        EXECUTE pg_catalog.format(%L, (SELECT t.relnamespace::regnamespace FROM pg_catalog.pg_class t WHERE t.oid = %L::regclass), %L);
      END IF;
      FOR part IN SELECT %L::regclass UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(%L::regclass) p
      LOOP EXECUTE pg_catalog.format(%L, part, %L); END LOOP; END $tandem$',
      'GRANT CREATE ON SCHEMA %s TO %I', $2::text, pg_catalog.pg_get_userbyid(c.relowner),
      $2::text, $2::text, 'ALTER TABLE %s OWNER TO %I', pg_catalog.pg_get_userbyid(c.relowner)) AS sql
    FROM pg_catalog.pg_class c WHERE c.oid = $1::regclass AND pg_catalog.pg_get_userbyid(c.relowner) <> current_user`;

const CHECKS = `
  SELECT pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::text, c.conname, pg_catalog.pg_get_constraintdef(c.oid)) AS sql
    FROM pg_catalog.pg_constraint c WHERE c.conrelid = $1::regclass AND c.contype = 'c'
     AND NOT (SELECT pg_catalog.array_agg(a.attname::text) <@ $3::text[] FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
   ORDER BY c.conname`;

// Storage parameters belong to the tables that hold rows: the partitions of a partitioned one.
const STORAGE = `
  SELECT pg_catalog.format('DO $tandem$ DECLARE leaf regclass; BEGIN
      FOR leaf IN SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = %L AND (c.oid = %L::regclass
        OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(%L::regclass) p))
      LOOP EXECUTE pg_catalog.format(%L, leaf); END LOOP; END $tandem$',
      'r', $2::text, $2::text, 'ALTER TABLE %s ' || w.what) AS sql
    FROM pg_catalog.pg_class c
   CROSS JOIN LATERAL (
     SELECT 'SET (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')' WHERE c.reloptions IS NOT NULL
      UNION ALL
     SELECT 'SET (toast.' || pg_catalog.array_to_string(t.reloptions, ', toast.') || ')' FROM pg_catalog.pg_class t
      WHERE t.oid = c.reltoastrelid AND t.reloptions IS NOT NULL
      UNION ALL
     SELECT CASE c.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL' ELSE 'REPLICA IDENTITY NOTHING' END WHERE c.relreplident IN ('f', 'n')
   ) AS w (what) WHERE c.oid = $1::regclass`;

// Each partition has its own, and those that stand already do not follow their parent. How values are stored is a matter
// of their type: a column of another type starts afresh.
const COLUMN_STORAGE = `
  SELECT pg_catalog.format('DO $tandem$ DECLARE part regclass; BEGIN
      FOR part IN SELECT %L::regclass UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(%L::regclass) p
      LOOP EXECUTE pg_catalog.format(%L, part); END LOOP; END $tandem$',
      $2::text, $2::text, 'ALTER TABLE %s ALTER COLUMN ' || pg_catalog.replace(pg_catalog.quote_ident(a.attname), '%', '%%') || ' SET ' || w.what) AS sql
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
   CROSS JOIN LATERAL (
     SELECT 'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
      WHERE a.attstorage <> t.typstorage AND a.attname <> ALL ($3::text[])
      UNION ALL
     SELECT 'COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END
      WHERE a.attcompression <> '' AND a.attname <> ALL ($3::text[])
      UNION ALL
     SELECT 'STATISTICS ' || a.attstattarget WHERE a.attstattarget <> -1
      UNION ALL
     SELECT '(' || pg_catalog.array_to_string(a.attoptions, ', ') || ')' WHERE a.attoptions IS NOT NULL
   ) AS w (what)
   WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1`;

// A new table starts with what ALTER DEFAULT PRIVILEGES gives, and so do the sequences of its identity columns: that was
// not on the source, or comes with the source's own privileges.
const DEFAULT_PRIVILEGES = `
  SELECT pg_catalog.format('DO $tandem$ DECLARE given record; BEGIN
      FOR given IN SELECT DISTINCT c.oid::regclass AS relation, CASE c.relkind WHEN %L THEN %L ELSE %L END AS kind,
             CASE WHEN a.grantee = 0 THEN %L ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS role
        FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
       WHERE a.grantee <> c.relowner AND (a.grantee = 0 OR pg_catalog.pg_get_userbyid(a.grantee)::text <> ALL (%L::text[]))
         AND (c.oid = %L::regclass OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree(%L::regclass) p) OR c.oid IN (
           SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.refobjid = %L::regclass AND d.refclassid = %L::regclass
              AND d.classid = %L::regclass AND d.deptype = %L))
      LOOP EXECUTE pg_catalog.format(%L, given.kind, given.relation, given.role); END LOOP; END $tandem$',
      'S', 'SEQUENCE', 'TABLE', 'PUBLIC', $4::text[], $2::text, $2::text, $2::text, 'pg_catalog.pg_class', 'pg_catalog.pg_class', 'i',
      'REVOKE ALL ON %s %s FROM %s') AS sql`;

// The target's own, by the column of the same name: its name is not settled before the cutover.
const IDENTITY_SEQUENCES = `
  SELECT pg_catalog.format('DO $tandem$ BEGIN EXECUTE pg_catalog.format(%L, pg_catalog.pg_get_serial_sequence(%L, %L)); END $tandem$',
      w.what, $2::text, a.attname) AS sql
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class s ON s.oid = pg_catalog.pg_get_serial_sequence($1::text, a.attname)::regclass
   CROSS JOIN LATERAL (
     SELECT pg_catalog.format('GRANT %s ON SEQUENCE %%s TO %s%s', g.privilege_type,
              pg_catalog.replace(CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END, '%', '%%'),
              CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
       FROM pg_catalog.aclexplode(s.relacl) g WHERE g.grantee <> s.relowner
      UNION ALL
     SELECT 'COMMENT ON SEQUENCE %s IS ' || pg_catalog.replace(pg_catalog.quote_literal(pg_catalog.obj_description(s.oid, 'pg_class')), '%', '%%')
      WHERE pg_catalog.obj_description(s.oid, 'pg_class') IS NOT NULL
   ) AS w (what)
   WHERE a.attrelid = $1::regclass AND a.attidentity <> '' ORDER BY 1`;

const TABLE_GRANTS = `
  SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', a.privilege_type, $2::text,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
    FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
   WHERE c.oid = $1::regclass AND a.grantee <> c.relowner
     AND (a.grantee = 0 OR pg_catalog.pg_get_userbyid(a.grantee)::text <> ALL ($4::text[])) ORDER BY 1`;

const COLUMN_GRANTS = `
  SELECT pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, $2::text,
           CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END,
           CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
    FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g
   WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
     AND (g.grantee = 0 OR pg_catalog.pg_get_userbyid(g.grantee)::text <> ALL ($4::text[])) ORDER BY 1`;

const COMMENTS = `
  SELECT pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', $2::text, a.attname, d.description) AS sql
    FROM pg_catalog.pg_description d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid
   WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = $1::regclass AND d.objsubid > 0
  UNION ALL
  SELECT pg_catalog.format('COMMENT ON TABLE %s IS %L', $2::text, pg_catalog.obj_description($1::regclass, 'pg_class'))
   WHERE pg_catalog.obj_description($1::regclass, 'pg_class') IS NOT NULL`;

const ROW_SECURITY = `
  SELECT pg_catalog.format('ALTER TABLE %s %s ROW LEVEL SECURITY', $2::text, w.what) AS sql
    FROM pg_catalog.pg_class c
   CROSS JOIN LATERAL (VALUES ('ENABLE', c.relrowsecurity), ('FORCE', c.relforcerowsecurity)) AS w (what, is_on)
   WHERE c.oid = $1::regclass AND w.is_on`;

/** A trigger of the source as CREATE TRIGGER on the target. */
export function triggerOnTarget(definition: string, source: QualifiedName, target: QualifiedName): string {
  return definition.replace(onTable(source), () => ` ON ${quoteName(target)} `);
}

/** An index of the source as CREATE INDEX on the target, under the same name (they stand in different schemas). */
export function indexOnTarget(definition: string, source: QualifiedName, target: QualifiedName): string {
  return definition.replace(onTable(source), () => ` ON ${quoteName(target)} `);
}

function onTable(name: QualifiedName): RegExp {
  return new RegExp(` ON (?:ONLY )?${asServerWrites(name)} `);
}
