import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';
import { asRole, count, insertFeedback, insertMessage, insertSession, insertUser, migrated } from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let user: string;

beforeAll(async () => {
  client = await database.connect();
  user = await insertUser(client);
  for (const status of ['active', 'archived', 'deleted']) {
    const session = await insertSession(client, user, { status });
    await insertFeedback(client, await insertMessage(client, session, user));
  }
});

test('every policy is for signed-in users alone, and asks who calls once per statement', async () => {
  const { rows } = await client.query<{ table: string; roles: string; condition: string }>(
    `SELECT polrelid::regclass::text AS table, polroles::regrole[]::text AS roles,
            concat(pg_get_expr(polqual, polrelid), ' ', pg_get_expr(polwithcheck, polrelid)) AS condition FROM pg_policy`,
  );
  expect(new Set(rows.map(({ table }) => table))).toEqual(new Set(['sessions', 'messages', 'message_feedback']));
  for (const { roles, condition } of rows) {
    expect(roles).toBe('{authenticated}');
    expect(condition).toContain('( SELECT auth.uid() AS uid)');
    expect(condition.replaceAll('( SELECT auth.uid() AS uid)', '')).not.toContain('auth.uid()');
  }
});

test.each([
  ['sessions', /Index Cond: \(user_id = \(InitPlan|Index Cond: \(user_id = \$/, 3],
  ['messages', /Index Cond: \(user_id = \(InitPlan|Index Cond: \(user_id = \$/, 1],
  // By the key of the message: its own policy has found the caller's.
  ['message_feedback', /messages_user_id_created_at_idx|messages_pkey/, 1],
])('the columns of the policies on %s are indexed', async (table, expected, times) => {
  const plan = await asRole(client, 'authenticated', { setting: 'json', sub: user }, async () => {
    // With three rows, any table is read faster than by an index: the question is whether one can serve.
    await client.query('SET LOCAL enable_seqscan = off');
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN SELECT * FROM public.${table}`);
    return rows.map((row) => row['QUERY PLAN']);
  });
  expect(plan.filter((line) => expected.test(line))).toHaveLength(times);
});

test('what runs with its owner’s rights stands in the unexposed schema; all else is invoker; every search_path names pg_temp, and last', async () => {
  const { rows } = await client.query<{ name: string; schema: string; definer: boolean; pinned: boolean }>(
    `SELECT p.proname::text AS name, n.nspname::text AS schema, p.prosecdef AS definer,
            coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false) AS pinned
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('public', 'private')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`,
  );
  expect(rows.filter(({ definer }) => definer).length).toBeGreaterThan(5);
  expect(rows.filter(({ definer, schema }) => definer && schema !== 'private')).toEqual([]);
  expect(rows.filter(({ pinned }) => !pinned)).toEqual([]);
  const views = await client.query(
    "SELECT FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace AND NOT 'security_invoker=true' = ANY (coalesce(reloptions, '{}'))",
  );
  expect(views.rowCount).toBe(0);
  for (const role of ['anon', 'authenticated', 'service_role']) {
    expect(await count(client, "(SELECT WHERE has_schema_privilege($1, 'private', 'usage, create')) s", [role])).toBe(
      0,
    );
  }
});

test('with a user, every row goes that names the user, wherever it stands', async () => {
  const { rows } = await client.query<{ name: string; kind: string }>(
    `SELECT c.oid::regclass::text AS name, c.relkind::text AS kind FROM pg_class c
      WHERE c.relnamespace IN ('public'::regnamespace, 'private'::regnamespace) AND c.relkind IN ('r', 'm')`,
  );
  const feedback = 'message_feedback';
  const holding = async () => {
    await client.query('REFRESH MATERIALIZED VIEW public.session_stats');
    const found: string[] = [];
    for (const { name } of rows)
      if ((await count(client, `${name} t WHERE t::text LIKE $1`, [`%${user}%`])) > 0) found.push(name);
    return found.sort();
  };
  expect(await holding()).toEqual([
    'messages',
    'session_stats',
    'sessions_active',
    'sessions_archived',
    'sessions_deleted',
  ]);
  expect(await count(client, feedback)).toBe(3);
  await client.query('DELETE FROM auth.users WHERE id = $1', [user]);
  expect(await holding()).toEqual([]);
  for (const table of [feedback, 'private.session_keys']) expect(await count(client, table)).toBe(0);
});
