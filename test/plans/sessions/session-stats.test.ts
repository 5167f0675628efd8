import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { useDatabase } from '../../support/database.ts';
import {
  asRole,
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
let user: string;

beforeEach(async () => {
  client ??= await database.connect();
  user = await insertUser(client);
});

const refresh = async () => {
  await client.query('SELECT private.fold_session_changes()');
  await client.query('REFRESH MATERIALIZED VIEW CONCURRENTLY public.session_stats');
};
const statsOf = async (id: string) =>
  (await client.query('SELECT * FROM public.session_stats WHERE user_id = $1 ORDER BY status', [id])).rows;

describe('session_stats', () => {
  test('can be refreshed concurrently from the start', async () => {
    await refresh();
    expect(await statsOf(user)).toEqual([]);
  });

  test('counts sessions and messages once each, whatever hangs on them', async () => {
    const [a, b] = [await insertSession(client, user), await insertSession(client, user)];
    const old = await insertSession(client, user, { status: 'archived' });
    for (const type of ['text', 'text', 'audio', 'system']) {
      await client.query(
        'INSERT INTO public.messages (session_id, user_id, type, content) VALUES ($1, $2, $3::text, $4)',
        [a, user, type, 'x'],
      );
    }
    const [m1, m2] = [await insertMessage(client, b, user), await insertMessage(client, b, user)];
    await insertMessage(client, old, user);
    // Three feedbacks on two messages of one session, and one without a score: 10, 20, 90 average 40, not 52.5.
    for (const [message, score] of [
      [m1, 10],
      [m1, 20],
      [m2, 90],
      [m2, null],
    ] as const)
      await insertFeedback(client, message, score);
    await refresh();
    expect(await statsOf(user)).toMatchObject([
      {
        status: 'active',
        sessions: '2',
        messages: '6',
        text_messages: '4',
        audio_messages: '1',
        system_messages: '1',
        average_overall_score: '40.00',
        average_grammar_score: null,
        average_fluency_score: null,
      },
      {
        status: 'archived',
        sessions: '1',
        messages: '1',
        text_messages: '1',
        audio_messages: '0',
        average_overall_score: null,
      },
    ]);
  });

  test('tells the first and the last activity, of sessions and messages', async () => {
    const session = await insertSession(client, user);
    await client.query(
      "UPDATE public.sessions SET created_at = '2020-01-02', last_accessed = '2020-01-03' WHERE id = $1",
      [session],
    );
    const message = await insertMessage(client, session, user);
    await client.query("UPDATE public.messages SET created_at = '2020-01-05' WHERE id = $1", [message]);
    await refresh();
    const { rows } = await client.query(
      'SELECT first_activity::date::text AS first, last_activity::date::text AS last FROM public.session_stats WHERE user_id = $1',
      [user],
    );
    expect(rows).toEqual([{ first: '2020-01-02', last: '2020-01-05' }]);
  });

  test('has a user without messages, and shows everybody their own rows only', async () => {
    const other = await insertUser(client);
    await insertSession(client, user);
    await insertSession(client, other, { status: 'deleted' });
    await refresh();
    for (const setting of ['json', 'single'] as const) {
      await asRole(client, 'authenticated', { setting, sub: user }, async () => {
        const { rows } = await client.query('SELECT status, sessions, messages FROM public.my_session_stats');
        expect(rows).toEqual([{ status: 'active', sessions: '1', messages: '0' }]);
      });
    }
  });
});

describe('my_session_stats', () => {
  const own = (id: string) =>
    asRole(client, 'authenticated', { setting: 'json', sub: id }, async () => {
      const { rows } = await client.query(
        `SELECT status, sessions::int, messages::int, audio_messages::int AS audio, average_overall_score::float8 AS score,
                last_activity > now() + interval '1 hour' AS later FROM public.my_session_stats ORDER BY status`,
      );
      return rows;
    });

  test('is exact at once: before a fold, after it, and after what has to be counted anew', async () => {
    const session = await insertSession(client, user);
    const expected = { status: 'active', sessions: 1, messages: 1, audio: 0, score: 60, later: false };
    const message = await insertMessage(client, session, user);
    await insertFeedback(client, message, 60);
    expect(await own(user)).toEqual([expected]);
    await client.query('SELECT private.fold_session_changes()');
    expect(await own(user)).toEqual([expected]);

    await client.query(
      "UPDATE public.messages SET type = 'audio', created_at = now() + interval '1 day' WHERE id = $1",
      [message],
    );
    expect(await own(user)).toEqual([{ ...expected, audio: 1, later: true }]);
    await client.query("UPDATE public.sessions SET status = 'archived' WHERE id = $1", [session]);
    expect(await own(user)).toEqual([{ ...expected, status: 'archived', audio: 1, later: true }]);
    await client.query('DELETE FROM public.messages WHERE id = $1', [message]);
    expect(await own(user)).toEqual([{ ...expected, status: 'archived', messages: 0, score: null }]);
    await client.query('INSERT INTO private.session_changes (recount) VALUES (true)');
    expect(await own(user)).toEqual([{ ...expected, status: 'archived', messages: 0, score: null }]);
    await client.query('DELETE FROM public.sessions WHERE id = $1', [session]);
    expect(await own(user)).toEqual([]);
  });

  test('says what session_stats says after a refresh, column by column, and nothing of anybody else', async () => {
    const other = await insertUser(client);
    for (const who of [user, other])
      for (const status of ['active', 'archived', 'deleted']) {
        const session = await insertSession(client, who, { status });
        for (let i = 1; i < 4; i++)
          await insertFeedback(client, await insertMessage(client, session, who, 'x', i), i * 7);
      }
    await refresh();
    const { rows: all } = await client.query('SELECT * FROM public.session_stats WHERE user_id = $1 ORDER BY status', [
      user,
    ]);
    const mine = await asRole(client, 'authenticated', { setting: 'json', sub: user }, async () => {
      return (await client.query('SELECT * FROM public.my_session_stats ORDER BY status')).rows;
    });
    expect(mine.map((row) => ({ user_id: user, ...row }))).toEqual(all);
    expect(all).toHaveLength(3);
  });

  test('in a transaction, shows what it wrote itself', async () => {
    const session = await insertSession(client, user);
    await asRole(client, 'authenticated', { setting: 'json', sub: user }, async () => {
      await client.query("INSERT INTO public.messages (session_id, user_id, content) VALUES ($1, $2, 'x')", [
        session,
        user,
      ]);
      const { rows } = await client.query('SELECT messages::int FROM public.my_session_stats');
      expect(rows).toEqual([{ messages: 1 }]);
    });
    expect(await own(user)).toMatchObject([{ messages: 0 }]);
  });
});

describe('message_feedback', () => {
  const scores = ['overall', 'grammar', 'vocabulary', 'fluency', 'pronunciation'];

  test.each(scores)('takes a %s score from 0 to 100 or none, and says which check refused another', async (score) => {
    const message = await insertMessage(client, await insertSession(client, user), user);
    const insert = (value: number | null) =>
      client.query(`INSERT INTO public.message_feedback (message_id, ${score}_score) VALUES ($1, $2)`, [
        message,
        value,
      ]);
    for (const value of [0, 100, null]) await insert(value);
    for (const value of [-1, 101]) {
      await expect(insert(value)).rejects.toMatchObject({
        code: '23514',
        constraint: `message_feedback_${score}_score_check`,
      });
    }
    expect(await count(client, 'public.message_feedback WHERE message_id = $1', [message])).toBe(3);
  });

  test('needs a message', async () => {
    expect(await refusal(insertFeedback(client, user))).toBe(SqlState.foreignKeyViolation);
  });

  test('keeps comment and corrections as they are', async () => {
    const message = await insertMessage(client, await insertSession(client, user), user);
    const corrections = [{ from: 'has went', to: 'went', "it's": null }];
    await client.query('INSERT INTO public.message_feedback (message_id, comment, corrections) VALUES ($1, $2, $3)', [
      message,
      '¡Bien!',
      JSON.stringify(corrections),
    ]);
    const { rows } = await client.query(
      'SELECT comment, corrections FROM public.message_feedback WHERE message_id = $1',
      [message],
    );
    expect(only(rows)).toEqual({ comment: '¡Bien!', corrections });
  });
});
