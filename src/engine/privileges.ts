import type { Queryable } from '../db/connect.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { isProven } from '../move/orphans.ts';
import type { TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';
import type { Finding } from './events.ts';

export interface MissingPrivilege {
  /** `database app`, `schema public`, `public.sessions`. */
  readonly subject: string;
  /** The connecting role. */
  readonly role: string;
  /** What the role does not: `lacks CREATE on`, `does not own`. */
  readonly lack: string;
  /** A statement that mends it, or who may do without. */
  readonly remedy: string;
}

type Touched = Pick<TableMove, 'source' | 'sourceForeignKeys' | 'targetForeignKeys' | 'identity'>;

/**
 * What a run needs and the connecting role lacks: to create Tandem's schema and the new tables in the schemas of the old
 * ones, to own and read the tables, and to refer to the tables that the new foreign keys point at. Read from the catalog
 * alone, which everybody may read.
 */
export async function missingPrivileges(client: Queryable, moves: readonly Touched[]): Promise<MissingPrivilege[]> {
  const tables = moves.map((move) => move.source);
  const own = new Set(moves.flatMap((move) => [quoteName(move.source), quoteName(move.identity.table)]));
  // Read are those of which nobody has proved yet that each row is there.
  const referenced = moves
    .flatMap((move) => move.targetForeignKeys.map((key) => ({ name: key.references, read: !isProven(key, move) })))
    .filter(({ name }) => !own.has(quoteName(name)));
  const { rows } = await client.query<MissingPrivilege>(
    `WITH me AS (SELECT current_user::text AS role, pg_catalog.quote_ident(current_user) AS quoted),
          moved AS (SELECT c.oid, pg_catalog.pg_get_userbyid(c.relowner) AS owner, c.relowner, t.sql, t.shown
                      FROM unnest($2::text[], $3::text[]) AS t (sql, shown)
                      JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(t.sql)),
          referenced AS (SELECT c.oid, n.oid AS schema, n.nspname, t.sql, t.shown, t.read
                           FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::bool[]) AS t (sql, shown, schema_name, name, read)
                           JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema_name
                           JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name)
     SELECT w.subject, me.role, w.lack, w.remedy || ';' AS remedy FROM me CROSS JOIN LATERAL (
       SELECT pg_catalog.format('database %I', pg_catalog.current_database()) AS subject, 'lacks CREATE on' AS lack,
              pg_catalog.format('GRANT CREATE ON DATABASE %I TO %s', pg_catalog.current_database(), me.quoted) AS remedy
        WHERE NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
       UNION ALL
       SELECT pg_catalog.format('schema %I', s), 'lacks CREATE on', pg_catalog.format('GRANT CREATE ON SCHEMA %I TO %s', s, me.quoted)
         FROM unnest($1::text[]) AS s WHERE NOT pg_catalog.has_schema_privilege(s, 'CREATE')
       UNION ALL
       SELECT shown, 'does not own', pg_catalog.format('GRANT %I TO %s', owner, me.quoted)
         FROM moved WHERE NOT pg_catalog.pg_has_role(relowner, 'USAGE')
       UNION ALL
       SELECT shown, 'lacks SELECT on', pg_catalog.format('GRANT SELECT ON %s TO %s', sql, me.quoted)
         FROM moved WHERE NOT pg_catalog.has_table_privilege(oid, 'SELECT')
       UNION ALL
       SELECT DISTINCT shown, 'lacks ' || p || ' on', pg_catalog.format('GRANT %s ON %s TO %s', p, sql, me.quoted)
         FROM referenced CROSS JOIN unnest(array['SELECT', 'REFERENCES']) AS p WHERE (read OR p <> 'SELECT') AND NOT pg_catalog.has_table_privilege(oid, p)
       UNION ALL
       SELECT DISTINCT pg_catalog.format('schema %I', nspname), 'lacks USAGE on', pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %s', nspname, me.quoted)
         FROM referenced WHERE NOT pg_catalog.has_schema_privilege(schema, 'USAGE')) AS w`,
    [
      [...new Set(tables.map((table) => table.schema))],
      tables.map(quoteName),
      tables.map(displayName),
      referenced.map(({ name }) => quoteName(name)),
      referenced.map(({ name }) => displayName(name)),
      referenced.map(({ name }) => name.schema),
      referenced.map(({ name }) => name.name),
      referenced.map(({ read }) => read),
    ],
  );
  return rows;
}

/** What is missing, as findings that block. */
export function privilegeFindings(missing: readonly MissingPrivilege[]): Finding[] {
  return missing.map(({ subject, role, lack, remedy }) => ({
    severity: 'blocks',
    subject,
    message: `the connecting role ${role} ${lack} it`,
    hint: `Connect as another role, or: ${remedy}`,
  }));
}

/** @throws TD006 for the first privilege that is missing */
export async function assertPrivileges(client: Queryable, moves: readonly Touched[]): Promise<void> {
  const rows = await missingPrivileges(client, moves);
  const missing = rows[0];
  if (!missing) return;
  throw new TandemError('TD006', `The connecting role ${missing.role} ${missing.lack} ${missing.subject}.`, {
    hint: `Connect as another role, or: ${rows.map(({ remedy }) => remedy).join(' ')}`,
  });
}
