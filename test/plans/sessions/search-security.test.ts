import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../../src/db/sql-file.ts';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { useRoles } from '../../engine/roles.ts';
import { useDatabase } from '../../support/database.ts';
import { asRole, insertUser, migrated, refusal } from './fixtures.ts';
import { contentsFound, type SearchParameters, say, search } from './searching.ts';

const roles = useRoles({ unbound: 'NOLOGIN', bound: 'NOLOGIN' }, { per: 'suite' });
const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let ann: string;
let bob: string;
let bobsSession: string;

beforeAll(async () => {
  client = await database.connect();
  [ann, bob] = [await insertUser(client), await insertUser(client)];
  await say(client, ann, 'en', ['My cats are asleep', 'My dog is awake']);
  bobsSession = await say(client, bob, 'en', ['The cats of Bob are a secret', 'Nothing but parallelograms']);
  await client.query('SELECT private.refresh_search_words()');
});

const as = (sub: string, parameters: SearchParameters) =>
  asRole(client, 'authenticated', { setting: 'json', sub }, () => contentsFound(client, parameters));

test('users find their own messages, and nobody else’s, whatever they ask for', async () => {
  expect(await as(ann, { query: 'cats' })).toEqual(['My cats are asleep']);
  expect(await as(bob, { query: 'cats' })).toEqual(['The cats of Bob are a secret']);
  expect(await as(ann, { query: 'cats', user_id: ann })).toEqual(['My cats are asleep']);
  expect(await as(ann, { query: 'cats', user_id: bob })).toEqual([]);
  expect(await as(ann, { query: 'cats', session_id: bobsSession })).toEqual([]);
  expect(await as(ann, { query: 'secr', typing: true })).toEqual([]);
});

test('no correction tells a user what others write about', async () => {
  expect(await as(bob, { query: 'paralelograms' })).toEqual(['Nothing but parallelograms']);
  expect(await as(ann, { query: 'paralelograms' })).toEqual([]);
  const found = await asRole(client, 'authenticated', { setting: 'json', sub: ann }, () =>
    search(client, { query: 'asleepp or paralelograms' }),
  );
  expect(found.map((row) => row.correction ?? '').join()).not.toContain('parallelograms');
});

test('whoever guesses a word that others wrote is told that somebody did; with an empty vocabulary, not even that', async () => {
  const corrected = (word: string) =>
    asRole(client, 'authenticated', { setting: 'json', sub: ann }, async () => {
      await client.query(
        'INSERT INTO public.messages (session_id, user_id, content) SELECT id, user_id, $1 FROM public.sessions',
        [word],
      );
      const found = await search(client, { query: `${word.slice(0, -1)}q` });
      return found.map(({ content, correction }) => ({ content, correction }));
    });
  const word = 'parallelograms';
  expect(await corrected(word)).toEqual([{ content: word, correction: word }]);
  expect(await corrected('parallelepipeds')).toEqual([]);
  await client.query('BEGIN; TRUNCATE private.search_words');
  await client.query("SELECT set_config('request.jwt.claim.sub', $1, true)", [ann]);
  await client.query('SET LOCAL ROLE authenticated');
  await client.query(
    'INSERT INTO public.messages (session_id, user_id, content) SELECT id, user_id, $1 FROM public.sessions',
    [word],
  );
  expect(await contentsFound(client, { query: 'parallelogramq' })).toEqual([]);
  expect(await contentsFound(client, { query: word })).toEqual([word]);
  await client.query('ROLLBACK');
});

test('service_role and the owner find everybody’s, or one user’s', async () => {
  const found = (parameters: SearchParameters) =>
    asRole(client, 'service_role', null, () => contentsFound(client, parameters));
  expect((await found({ query: 'cats' })).sort()).toEqual(['My cats are asleep', 'The cats of Bob are a secret']);
  expect(await found({ query: 'cats', user_id: bob })).toEqual(['The cats of Bob are a secret']);
  expect(await contentsFound(client, { query: 'cats' })).toHaveLength(2);
});

test('a role of one’s own searches with the grants that docs/search.md gives, and with none less', async () => {
  const document = readFileSync(join(packageRoot(), 'docs/search.md'), 'utf8');
  const [, functions = ''] = /^GRANT EXECUTE ON FUNCTION (.*) TO reporting;$/m.exec(document) ?? [];
  const granted = functions.split(', ');
  await client.query(`ALTER ROLE ${roles.unbound} BYPASSRLS;
    GRANT SELECT ON public.sessions, public.messages TO ${roles.unbound}, ${roles.bound};
    CREATE POLICY all_of_it ON public.messages TO ${roles.bound} USING (true);
    GRANT USAGE ON SCHEMA auth TO ${roles.unbound}, ${roles.bound}`);
  const found = async (role: string, names: readonly string[]) => {
    await client.query('BEGIN');
    try {
      await client.query(`GRANT EXECUTE ON FUNCTION ${names.join(', ')} TO ${role}; SET LOCAL ROLE ${role}`);
      return await contentsFound(client, { query: 'cats', sort: 'newest' });
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    } finally {
      await client.query('ROLLBACK');
    }
  };
  expect(await found(roles.unbound, granted)).toEqual(['The cats of Bob are a secret', 'My cats are asleep']);
  for (const one of granted) {
    const rest = granted.filter((name) => name !== one);
    expect([one, await found(roles.unbound, rest)]).toEqual([one, SqlState.insufficientPrivilege]);
  }
  expect(await found(roles.bound, granted)).toEqual([]);
});

test('without a user in the claims nothing is found', async () => {
  expect(await asRole(client, 'authenticated', null, () => contentsFound(client, { query: 'cats' }))).toEqual([]);
  for (const claims of ['', '{}', '{"role":"authenticated"}', '{"sub":""}', '{"sub":null}']) {
    await client.query('BEGIN');
    await client.query("SELECT set_config('request.jwt.claims', $1, true)", [claims]);
    await client.query('SET LOCAL ROLE authenticated');
    expect([claims, await contentsFound(client, { query: 'cats' })]).toEqual([claims, []]);
    await client.query('ROLLBACK');
  }
});

test('a malformed subject is an error and no data', async () => {
  for (const setting of ['json', 'single'] as const) {
    const query = asRole(client, 'authenticated', { setting, sub: 'test-user-id' }, () =>
      search(client, { query: 'cats' }),
    );
    expect(await refusal(query)).toBe('22P02');
  }
});

test('anon may not search', async () => {
  const query = asRole(client, 'anon', { setting: 'json', sub: ann }, () => search(client, { query: 'cats' }));
  expect(await refusal(query)).toBe(SqlState.insufficientPrivilege);
});

describe('what stands behind it', () => {
  test.each(['anon', 'authenticated', 'service_role'] as const)('cannot be reached by %s itself', async (role) => {
    for (const call of [
      `private.search_all('cats', null, '${bob}', null, null, null, 'rank', false, false, 20, 0)`,
      `private.search('cats', '${bob}', null, null, null, null, 'rank', false, false, 20, 0)`,
      `private.search_own('cats', null, null, null, null, 'rank', false, false, 20, 0)`,
      `private.search_spellings('paralelogram')`,
    ]) {
      const query = asRole(client, role, { setting: 'json', sub: ann }, () => client.query(`SELECT ${call}`));
      expect([call, await refusal(query)]).toEqual([call, SqlState.insufficientPrivilege]);
    }
    const words = asRole(client, role, { setting: 'json', sub: ann }, () =>
      client.query('SELECT FROM private.search_words'),
    );
    expect(await refusal(words)).toBe(SqlState.insufficientPrivilege);
  });

  test('is closed function by function, too, should the schema be opened one day', async () => {
    await client.query('BEGIN');
    await client.query('GRANT USAGE ON SCHEMA private TO authenticated');
    await client.query("SELECT set_config('request.jwt.claim.sub', $1, true)", [ann]);
    await client.query('SET LOCAL ROLE authenticated');
    for (const call of [
      `private.search_all('cats', null, '${bob}', null, null, null, 'rank', false, false, 20, 0)`,
      `private.search_unbound('cats', null, '${bob}', null, null, null, 'rank', false, false, 20, 0)`,
      `private.search('cats', '${bob}', null, null, null, null, 'rank', false, false, 20, 0)`,
    ]) {
      await client.query('SAVEPOINT before');
      expect([call, await refusal(client.query(`SELECT ${call}`))]).toEqual([call, SqlState.insufficientPrivilege]);
      await client.query('ROLLBACK TO before');
    }
    const own = await client.query(
      "SELECT cardinality(private.search_own('cats', null, null, null, null, 'rank', false, false, 20, 0)) AS n",
    );
    expect(own.rows).toEqual([{ n: 1 }]);
    await client.query('ROLLBACK');
  });

  test('has its owner’s rights in two functions, each of which has a fixed search_path', async () => {
    const { rows } = await client.query(
      `SELECT proname::text AS name, proconfig::text AS config FROM pg_proc
        WHERE prosecdef AND starts_with(proname, 'search') ORDER BY 1`,
    );
    expect(rows).toEqual([
      { name: 'search_all', config: '{"search_path=pg_catalog, pg_temp"}' },
      { name: 'search_own', config: '{"search_path=pg_catalog, pg_temp"}' },
    ]);
  });

  test('is not believed: a policy that is narrower than it decides', async () => {
    await client.query('BEGIN');
    await client.query(
      `CREATE POLICY narrower ON public.messages AS RESTRICTIVE FOR SELECT TO authenticated USING (content NOT LIKE '%asleep%')`,
    );
    await client.query("SELECT set_config('request.jwt.claim.sub', $1, true)", [ann]);
    await client.query('SET LOCAL ROLE authenticated');
    expect(await contentsFound(client, { query: 'cats' })).toEqual([]);
    await client.query('ROLLBACK');
  });
});
