import { beforeEach } from 'vitest';
import { quoteIdent } from '../../src/db/identifier.ts';
import { urlAs, useRoles } from '../engine/roles.ts';
import { renderedTemplate, runMigrationFiles } from '../plans/sessions/fixtures.ts';
import { type Setup, type TestDatabase, useDatabase } from '../support/database.ts';
import { withClient } from '../support/template.ts';
import { supabasesUid } from './auth-uid.ts';

/** A database as a hosted project's is before the application has made anything. */
export interface Hosted {
  readonly database: TestDatabase;
  /** The URL of the role that stands for a project's `postgres`: no superuser. */
  readonly url: string;
  /** Runs SQL as that role. */
  query(sql: string): Promise<void>;
}

/**
 * A plain server's database with what a project of Supabase's has: `postgres` may create roles and databases and passes
 * row security, but is no superuser; `auth` belongs to somebody else, and `postgres` may use its tables; extensions have a schema
 * of their own; and whatever is made in `public` is open to the API roles by default.
 */
export function useHosted(setup: Setup = emptyProject): Hosted {
  const roles = useRoles({
    postgres: 'LOGIN CREATEROLE CREATEDB BYPASSRLS REPLICATION',
    auth_admin: 'NOLOGIN CREATEROLE NOINHERIT',
  });
  const database = useDatabase(setup);
  beforeEach(async () => {
    const [owner, authAdmin] = [quoteIdent(roles.postgres), quoteIdent(roles.auth_admin)];
    await withClient(database.url, (admin) =>
      admin.query(`
        ALTER DATABASE ${quoteIdent(new URL(database.url).pathname.slice(1))} OWNER TO ${owner};
        GRANT anon, authenticated, service_role TO ${owner};
        ${supabasesUid};
        ALTER SCHEMA auth OWNER TO ${authAdmin}; ALTER TABLE auth.users OWNER TO ${authAdmin}; ALTER FUNCTION auth.uid() OWNER TO ${authAdmin};
        GRANT USAGE ON SCHEMA auth TO ${owner}; GRANT ALL ON auth.users TO ${owner}; GRANT EXECUTE ON FUNCTION auth.uid() TO ${owner};
        CREATE SCHEMA extensions AUTHORIZATION ${owner}; GRANT USAGE ON SCHEMA extensions TO anon, authenticated, service_role;
        ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
        ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
        ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
        CREATE PUBLICATION supabase_realtime; ALTER PUBLICATION supabase_realtime OWNER TO ${owner}`),
    );
  });
  return {
    database,
    get url() {
      return urlAs(database.url, roles.postgres);
    },
    query: (sql) => withClient(urlAs(database.url, roles.postgres), async (client) => void (await client.query(sql))),
  };
}

/** The API roles and `auth`: the stand-in's, whose names are Supabase's. */
const emptyProject: Setup = {
  name: 'supabase_project',
  run: async (client) => {
    await client.query(renderedTemplate('auth-stand-in'));
  },
};

/** The end state beside a schema for extensions, by the files. */
export const migratedProject: Setup = {
  name: 'supabase_migrated',
  run: async (client) => {
    await client.query('CREATE SCHEMA extensions');
    await runMigrationFiles(client);
  },
};
