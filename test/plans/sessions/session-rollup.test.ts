import { randomUUID } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { beforeEach, describe, expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';
import { count, insertFeedback, insertMessage, insertSession, insertUser, migrated } from './fixtures.ts';
import { expectExact, expectFolded, fold, queue } from './rollup.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let user: string;
let session: string;
let other: string;
let message: string;
let feedback: string;

beforeEach(async () => {
  client ??= await database.connect();
  await client.query('RESET session_replication_role; TRUNCATE public.sessions, public.messages CASCADE');
  user = await insertUser(client);
  session = await insertSession(client, user);
  other = await insertSession(client, user);
  message = await insertMessage(client, session, user);
  for (const number of [2, 3]) await insertMessage(client, session, user, 'Hello', number);
  feedback = await insertFeedback(client, message, 70);
  await fold(client);
  await expectFolded(client);
});

const run = (sql: string) =>
  client.query(
    sql
      .replaceAll(':user', `'${user}'`)
      .replaceAll(':session', `'${session}'`)
      .replaceAll(':other', `'${other}'`)
      .replaceAll(':message', `'${message}'`)
      .replaceAll(':feedback', `'${feedback}'`),
  );

const INSERT = 'INSERT INTO public.messages (session_id, user_id, sequence_number, content';

// What a statement leaves in the queue: for each session it concerns, whether it must be counted anew.
const statements: { what: string; sql: string; entries: ('delta' | 'recount' | 'all')[] }[] = [
  { what: 'a message', sql: `${INSERT}) VALUES (:session, :user, 4, 'x')`, entries: ['delta'] },
  {
    what: 'messages of two sessions and three types, one of them the earliest',
    sql: `${INSERT}, type, created_at) VALUES (:session, :user, 4, 'x', 'audio', '2001-01-01'), (:session, :user, 5, 'x', 'system', now()),
          (:other, :user, 1, 'x', 'text', now())`,
    entries: ['delta', 'delta'],
  },
  {
    what: 'a statement that inserts nothing',
    sql: `${INSERT}) SELECT :session, :user, 4, 'x' WHERE false`,
    entries: [],
  },
  {
    what: 'an upsert that inserts one and updates one',
    sql: `${INSERT}, id, type) VALUES (:session, :user, 4, 'x', gen_random_uuid(), 'text'), (:session, :user, 1, 'x', :message, 'text')
          ON CONFLICT (id) DO UPDATE SET type = 'audio'`,
    entries: ['delta', 'delta'],
  },
  {
    what: 'an upsert that does nothing',
    sql: `${INSERT}, id) VALUES (:session, :user, 1, 'x', :message) ON CONFLICT (id) DO NOTHING`,
    entries: [],
  },
  { what: 'an edited message', sql: "UPDATE public.messages SET content = 'edited'", entries: [] },
  { what: 'a changed type', sql: "UPDATE public.messages SET type = 'system' WHERE id = :message", entries: ['delta'] },
  {
    what: 'a changed time',
    sql: "UPDATE public.messages SET created_at = '2001-01-01' WHERE id = :message",
    entries: ['recount'],
  },
  {
    what: 'a moved message with its feedback',
    sql: 'UPDATE public.messages SET session_id = :other WHERE id = :message',
    entries: ['recount', 'recount'],
  },
  {
    what: 'two messages that change places',
    sql: `WITH there AS (${INSERT}) VALUES (:other, :user, 1, 'x') RETURNING id) SELECT FROM there;
          UPDATE public.messages m SET session_id = CASE m.session_id WHEN :session THEN :other::uuid ELSE :session::uuid END
           WHERE id = :message OR session_id = :other`,
    entries: ['delta', 'recount', 'recount'],
  },
  {
    what: 'messages that change their keys',
    sql: 'DELETE FROM public.message_feedback; UPDATE public.messages SET id = gen_random_uuid()',
    entries: ['delta', 'recount'],
  },
  { what: 'a deleted message', sql: 'DELETE FROM public.messages WHERE id = :message', entries: ['recount'] },
  {
    what: 'all messages of a session deleted',
    sql: 'DELETE FROM public.messages WHERE session_id = :session',
    entries: ['recount'],
  },
  { what: 'a deleted session', sql: 'DELETE FROM public.sessions WHERE id = :session', entries: ['recount'] },
  { what: 'a deleted user', sql: 'DELETE FROM auth.users WHERE id = :user', entries: ['recount'] },
  {
    what: 'a session that is archived',
    sql: "UPDATE public.sessions SET status = 'archived' WHERE id = :session",
    entries: [],
  },
  {
    what: 'a session in another language, whose messages are written anew',
    sql: "UPDATE public.sessions SET language = 'fr' WHERE id = :session",
    entries: [],
  },
  { what: 'a session that is used', sql: 'UPDATE public.sessions SET last_accessed = now()', entries: [] },
  {
    what: 'feedback, with scores and without',
    sql: `INSERT INTO public.message_feedback (message_id, overall_score, grammar_score, vocabulary_score, fluency_score, pronunciation_score)
          VALUES (:message, 1, 2, 3, 4, 5), (:message, NULL, 100, NULL, 0, NULL), (:message, NULL, NULL, NULL, NULL, NULL)`,
    entries: ['delta'],
  },
  {
    what: 'a changed score',
    sql: 'UPDATE public.message_feedback SET overall_score = 0, fluency_score = 9 WHERE id = :feedback',
    entries: ['delta'],
  },
  {
    what: 'a score that is taken back',
    sql: 'UPDATE public.message_feedback SET overall_score = NULL WHERE id = :feedback',
    entries: ['delta'],
  },
  {
    what: 'a changed comment',
    sql: "UPDATE public.message_feedback SET comment = 'Good' WHERE id = :feedback",
    entries: [],
  },
  {
    what: 'feedback that goes to a message of another session',
    sql: `WITH there AS (${INSERT}) VALUES (:other, :user, 1, 'x') RETURNING id) SELECT FROM there;
          UPDATE public.message_feedback SET message_id = (SELECT id FROM public.messages WHERE session_id = :other)`,
    entries: ['delta', 'delta', 'delta'],
  },
  { what: 'deleted feedback', sql: 'DELETE FROM public.message_feedback WHERE id = :feedback', entries: ['delta'] },
  { what: 'TRUNCATE of the feedback', sql: 'TRUNCATE public.message_feedback', entries: ['all'] },
  {
    what: 'TRUNCATE of everything',
    sql: 'TRUNCATE public.sessions, public.messages CASCADE',
    entries: ['all', 'all'],
  },
  {
    what: 'a MERGE',
    sql: `MERGE INTO public.messages m USING (VALUES (:message::uuid), ('00000000-0000-0000-0000-000000000001')) v (id) ON m.id = v.id
          WHEN MATCHED THEN DELETE
          WHEN NOT MATCHED THEN INSERT (id, session_id, user_id, sequence_number, content) VALUES (v.id, :session, :user, 9, 'x')`,
    entries: ['delta', 'recount'],
  },
  {
    what: 'a replica session that inserts, without the checks of foreign keys',
    sql: `SET session_replication_role = replica;
          INSERT INTO public.message_feedback (message_id, overall_score) VALUES ('00000000-0000-0000-0000-000000000002', 40);
          ${INSERT}, id, language) VALUES (:session, :user, 4, 'x', '00000000-0000-0000-0000-000000000002', 'en')`,
    entries: ['recount'],
  },
  {
    what: 'a replica session that deletes, without cascades',
    sql: 'SET session_replication_role = replica; DELETE FROM public.messages WHERE id = :message',
    entries: ['recount'],
  },
  {
    what: 'what is rolled back',
    sql: 'BEGIN; DELETE FROM public.messages; ROLLBACK',
    entries: [],
  },
];

describe('rollup and queue say what counting says', () => {
  test.each(statements)('$what', async ({ sql, entries }) => {
    await run(sql);
    const noted = await queue(client);
    expect(
      noted.map(({ session_id, recount }) => (session_id === null ? 'all' : recount ? 'recount' : 'delta')).sort(),
    ).toEqual([...entries].sort());
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
  });

  test('of what COPY brought', async () => {
    const lines = [1, 2, 3].map((n) => `${randomUUID()}\t${other}\t${user}\t${n}\tcopied\taudio\n`);
    await pipeline(
      lines,
      client.query(
        copyFrom('COPY public.messages (id, session_id, user_id, sequence_number, content, type) FROM STDIN'),
      ),
    );
    expect(await queue(client)).toEqual([{ session_id: other, recount: false }]);
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
  });

  test('of several sessions, a batch at a time, each with all of its entries', async () => {
    for (let i = 4; i < 9; i++) for (const id of [session, other]) await insertMessage(client, id, user, 'Hello', i);
    await client.query('DELETE FROM public.messages WHERE session_id = $1 AND sequence_number = 8', [other]);
    expect((await queue(client)).length).toBe(11);
    // The first entry is of the one, and brings all five along.
    expect(await fold(client, 1)).toBe(5);
    await expectExact(client);
    expect(await fold(client, 1)).toBe(6);
    await expectFolded(client);
    expect(await fold(client, 1)).toBe(0);
  });

  test('a version of the rollup belongs to each change of it', async () => {
    const version = () =>
      count(client, '(SELECT FROM generate_series(1, (SELECT version FROM private.session_rollup_state))) v');
    const before = await version();
    await fold(client);
    expect(await version()).toBe(before);
    await insertMessage(client, other, user);
    await fold(client);
    expect(await version()).toBe(before + 1);
  });
});

describe('a recount', () => {
  const recount = async (from = '00000000-0000-0000-0000-000000000000', size = 500) => {
    const { rows } = await client.query(
      'SELECT next_id, sessions::int, drifted::int FROM private.recount_sessions($1, $2)',
      [from, size],
    );
    return rows[0];
  };

  test('finds nothing where triggers noted everything, folded or not', async () => {
    await insertMessage(client, session, user, 'Hello', 4);
    await client.query('DELETE FROM public.messages WHERE id = $1', [message]);
    expect(await recount()).toEqual({ next_id: null, sessions: 2, drifted: 0 });
    expect((await queue(client)).length).toBe(2);
  });

  test.each([
    [
      'a message that no trigger saw',
      `ALTER TABLE public.messages DISABLE TRIGGER session_changes_delete; DELETE FROM public.messages WHERE id = :message;
       ALTER TABLE public.messages ENABLE ALWAYS TRIGGER session_changes_delete`,
    ],
    ['a session that the rollup has not', 'DELETE FROM private.session_rollup'],
    [
      'a session that only the rollup has',
      'INSERT INTO private.session_rollup SELECT :other, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, now(), now()',
    ],
    ['a rollup with another sum', 'UPDATE private.session_rollup SET grammar_sum = grammar_sum + 1'],
  ])('puts right %s, whatever waits in the queue', async (_, sql) => {
    await run(`BEGIN; ${sql}; COMMIT`);
    await client.query(`${INSERT}) VALUES ($1, $3, 8, 'x'), ($2, $3, 9, 'x')`, [session, other, user]);
    expect(await recount()).toMatchObject({ drifted: 1 });
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
    expect(await recount()).toMatchObject({ drifted: 0 });
  });

  test('goes from batch to batch, and passes none by', async () => {
    for (let i = 0; i < 4; i++) await insertSession(client, user);
    await client.query('DELETE FROM private.session_rollup');
    const seen = { sessions: 0, drifted: 0, batches: 0 };
    for (let from: string | null = '00000000-0000-0000-0000-000000000000'; from !== null; ) {
      const batch = await recount(from, 2);
      seen.sessions += batch.sessions;
      seen.drifted += batch.drifted;
      seen.batches += 1;
      from = batch.next_id;
    }
    expect(seen).toEqual({ sessions: 6, drifted: 1, batches: 3 });
    await expectFolded(client);
  });
});

test('sessions are counted anew by index alone, as the function of the product asks for them', async () => {
  await client.query(`BEGIN; SET LOCAL plan_cache_mode = force_generic_plan;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
    PREPARE counting (uuid[]) AS SELECT c.* FROM private.session_counts c WHERE c.session_id = ANY ($1)`);
  const { rows } = await client.query<{ 'QUERY PLAN': string }>("EXPLAIN EXECUTE counting ('{}')");
  await client.query('DEALLOCATE counting; COMMIT');
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan.match(/Index Cond: \(session_id = ANY/g)).toHaveLength(2);
  expect(plan).toMatch(/message_feedback_message_id_idx/);
  expect(plan).not.toMatch(/Seq Scan/);
});
