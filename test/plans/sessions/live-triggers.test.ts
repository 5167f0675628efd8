import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import { placeholders, sessionsNames } from '../../../plans/sessions/names.ts';
import { readSqlFile, renderSql } from '../../../src/db/sql-file.ts';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { useDatabase } from '../../support/database.ts';
import { count, insertMessage, insertSession, insertUser, migrated, only, refusal } from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let user: string;

beforeEach(async () => {
  client ??= await database.connect();
  user = await insertUser(client);
});

const languages = async (sessionId: string) =>
  (
    await client.query<{ l: string }>(
      'SELECT DISTINCT language::text AS l FROM public.messages WHERE session_id = $1',
      [sessionId],
    )
  ).rows.map((r) => r.l);
const numbers = async (sessionId: string) =>
  (
    await client.query<{ n: number }>(
      'SELECT sequence_number AS n FROM public.messages WHERE session_id = $1 ORDER BY 1',
      [sessionId],
    )
  ).rows.map((r) => r.n);

describe('the language of a message', () => {
  test('is that of its session, whatever the application says or leaves out', async () => {
    const session = await insertSession(client, user, { language: 'fr' });
    await insertMessage(client, session, user);
    await client.query(
      "INSERT INTO public.messages (session_id, user_id, sequence_number, content, language) VALUES ($1, $2, 2, 'x', 'de')",
      [session, user],
    );
    expect(await languages(session)).toEqual(['fr']);
  });

  test('cannot be changed by itself', async () => {
    const session = await insertSession(client, user, { language: 'fr' });
    await insertMessage(client, session, user);
    await client.query("UPDATE public.messages SET language = 'de' WHERE session_id = $1", [session]);
    expect(await languages(session)).toEqual(['fr']);
  });

  test.each([
    ['alone', "language = 'es'"],
    ['together with the status', "language = 'es', status = 'archived'"],
    ['together with an update of the status to what it is', "language = 'es', status = 'active'"],
  ])('follows its session whose language changes %s', async (_, change) => {
    const session = await insertSession(client, user);
    for (let i = 1; i <= 3; i++) await insertMessage(client, session, user, 'Los gatos corren', i);
    const untouched = await insertSession(client, user);
    await insertMessage(client, untouched, user);
    await client.query(`UPDATE public.sessions SET ${change} WHERE id = $1`, [session]);
    expect([await languages(session), await languages(untouched)]).toEqual([['es'], ['en']]);
    const { rows } = await client.query(
      'SELECT DISTINCT content_search::text AS words FROM public.messages WHERE session_id = $1',
      [session],
    );
    expect(rows).toEqual([{ words: "'corr':3 'gat':2" }]);
  });

  test('is written once: a session that is updated without a change of language touches no message', async () => {
    const session = await insertSession(client, user);
    const message = await insertMessage(client, session, user);
    const version = async () =>
      only((await client.query('SELECT xmin, ctid FROM public.messages WHERE id = $1', [message])).rows);
    const before = await version();
    await client.query("UPDATE public.sessions SET language = 'en', title = 'other' WHERE id = $1", [session]);
    expect(await version()).toEqual(before);
  });

  test('is that of the session into which the message is moved', async () => {
    const [from, to] = [
      await insertSession(client, user),
      await insertSession(client, user, { language: 'de', status: 'archived' }),
    ];
    const message = await insertMessage(client, from, user);
    await client.query('UPDATE public.messages SET session_id = $2 WHERE id = $1', [message, to]);
    expect(await languages(to)).toEqual(['de']);
  });

  test('reaches a message that was being written when the session changed', async () => {
    const session = await insertSession(client, user);
    const [writer, changer] = [await database.connect(), await database.connect()];
    await writer.query('BEGIN');
    await insertMessage(writer, session, user);
    const change = changer.query("UPDATE public.sessions SET language = 'de' WHERE id = $1", [session]);
    await writer.query('COMMIT');
    await change;
    expect(await languages(session)).toEqual(['de']);
  });

  test('is the new one for a message that waited for the change', async () => {
    const session = await insertSession(client, user);
    const [writer, changer] = [await database.connect(), await database.connect()];
    await changer.query('BEGIN');
    await changer.query("UPDATE public.sessions SET language = 'de', status = 'archived' WHERE id = $1", [session]);
    const written = insertMessage(writer, session, user);
    await changer.query('COMMIT');
    await written;
    expect(await languages(session)).toEqual(['de']);
  });

  test('does not hide the missing session: the foreign key speaks', async () => {
    expect(await refusal(insertMessage(client, randomUUID(), user))).toBe(SqlState.foreignKeyViolation);
    expect(await refusal(insertMessage(client, randomUUID(), user, 'x', null))).toBe(SqlState.foreignKeyViolation);
  });
});

describe('the number of a message', () => {
  test('is kept where the application brings one', async () => {
    const session = await insertSession(client, user);
    for (const number of [7, 7, 3]) await insertMessage(client, session, user, 'x', number);
    expect(await numbers(session)).toEqual([3, 7, 7]);
  });

  test('is the next one of its session where there is none, also for several rows of one statement', async () => {
    const [session, other] = [await insertSession(client, user), await insertSession(client, user)];
    await insertMessage(client, session, user, 'x', null);
    await insertMessage(client, session, user, 'x', 10);
    await client.query(
      "INSERT INTO public.messages (session_id, user_id, content) SELECT s, $2, 'x' FROM unnest($1::uuid[]) s, generate_series(1, 3)",
      [[session, other], user],
    );
    expect([await numbers(session), await numbers(other)]).toEqual([
      [1, 10, 11, 12, 13],
      [1, 2, 3],
    ]);
  });

  test('is given once, whoever writes at the same time', async () => {
    const session = await insertSession(client, user);
    const clients = await Promise.all(Array.from({ length: 4 }, () => database.connect()));
    await Promise.all(
      clients.map(async (c) => {
        for (let i = 0; i < 10; i++) await insertMessage(c, session, user, 'x', null);
      }),
    );
    expect(await numbers(session)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  test('does not keep writers waiting who bring their own', async () => {
    const session = await insertSession(client, user);
    const other = await database.connect();
    await client.query('BEGIN');
    await insertMessage(client, session, user, 'x', null);
    await other.query("SET lock_timeout = '2s'");
    await insertMessage(other, session, user, 'x', 5);
    await client.query('ROLLBACK');
    expect(await numbers(session)).toEqual([5]);
  });
});

test.each(['en', 'es', 'fr', 'de'])(
  'a message of any length is accepted in %s, and its beginning is indexed',
  async (language) => {
    const session = await insertSession(client, user, { language });
    for (const unit of ['a-b ', '𝒜-ℬ', 'ü%i ', 'x%i-y%i-z%i/q%i.com ', '%i ', 'é%iïbción ']) {
      const { rows } = await client.query<{ size: number }>(
        `INSERT INTO public.messages (session_id, user_id, content)
       SELECT $1, $2, string_agg(replace($3, '%i', i::text), '') FROM generate_series(1, 300000) i
       RETURNING length(content_search) AS size`,
        [session, user, unit],
      );
      expect(only(rows).size).toBeGreaterThan(0);
    }
  },
);

test('an application that still says text writes as before', async () => {
  const statement = {
    name: 'old',
    text: 'INSERT INTO public.sessions (id, user_id, language, level, status) VALUES ($1, $2, $3::text, $4::text, $5::text)',
  };
  await client.query({ ...statement, values: [randomUUID(), user, 'en', 'advanced', 'archived'] });
  expect(await refusal(client.query({ ...statement, values: [randomUUID(), user, 'it', 'advanced', 'active'] }))).toBe(
    '22P02',
  );
});

test('live-triggers-revert takes all of it away, and can run twice', async () => {
  const names = placeholders(sessionsNames(sessionsConfigSchema.parse({})), 'live');
  const render = (file: string) => renderSql(readSqlFile(`plans/sessions/sql/${file}.sql`), names);
  await client.query('BEGIN');
  await client.query(render('live-triggers-revert'));
  await client.query(render('live-triggers-revert'));
  expect(
    await count(
      client,
      "pg_trigger WHERE NOT tgisinternal AND (tgname LIKE 'message%' OR tgname IN ('session_key_guard', 'session_keys_truncate'))",
    ),
  ).toBe(0);
  await client.query(render('live-triggers'));
  await client.query('ROLLBACK');
});
