import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Actions, createStore, type SupabaseStore } from '../../src/client/index.ts';
import { count, insertUser, migrated, only } from '../plans/sessions/fixtures.ts';
import { postgrestPath, useRest } from '../supabase/postgrest.ts';
import { useDatabase } from '../support/database.ts';
import { errorOf, kindOf, useStore } from './fixtures.ts';
import { nowhere, storeAs } from './supabase.ts';

const api = useRest(() => useDatabase(migrated, { per: 'suite' }), { per: 'suite' });
const { database } = api;
const plain = useStore(database);
const pipelined = useStore(database, {}, { pipeline: true });
const own = useStore(database, { serviceRole: null });
let client: pg.Client;
let ann: string;
let bob: string;
/** Over supabase-js; null where there is no PostgREST. */
let signedIn: Readonly<Record<'ann' | 'service', SupabaseStore>> | null = null;

beforeAll(async () => {
  client = await database.connect();
  [ann, bob] = [await insertUser(client), await insertUser(client)];
  if (postgrestPath === null) return;
  signedIn = {
    ann: await storeAs(api.rest, ann),
    service: await storeAs(api.rest, 'service_role'),
  };
});

const there = (store: SupabaseStore | undefined): SupabaseStore => {
  if (!store) throw new Error('There is no PostgREST.');
  return store;
};
type Callers = [string, () => SupabaseStore, () => object][];
const overPostgrest: Callers = [
  ['a user, over supabase-js', () => there(signedIn?.ann), () => ({})],
  ['the service, over supabase-js', () => there(signedIn?.service), () => ({ user_id: ann })],
];
const overPg: [string, () => Actions, () => object][] = [
  ['a user', () => plain.store.asUser(ann), () => ({})],
  ['a user, over pipelined connections', () => pipelined.store.asUser(ann), () => ({})],
  ['the service', () => plain.store.asService(), () => ({ user_id: ann })],
  ['the role of the pool', () => own.store, () => ({ user_id: ann })],
];

/** The store of a user, by their id. */
const stores: [string, (user: string) => Promise<SupabaseStore>][] = [
  ['over pg', async (user) => plain.store.asUser(user)],
  ...(postgrestPath ? [['over supabase-js', (user) => storeAs(api.rest, user)] satisfies (typeof stores)[number]] : []),
];

describe.each<Callers[number]>([...overPg, ...(postgrestPath ? overPostgrest : [])])('as %s', (_, actions, who) => {
  const create = (title = 'Lesson') =>
    actions().sessions.create({ ...who(), language: 'es', level: 'beginner', title });

  test('a session lives through every status, one call each, and its messages go with it', async () => {
    const { sessions, messages } = actions();
    const session = await create();
    expect(session).toMatchObject({ user_id: ann, language: 'es', status: 'active', title: 'Lesson' });
    expect(session.created_at).toBeInstanceOf(Date);
    await messages.append({ session_id: session.id, content: 'Hola' });
    expect(await sessions.archive(session.id)).toMatchObject({ id: session.id, status: 'archived' });
    expect(await sessions.delete(session.id)).toMatchObject({ status: 'deleted' });
    expect(await sessions.restore(session.id)).toMatchObject({ status: 'active' });
    expect(await sessions.rename(session.id, 'Renamed')).toMatchObject({ title: 'Renamed' });
    expect(await sessions.rename(session.id, null)).toMatchObject({ title: null });
    expect(await sessions.get(session.id)).toMatchObject({ id: session.id, title: null });
    await sessions.purge(session.id);
    expect(await sessions.get(session.id)).toBeNull();
    expect(await count(client, 'public.messages WHERE session_id = $1', [session.id])).toBe(0);
    expect(await kindOf(sessions.purge(session.id))).toBe('not_found');
  });

  test('messages are numbered, listed by pages and edited', async () => {
    const { messages } = actions();
    const { id } = await create();
    for (const content of ['uno', 'dos', 'tres']) await messages.append({ session_id: id, content });
    const first = await messages.list({ session_id: id, limit: 2 });
    expect(first.rows.map((row) => [row.sequence_number, row.content, row.language])).toEqual([
      [1, 'uno', 'es'],
      [2, 'dos', 'es'],
    ]);
    const second = await messages.list({ session_id: id, limit: 2, after: first.next });
    expect(second).toMatchObject({ rows: [{ sequence_number: 3, user_id: ann, type: 'text' }], next: null });
    expect(await messages.edit(second.rows[0]?.id ?? '', { content: 'four' })).toMatchObject({ content: 'four' });
  });

  test('feedback is recorded', async () => {
    const { messages, feedback } = actions();
    const message = await messages.append({ session_id: (await create()).id, content: 'Hola', type: 'audio' });
    const corrections = [{ from: 'Ola', to: 'Hola' }];
    expect(
      await feedback.record({ message_id: message.id, overall_score: 60, comment: 'Good', corrections }),
    ).toMatchObject({ overall_score: 60, grammar_score: null, comment: 'Good', corrections });
    expect(await feedback.record({ message_id: message.id, corrections: null })).toMatchObject({ corrections: null });
  });

  test('messages are found, and sessions counted', async () => {
    const session = await create();
    const message = await actions().messages.append({ session_id: session.id, content: 'Los pingüinos corren' });
    const found = await actions().search('pingüinos', { session_id: session.id });
    expect(found).toMatchObject([{ id: message.id, session_title: 'Lesson', language: 'es' }]);
    expect(found[0]?.rank).toBeGreaterThan(0);
    await client.query('SELECT private.fold_session_changes(); REFRESH MATERIALIZED VIEW public.session_stats');
    const active = (await actions().stats({ user_id: ann })).find(({ status }) => status === 'active');
    expect(active).toMatchObject({
      user_id: ann,
      sessions: await count(client, "public.sessions WHERE user_id = $1 AND status = 'active'", [ann]),
      messages: await count(client, 'public.messages WHERE user_id = $1', [ann]),
    });
  });
});

test.each(overPg)('as %s, feedback is averaged', async (_, actions, who) => {
  const { sessions, messages, feedback } = actions();
  const session = await sessions.create({ ...who(), language: 'es', level: 'beginner' });
  const message = await messages.append({ session_id: session.id, content: 'Hola' });
  await feedback.record({ message_id: message.id, overall_score: 60 });
  await feedback.record({ message_id: message.id, overall_score: 81, grammar_score: 0 });
  for (const of of [{ message_id: message.id }, { session_id: session.id }]) {
    expect(await feedback.average(of)).toEqual({
      feedback: 2,
      overall_score: 70.5,
      grammar_score: 0,
      vocabulary_score: null,
      fluency_score: null,
      pronunciation_score: null,
    });
  }
  expect(await feedback.average({ session_id: randomUUID() })).toMatchObject({ feedback: 0, overall_score: null });
  expect(await feedback.average({ user_id: bob })).toMatchObject({ feedback: 0 });
});

describe.each(stores)('pages of sessions, %s', (_, as) => {
  test('hold each once, also those used in the same microsecond, and only of the status asked for', async () => {
    const user = await insertUser(client);
    const { sessions } = await as(user);
    await client.query(
      `INSERT INTO public.sessions (user_id, language, level, status, last_accessed)
       SELECT $1, 'en', 'beginner', 'archived', timestamptz '2026-01-01 00:00:00.000001+00' + (i / 3) * interval '1 microsecond' FROM generate_series(1, 40) i`,
      [user],
    );
    await sessions.create({ language: 'de', level: 'advanced' });
    const seen: string[] = [];
    let after: string | null = null;
    let pages = 0;
    do {
      const page = await sessions.list({ status: 'archived', limit: 7, after });
      seen.push(...page.rows.map((row) => row.id));
      after = page.next;
      pages++;
    } while (after !== null);
    const { rows } = await client.query<{ id: string }>(
      "SELECT id FROM public.sessions WHERE user_id = $1 AND status = 'archived' ORDER BY last_accessed DESC, id DESC",
      [user],
    );
    expect(seen).toEqual(rows.map(({ id }) => id));
    expect(pages).toBe(6);
    expect((await sessions.list()).rows).toMatchObject([{ status: 'active', language: 'de' }]);
  });
});

test.each(stores)(
  'a session is not marked as used more often than the interval, however many ask at once, %s',
  async (_, as) => {
    const { sessions } = await as(ann);
    const { id } = await sessions.create({ language: 'en', level: 'beginner' });
    const writes = async () =>
      only((await client.query<{ x: string }>('SELECT xmin::text AS x FROM public.sessions WHERE id = $1', [id])).rows)
        .x;
    const before = await writes();
    expect(await sessions.touch(id)).toBe(false);
    expect(await writes()).toBe(before);
    await client.query("UPDATE public.sessions SET last_accessed = now() - interval '61 seconds' WHERE id = $1", [id]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => sessions.touch(id)));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await kindOf(sessions.touch(randomUUID()))).toBe('not_found');
  },
);

test('a hundred writers at once number their messages without a gap, wherever their session is moved meanwhile', async () => {
  const { sessions } = plain.store.asUser(ann);
  const session = await sessions.create({ language: 'en', level: 'beginner' });
  let [written, moves] = [false, 0];
  const mover = (async () => {
    for (; !written; moves++) await [sessions.archive, sessions.delete, sessions.restore][moves % 3]?.(session.id);
  })();
  const all: SupabaseStore[] = [plain.store.asUser(ann), pipelined.store, ...(signedIn ? [signedIn.ann] : [])];
  const writers = Array.from({ length: 100 }, (_, i) => all[i % all.length] ?? plain.store);
  const said = await Promise.all(
    writers.map(async ({ messages }, i) => {
      const first = await messages.append({ session_id: session.id, content: `${i} a` });
      // A call that is refused takes no number.
      await expect(messages.append({ id: first.id, session_id: session.id, content: 'again' })).rejects.toMatchObject({
        kind: 'already_exists',
      });
      return [first, await messages.append({ session_id: session.id, content: `${i} b` })];
    }),
  ).finally(() => {
    written = true;
  });
  await mover;
  expect(moves).toBeGreaterThan(2);
  for (const [first, second] of said) expect(second?.sequence_number).toBeGreaterThan(first?.sequence_number ?? 0);
  const numbers = said.flat().map((message) => message.sequence_number);
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
});

describe('what is somebody else’s', () => {
  test.each(stores)('is not there, or refused, %s', async (_, as) => {
    const others = plain.store.asUser(bob);
    const session = await others.sessions.create({ language: 'fr', level: 'advanced' });
    const message = await others.messages.append({ session_id: session.id, content: 'Bonjour' });
    const { sessions, messages, feedback, search, stats } = await as(ann);
    expect(await sessions.get(session.id)).toBeNull();
    expect((await messages.list({ session_id: session.id })).rows).toEqual([]);
    expect(await search('bonjour')).toEqual([]);
    expect(await stats({ user_id: bob })).toEqual([]);
    for (const call of [
      () => sessions.rename(session.id, 'x'),
      () => sessions.archive(session.id),
      () => sessions.touch(session.id),
      () => sessions.purge(session.id),
      () => messages.append({ session_id: session.id, content: 'x' }),
      () => messages.edit(message.id, { content: 'x' }),
      () => feedback.record({ message_id: message.id, overall_score: 1 }),
    ]) {
      expect(await kindOf(call())).toBe('not_found');
    }
    expect(await kindOf(sessions.create({ user_id: bob, language: 'en', level: 'beginner' }))).toBe('not_allowed');
    const mine = await sessions.create({ language: 'en', level: 'beginner' });
    expect(await kindOf(messages.append({ session_id: mine.id, user_id: bob, content: 'x' }))).toBe('not_allowed');
  });

  test('role and claims are gone with the transaction, also where it failed', async () => {
    const { pool, store } = plain;
    await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) =>
        i % 2
          ? store.asUser(ann).sessions.list()
          : store.asUser(ann).sessions.create({ user_id: bob, language: 'en', level: 'beginner' }),
      ),
    );
    const clients = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()));
    try {
      for (const each of clients) {
        const { rows } = await each.query(
          `SELECT current_user = session_user AS own, coalesce(current_setting('request.jwt.claims', true), '') AS claims,
                  coalesce(current_setting('request.jwt.claim.sub', true), '') AS sub, now() = statement_timestamp() AS autocommit`,
        );
        expect(rows).toEqual([{ own: true, claims: '', sub: '', autocommit: true }]);
      }
    } finally {
      for (const each of clients) each.release();
    }
  });

  test('a session that was left with somebody’s claims does not lend them to a caller', async () => {
    const { pool, store } = own;
    const left = await pool.connect();
    await left.query(
      "SELECT set_config('request.jwt.claim.sub', $1, false), set_config('request.jwt.claims', $2, false)",
      [bob, JSON.stringify({ sub: bob })],
    );
    left.release();
    const { sessions } = store.asUser(ann);
    const created = await sessions.create({ language: 'en', level: 'beginner' });
    expect(created.user_id).toBe(ann);
    expect((await sessions.list({ limit: 200 })).rows.every((row) => row.user_id === ann)).toBe(true);
  });
});

// A call that got as far as a connection would fail for want of one.
const noPool = new pg.Pool({ host: '127.0.0.1', port: 1 });
describe.each<[string, () => SupabaseStore]>([
  ['over pg', () => createStore(noPool).asUser(ann)],
  ['over supabase-js', () => nowhere(ann)],
])('a value that cannot be, %s', (_, user) => {
  const id = randomUUID();
  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['language', () => user().sessions.create({ language: 'it' as 'en', level: 'beginner' }), /language/],
    ['level', () => user().sessions.create({ language: 'en', level: 'expert' as 'beginner' }), /level/],
    ['status', () => user().sessions.list({ status: 'gone' as 'active' }), /status/],
    [
      'unknown field',
      () => user().sessions.create({ language: 'en', level: 'beginner', pinned: true } as never),
      /pinned/,
    ],
    ['long title', () => user().sessions.rename(id, 'x'.repeat(201)), /200/],
    ['id', () => user().sessions.get('42'), /GUID/i],
    ['message type', () => user().messages.append({ session_id: id, content: 'x', type: 'video' as 'text' }), /type/],
    ['empty message', () => user().messages.append({ session_id: id, content: ' \n' }), /empty/],
    ['NUL', () => user().messages.append({ session_id: id, content: 'a\0b' }), /NUL/],
    ['long message', () => user().messages.edit(id, { content: 'x'.repeat(60_001) }), /60000/],
    ['score above', () => user().feedback.record({ message_id: id, overall_score: 101 }), /overall_score/],
    ['score below', () => user().feedback.record({ message_id: id, fluency_score: -1 }), /fluency_score/],
    ['half a score', () => user().feedback.record({ message_id: id, grammar_score: 0.5 }), /grammar_score/],
    ['page', () => user().sessions.list({ limit: 0 }), /limit/],
    ['cursor', () => user().sessions.list({ after: 'x' }), /^$/],
  ])('is refused before the server is asked: %s', async (_, call, says) => {
    const error = await errorOf(call());
    expect(error).toMatchObject({ kind: 'invalid_value', code: 'TD060' });
    expect(error.detail ?? '').toMatch(says);
  });

  test('a call that got past these checks is the one that fails for want of a server', async () => {
    expect(await kindOf(user().sessions.purge(id))).toBe('connection_lost');
  });
});

describe.each(stores)('what only the server knows, %s', (_, as) => {
  const id = randomUUID();
  test('is the same error', async () => {
    await client.query(`ALTER TABLE public.sessions DROP CONSTRAINT IF EXISTS no_swearing;
      ALTER TABLE public.sessions ADD CONSTRAINT no_swearing CHECK (title <> 'damn')`);
    const { sessions } = await as(ann);
    const error = await errorOf(sessions.create({ language: 'en', level: 'beginner', title: 'damn' }));
    expect(error).toMatchObject({ kind: 'invalid_value', code: 'TD060', cause: { code: '23514' } });
    const forged = Buffer.from(JSON.stringify(['yesterday-ish', id])).toString('base64url');
    expect(await errorOf(sessions.list({ after: forged }))).toMatchObject({
      kind: 'invalid_value',
      cause: { code: '22007' },
    });
  });

  test('an id that is taken already exists, in whichever partition', async () => {
    const { sessions } = await as(ann);
    const session = await sessions.create({ language: 'en', level: 'beginner' });
    expect(await kindOf(sessions.create({ id: session.id, language: 'en', level: 'beginner' }))).toBe('already_exists');
    await sessions.archive(session.id);
    expect(await kindOf(sessions.create({ id: session.id, language: 'en', level: 'beginner' }))).toBe('already_exists');
  });
});

test.each([
  ['over pg', () => plain.store.asService()],
  ...(postgrestPath ? [['over supabase-js', () => there(signedIn?.service)] as const] : []),
] as [string, () => SupabaseStore][])(
  'the service must say whose session it is, and the user must be there, %s',
  async (_, service) => {
    const { sessions } = service();
    const session = { language: 'en', level: 'beginner' } as const;
    expect(await kindOf(sessions.create(session))).toBe('invalid_value');
    expect(await kindOf(sessions.create({ ...session, user_id: randomUUID() }))).toBe('not_found');
    expect(await kindOf(sessions.create({ ...session, user_id: randomUUID(), id: randomUUID() }))).toBe('not_found');
  },
);

test('a user’s active sessions are looked for in one partition', async () => {
  const texts: string[] = [];
  const recording = await database.connect();
  const spied = {
    connect: async () =>
      Object.assign(Object.create(recording), {
        release: () => undefined,
        query: async (given: string | pg.QueryConfig) => {
          const { text, values } = typeof given === 'string' ? { text: given, values: [] } : given;
          texts.push(text);
          if (!text.startsWith('SELECT s.')) return recording.query(text, values);
          const result = await recording.query(`EXPLAIN ${text}`, values);
          texts.push(JSON.stringify(result.rows));
          return { ...result, rows: [] };
        },
      }),
  };
  await createStore(spied as unknown as pg.Pool)
    .asUser(ann)
    .sessions.list();
  const plan = texts.find((text) => text.startsWith('[{"QUERY PLAN"')) ?? '';
  expect(plan).toContain('sessions_active');
  expect(plan).not.toMatch(/sessions_archived|sessions_deleted/);
});
