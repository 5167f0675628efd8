import type { Queryable } from '../../../src/db/connect.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { Finding } from '../../../src/engine/events.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { SessionsNames } from '../names.ts';
import { planStatements } from '../templates.ts';

/** The roles, auth.users and auth.uid() of Supabase, which the policies need: found, or stood in for when asked to. */
export function authStep(names: SessionsNames): Step {
  return {
    name: 'auth',
    guide: '8',
    title: 'Find the roles and auth.uid() that the policies name',
    phase: 'preparing',
    check: async ({ client, options }) => {
      const missing = await missingParts(client);
      if (missing.length === 0 || options.createAuth) return [];
      return [{ severity: 'blocks', subject: 'auth', message: `this database has ${without(missing)}`, hint: HINT }];
    },
    plan: async ({ client, options }) =>
      options.createAuth && (await missingParts(client)).length > 0
        ? planStatements('auth-stand-in', names, 'live').map((sql) => ({ sql, lock: null, cost: 'catalog only' }))
        : [],
    apply: async ({ pool, options }) => {
      const missing = await missingParts(pool);
      if (missing.length === 0) return 'present';
      // A run that began with the option, and was stopped before it came here, may go on without.
      if (!options.createAuth) throw new TandemError('TD011', `This database has ${without(missing)}.`, { hint: HINT });
      for (const sql of planStatements('auth-stand-in', names, 'live')) await pool.query(sql);
      return `created a stand-in for ${missing.join(', ')}`;
    },
    verify: async ({ pool }) => {
      const missing = await missingParts(pool);
      const findings: Finding[] = missing.map((what) => ({
        severity: 'blocks',
        subject: 'auth',
        message: `there is no ${what}`,
      }));
      return findings;
    },
    // Roles belong to the whole server, and auth.users may have been put to use since: what others may hold on to stays.
    revert: 'nothing to revert',
  };
}

const HINT =
  'On Supabase they exist. On a plain PostgreSQL, --create-auth creates a minimal stand-in for what is missing.';

const without = (missing: readonly string[]) =>
  `no ${missing.join(', no ')}, which the guide's row security is written for`;

async function missingParts(client: Queryable): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    // By the catalog's own tables, which need no privilege on the schema.
    `WITH auth AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'auth')
     SELECT w.what FROM (VALUES ('auth.users', EXISTS (SELECT FROM pg_catalog.pg_class c JOIN auth ON c.relnamespace = auth.oid WHERE c.relname = 'users')),
                                ('auth.uid()', EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN auth ON p.pronamespace = auth.oid WHERE p.proname = 'uid' AND p.pronargs = 0)),
                                ('role anon', pg_catalog.to_regrole('anon') IS NOT NULL),
                                ('role authenticated', pg_catalog.to_regrole('authenticated') IS NOT NULL),
                                ('role service_role', pg_catalog.to_regrole('service_role') IS NOT NULL)) AS w (what, there)
      WHERE NOT w.there`,
  );
  return rows.map((row) => row.what);
}
