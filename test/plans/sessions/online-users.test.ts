import { expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import type { Pool } from '../../../src/db/connect.ts';
import { fewRows, flatWithRows } from '../../engine/flat-database.ts';
import { closeGate, type Place, step } from '../../engine/gate.ts';
import { useRoles } from '../../engine/roles.ts';
import { catalogOf } from '../../engine/snapshot.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { createTestDatabase, useDatabase } from '../../support/database.ts';
import { only } from './fixtures.ts';

const roles = useRoles({ signups: 'LOGIN' });
const database = useDatabase(fewRows);
const query = async <T extends Record<string, unknown>>(sql: string, values: unknown[] = []) =>
  (await database.pool.query<T>(sql, values)).rows;

/** Moments of a run at which a user goes, with all sessions and messages. */
const moments: { when: string; at: Place }[] = [
  { when: 'before the change logs', at: step('change-log', 'running') },
  { when: 'during the copy', at: { table: 'tandem.copied_range', on: 'INSERT', when: "NEW.table_name = 'messages'" } },
  { when: 'before keys are built', at: step('build', 'running') },
  {
    when: 'during the build',
    at: { table: 'tandem.moved_table', on: 'UPDATE', when: "NEW.name = 'messages' AND NEW.built = 2" },
  },
  { when: 'before the drain', at: step('drain', 'running') },
  { when: 'before the rows are compared', at: step('verify-rows', 'running') },
  { when: 'before the cutover', at: step('cutover', 'running') },
  { when: 'before the foreign keys are validated', at: step('foreign-keys', 'running') },
  { when: 'while session_stats is made', at: step('session-stats', 'done') },
];

test.each(moments)('a user is removed $when, at once, with what is theirs, and stays so', async ({ at }) => {
  const { user } = only(
    await query<{ user: string }>(
      'SELECT s.user_id AS user FROM public.sessions s JOIN public.messages m ON m.session_id = s.id GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1',
    ),
  );
  const tandem = tandemOn(database);
  const gate = await closeGate(database, at);
  const run = tandem.migrate();
  await gate.reached();
  // Whoever serves the users has no right on anything of Tandem's, and does not wait for it.
  const client = await database.connect();
  await client.query(
    `GRANT USAGE ON SCHEMA auth TO ${roles.signups}; GRANT SELECT, INSERT, DELETE ON auth.users TO ${roles.signups}`,
  );
  await client.query(`SET ROLE ${roles.signups}; SET lock_timeout = '2s'`);
  await client.query('INSERT INTO auth.users (id) VALUES (gen_random_uuid())');
  expect((await client.query('DELETE FROM auth.users WHERE id = $1', [user])).rowCount).toBe(1);
  await gate.open();
  expect(await run).toMatchObject({ phase: 'baking' });
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  expect(
    await query(
      `SELECT (SELECT count(*)::int FROM public.sessions WHERE user_id = $1) AS sessions, (SELECT count(*)::int FROM public.messages WHERE user_id = $1) AS messages,
              (SELECT count(*)::int FROM private.session_keys k WHERE NOT EXISTS (SELECT FROM public.sessions s WHERE s.id = k.id)) AS keys`,
      [user],
    ),
  ).toEqual([{ sessions: 0, messages: 0, keys: 0 }]);
});

test('while a run bakes, removing users reaches the retired tables, and a rollback does not bring theirs back', async () => {
  const tandem = tandemOn(database);
  await tandem.migrate();
  await query('DELETE FROM auth.users WHERE id IN (SELECT id FROM auth.users ORDER BY id LIMIT 5)');
  const left = await query(
    'SELECT (SELECT count(*)::int FROM public.sessions) AS sessions, (SELECT count(*)::int FROM public.messages) AS messages',
  );
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  await tandem.rollback();
  expect(
    await query(
      'SELECT (SELECT count(*)::int FROM public.sessions) AS sessions, (SELECT count(*)::int FROM public.messages) AS messages',
    ),
  ).toEqual(left);
  expect(
    await query('SELECT FROM public.sessions s WHERE NOT EXISTS (SELECT FROM auth.users u WHERE u.id = s.user_id)'),
  ).toEqual([]);
});

test('sessions of users who went while the run was open block the cutover with their names, until they are mended', async () => {
  await query(
    'ALTER TABLE public.sessions DROP CONSTRAINT sessions_user_id_fkey; ALTER TABLE public.messages DROP CONSTRAINT messages_user_id_fkey',
  );
  const tandem = tandemOn(database);
  await tandem.migrateUpTo('drain');
  await query(
    `CREATE TABLE public.gone AS SELECT id FROM auth.users ORDER BY id LIMIT 1; DELETE FROM auth.users WHERE id IN (SELECT id FROM public.gone)`,
  );
  const { id } = only(await query<{ id: string }>('SELECT id FROM public.gone'));
  const error = await tandem.migrate().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'TD030',
    exitCode: 1,
    detail: expect.stringContaining(`user_id points at no row of auth.users, for example ${id}`),
  });
  await query('DELETE FROM public.messages WHERE user_id = $1', [id]);
  await query('DELETE FROM public.sessions WHERE user_id = $1', [id]);
  expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  const keys = (await catalogOf(database.pool, ['public'])).filter((line) => line.includes('_user_id_fkey'));
  expect(keys.length).toBeGreaterThan(1);
  for (const line of keys) expect(line).toMatch(/REFERENCES auth\.users\(id\) ON DELETE CASCADE(?!.*not validated)/);
});

test('without an auth schema, --create-auth makes what the policies need; without it, nothing is done', async () => {
  const plain = await createTestDatabase({
    name: 'flat_without_auth',
    run: async (client) => {
      await flatWithRows('flat_few', { sessions: 300, messages: 2_000 }).run(client);
      await client.query('DROP SCHEMA auth CASCADE');
    },
  });
  try {
    const flat = await catalogOf(plain.pool);
    expect(
      await tandemOn(plain)
        .migrate()
        .catch((thrown: unknown) => thrown),
    ).toMatchObject({
      code: 'TD011',
      hint: expect.stringContaining('--create-auth'),
    });
    expect(catalogDifference(flat, await catalogOf(plain.pool))).toEqual([]);
    const tandem = tandemOn(plain, {}, { createAuth: true });
    // Stopped before that step, and gone on with by somebody who has forgotten the option.
    await tandem.migrateUpTo('auth');
    await expect(tandemOn(plain).migrate()).rejects.toMatchObject({
      code: 'TD011',
      message: expect.stringContaining('no auth.users'),
      hint: expect.stringContaining('--create-auth'),
    });
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await countIn(plain.pool, 'auth.users')).toBe(0);
    expect(await countIn(plain.pool, 'public.sessions')).toBe(300);
    await tandem.rollback();
    // The stand-in may be in use by now, and stays; nothing else does.
    expect(catalogDifference(flat, await catalogOf(plain.pool, ['public', 'private']))).toEqual([]);
    await tandem.migrate();
    await tandem.finish();
    expect(await tandem.verify()).toMatchObject({ ok: true, phase: 'finished', findings: [] });
  } finally {
    await plain.drop();
  }
});

async function countIn(pool: Pool, table: string): Promise<number> {
  return (await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]?.n ?? -1;
}
