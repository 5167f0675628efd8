import type { Queryable } from '../../src/db/connect.ts';
import type { Finding } from '../../src/engine/events.ts';
import { migrationFileNames } from './migration-files.ts';

/** Where the Supabase CLI notes which migrations a database has. */
export const HISTORY = 'supabase_migrations.schema_migrations';

/** `20240101000000_phase1_improvements.sql`: its version, and its name without it. */
export const migrations = migrationFileNames.map((file) => ({
  file,
  version: file.slice(0, 14),
  name: file.slice(15, -'.sql'.length),
}));

/** Versions that the CLI has noted; null where it has never pushed to this database. */
export async function appliedVersions(client: Queryable): Promise<string[] | null> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = 'supabase_migrations' AND c.relname = 'schema_migrations'
                AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')) AS there`,
  );
  if (rows[0]?.there !== true) return null;
  const applied = await client.query<{ version: string }>(`SELECT version::text AS version FROM ${HISTORY} ORDER BY 1`);
  return applied.rows.map(({ version }) => version);
}

/** The project has migrations that are later than the guide's: its CLI does not take earlier ones by itself. */
export async function laterMigrations(client: Queryable): Promise<Finding[]> {
  const applied = await appliedVersions(client);
  const newest = applied?.at(-1);
  const last = migrations.at(-1)?.version ?? '';
  if (applied === null || newest === undefined || newest <= last) return [];
  if (migrations.every(({ version }) => applied.includes(version))) return [];
  return [
    {
      severity: 'note',
      subject: 'supabase',
      message: `this project's newest migration, ${newest}, is later than the guide's files, which end with ${last}`,
      hint: 'With the files in its folder, `supabase db push` wants --include-all. docs/supabase.md says what that means for a fresh copy of the project.',
    },
  ];
}

export async function mayWriteHistory(client: Queryable): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    "SELECT pg_catalog.has_table_privilege($1::regclass, 'INSERT') AND pg_catalog.has_table_privilege($1::regclass, 'DELETE') AS may",
    [HISTORY],
  );
  return rows[0]?.may === true;
}
