import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { quoteIdent } from '../db/identifier.ts';

const roleRow = z.object({ oid: z.number(), name: z.string(), path: z.string().nullable() });

export interface SearchPaths {
  /** Of the connecting role, as its applications have it. */
  readonly own: string;
  /** Of each role, by its OID, with its own name for `$user`. */
  of(role: number): string;
  nameOf(role: number): string;
}

/** Reads what ALTER ROLE and ALTER DATABASE have set, the most particular first. */
export async function readSearchPaths(client: Queryable): Promise<SearchPaths> {
  const { rows } = await client.query(
    `SELECT r.oid::int8::float8 AS oid, r.rolname AS name,
            (SELECT pg_catalog.substr(c.setting, pg_catalog.length('search_path=') + 1)
               FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
              WHERE s.setrole IN (r.oid, 0) AND s.setdatabase IN (0, d.oid) AND c.setting LIKE 'search\\_path=%'
              ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1) AS path
       FROM pg_catalog.pg_roles r CROSS JOIN (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) d`,
  );
  const roles = new Map(
    z
      .array(roleRow)
      .parse(rows)
      .map((role) => [role.oid, role]),
  );
  const { rows: settings } = await client.query<{ me: number; reset: string; boot: string }>(
    `SELECT reset_val AS reset, boot_val AS boot,
            (SELECT oid::int8::float8 FROM pg_catalog.pg_roles WHERE rolname = session_user) AS me
       FROM pg_catalog.pg_settings WHERE name = 'search_path'`,
  );
  const { me = 0, reset = 'public', boot = 'public' } = settings[0] ?? {};
  // What the configuration file says shows only where nothing was set for the connecting role.
  const common = roles.get(me)?.path === null ? reset : boot;
  const of = (oid: number) => {
    const role = roles.get(oid);
    return (role?.path ?? common).replaceAll(/"?\$user"?/g, () => quoteIdent(role?.name ?? 'nobody'));
  };
  return { own: of(me), of, nameOf: (oid) => roles.get(oid)?.name ?? `role ${oid}` };
}
