import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { useDatabase } from '../../support/database.ts';
import {
  asRole,
  type Claims,
  count,
  insertFeedback,
  insertMessage,
  insertSession,
  insertUser,
  migrated,
  only,
  refusal,
} from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
const ann = { user: '', session: '', archived: '', message: '', feedback: '' };
const bob = { user: '', session: '', archived: '', message: '', feedback: '' };

beforeAll(async () => {
  client = await database.connect();
  for (const person of [ann, bob]) {
    person.user = await insertUser(client);
    person.session = await insertSession(client, person.user);
    person.archived = await insertSession(client, person.user, { status: 'archived' });
    person.message = await insertMessage(client, person.session, person.user);
    person.feedback = await insertFeedback(client, person.message);
  }
  await client.query('REFRESH MATERIALIZED VIEW public.session_stats');
});

const tables = ['sessions', 'messages', 'message_feedback'];
const settings: Claims['setting'][] = ['json', 'single'];

describe.each(settings)('a signed-in user, with the %s setting', (setting) => {
  const asAnn = <T>(work: () => Promise<T>) => asRole(client, 'authenticated', { setting, sub: ann.user }, work);

  test('sees own rows and no others', async () => {
    await asAnn(async () => {
      expect(await count(client, 'public.sessions')).toBe(2);
      expect(await count(client, 'public.sessions WHERE user_id <> $1', [ann.user])).toBe(0);
      expect(await count(client, 'public.messages')).toBe(1);
      expect(await count(client, 'public.message_feedback')).toBe(1);
      expect(await count(client, 'public.my_session_stats')).toBe(2);
    });
  });

  test('writes own rows: a whole life of a session', async () => {
    await asAnn(async () => {
      const session = await insertSession(client, ann.user);
      const message = await insertMessage(client, session, ann.user, 'x', null);
      await insertFeedback(client, message);
      await client.query("UPDATE public.sessions SET status = 'archived', language = 'de' WHERE id = $1", [session]);
      await client.query("UPDATE public.messages SET content = 'y' WHERE id = $1", [message]);
      await client.query("UPDATE public.message_feedback SET comment = 'z' WHERE message_id = $1", [message]);
      expect(
        await count(client, "public.messages WHERE id = $1 AND language = 'de' AND content = 'y'", [message]),
      ).toBe(1);
      expect((await client.query('DELETE FROM public.sessions WHERE id = $1', [session])).rowCount).toBe(1);
      expect(await count(client, 'public.messages WHERE id = $1', [message])).toBe(0);
    });
  });

  test('changes nothing of somebody else', async () => {
    await asAnn(async () => {
      for (const [table, id] of [
        ['sessions', bob.session],
        ['messages', bob.message],
        ['message_feedback', bob.feedback],
      ]) {
        expect((await client.query(`UPDATE public.${table} SET created_at = now() WHERE id = $1`, [id])).rowCount).toBe(
          0,
        );
        expect((await client.query(`DELETE FROM public.${table} WHERE id = $1`, [id])).rowCount).toBe(0);
      }
    });
  });

  test.each<[string, () => Promise<unknown>]>([
    ["insert somebody else's session", () => insertSession(client, bob.user)],
    ["insert a message into somebody else's session", () => insertMessage(client, bob.session, ann.user)],
    ["insert a message in somebody else's name", () => insertMessage(client, ann.session, bob.user)],
    ["insert feedback on somebody else's message", () => insertFeedback(client, bob.message)],
    [
      'hand a session over',
      () => client.query('UPDATE public.sessions SET user_id = $2 WHERE id = $1', [ann.session, bob.user]),
    ],
    [
      'hand a session over while it moves',
      () =>
        client.query("UPDATE public.sessions SET user_id = $2, status = 'deleted' WHERE id = $1", [
          ann.session,
          bob.user,
        ]),
    ],
    [
      'hand a message over',
      () => client.query('UPDATE public.messages SET user_id = $2 WHERE id = $1', [ann.message, bob.user]),
    ],
    [
      "move a message into somebody else's session",
      () => client.query('UPDATE public.messages SET session_id = $2 WHERE id = $1', [ann.message, bob.session]),
    ],
    [
      "move feedback to somebody else's message",
      () =>
        client.query('UPDATE public.message_feedback SET message_id = $2 WHERE id = $1', [ann.feedback, bob.message]),
    ],
    ['read a partition', () => client.query('SELECT FROM public.sessions_active')],
    [
      'write to a partition',
      () =>
        client.query("INSERT INTO public.sessions_active (user_id, language, level) VALUES ($1, 'en', 'beginner')", [
          ann.user,
        ]),
    ],
    ['read the statistics of all', () => client.query('SELECT FROM public.session_stats')],
    ['read the registry', () => client.query('SELECT FROM private.session_keys')],
    ['write to the registry', () => client.query('DELETE FROM private.session_keys')],
    ['call a helper', () => client.query('SELECT private.my_session_stats()')],
    ['empty a table', () => client.query('TRUNCATE public.messages CASCADE')],
    ['refresh the statistics', () => client.query('REFRESH MATERIALIZED VIEW public.session_stats')],
  ])('may not %s', async (_, attempt) => {
    expect(await asAnn(() => refusal(attempt()))).toBe(SqlState.insufficientPrivilege);
  });

  test('learns nothing of an id that somebody else has', async () => {
    await asAnn(async () => {
      await client.query('SAVEPOINT s');
      // As with the flat table: the key itself is taken. Nothing but that is told.
      expect(await refusal(insertSession(client, ann.user, { id: bob.session }))).toBe(SqlState.uniqueViolation);
      await client.query('ROLLBACK TO s');
      await client.query('SET CONSTRAINTS ALL IMMEDIATE');
      expect(await refusal(insertSession(client, ann.user, { id: bob.session, status: 'deleted' }))).toBe(
        SqlState.foreignKeyViolation,
      );
    });
    expect(
      only((await client.query('SELECT status::text FROM private.session_keys WHERE id = $1', [bob.session])).rows),
    ).toEqual({ status: 'active' });
  });
});

describe('without a subject', () => {
  test('a signed-in role sees no row and writes none', async () => {
    await asRole(client, 'authenticated', null, async () => {
      for (const table of [...tables, 'my_session_stats']) expect(await count(client, `public.${table}`)).toBe(0);
      expect(await refusal(insertSession(client, ann.user))).toBe(SqlState.insufficientPrivilege);
    });
  });

  test.each(settings)('a subject that is no uuid is an error and not a stranger (%s)', async (setting) => {
    const attempt = () => refusal(client.query('SELECT FROM public.sessions'));
    expect(await asRole(client, 'authenticated', { setting, sub: 'test-user-id' }, attempt)).toBe('22P02');
  });

  test('an empty subject is none', async () => {
    for (const setting of settings) {
      expect(await asRole(client, 'authenticated', { setting, sub: '' }, () => count(client, 'public.sessions'))).toBe(
        0,
      );
    }
  });
});

describe('anon', () => {
  test.each([
    ...tables,
    'sessions_active',
    'sessions_archived',
    'sessions_deleted',
    'session_stats',
    'my_session_stats',
  ])('may not read %s', async (table) => {
    const claims: Claims = { setting: 'json', sub: ann.user };
    expect(await asRole(client, 'anon', claims, () => refusal(client.query(`SELECT FROM public.${table}`)))).toBe(
      SqlState.insufficientPrivilege,
    );
  });

  test('may neither write nor search', async () => {
    const attempts = [
      () => insertSession(client, ann.user),
      () => insertMessage(client, ann.session, ann.user),
      () => client.query("SELECT public.search_messages('hello')"),
      () => client.query('SELECT FROM private.session_keys'),
    ];
    for (const attempt of attempts)
      expect(await asRole(client, 'anon', null, () => refusal(attempt()))).toBe(SqlState.insufficientPrivilege);
  });
});

test('service_role reads and writes everything, row security or not', async () => {
  await asRole(client, 'service_role', null, async () => {
    expect(await count(client, 'public.sessions')).toBe(4);
    expect(await count(client, "public.sessions WHERE status = 'archived'")).toBe(2);
    expect(await count(client, 'public.session_stats')).toBe(4);
    const session = await insertSession(client, bob.user);
    await insertFeedback(client, await insertMessage(client, session, bob.user));
    await client.query("UPDATE public.sessions SET status = 'deleted' WHERE id = $1", [session]);
    await client.query('DELETE FROM public.sessions WHERE id = $1', [session]);
  });
});

test('row security is on wherever a row of a user stands', async () => {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class c
      WHERE c.relnamespace IN ('public'::regnamespace, 'private'::regnamespace) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity`,
  );
  expect(rows).toEqual([]);
});

test('PUBLIC executes nothing but what the generated column needs', async () => {
  const { rows } = await client.query<{ name: string }>(
    `SELECT p.proname::text AS name FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      WHERE p.pronamespace IN ('public'::regnamespace, 'private'::regnamespace) AND a.grantee = 0
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`,
  );
  expect(rows).toEqual([{ name: 'to_search' }]);
});
