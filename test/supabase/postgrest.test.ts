import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { insertFeedback, insertMessage, insertSession, insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { type AskOptions, offeredTo, postgrestPath, useRest } from './postgrest.ts';

const merge = { prefer: 'resolution=merge-duplicates,return=representation' };
const returning = { prefer: 'return=representation' };

describe.skipIf(postgrestPath === null)('through PostgREST', () => {
  const api = useRest(() => useDatabase(migrated, { per: 'suite' }), { per: 'suite' });
  let [ann, bob, annsSession, bobsSession, annsMessage] = ['', '', '', '', ''];

  beforeEach(async () => {
    const client = await api.database.connect();
    [ann, bob] = [await insertUser(client), await insertUser(client)];
    annsSession = await insertSession(client, ann, { title: 'Zoo' });
    bobsSession = await insertSession(client, bob, { title: 'Theirs' });
    await insertSession(client, ann, { title: 'Old', status: 'archived' });
    annsMessage = await insertMessage(client, annsSession, ann, 'Two giraffes');
    await insertMessage(client, annsSession, ann, 'Three zebras', 2);
    await insertFeedback(client, annsMessage, 80);
    await insertMessage(client, bobsSession, bob, 'Their giraffes');
  });

  const ask = async (path: string, as: string, options?: AskOptions) => api.rest.ask(path, as, options);
  const rows = async (path: string, as = ann) => (await ask(path, as)).body;
  const post = (path: string, body: unknown, as = ann, headers: Record<string, string> = returning) =>
    ask(path, as, { method: 'POST', body, headers });
  const patch = (path: string, body: unknown, as = ann) => ask(path, as, { method: 'PATCH', body, headers: returning });

  describe('messages and sessions are embedded in each other without a hint', () => {
    test.each<[string, unknown]>([
      [
        'sessions?select=title,messages(content)&order=title&messages.order=sequence_number',
        [
          { title: 'Old', messages: [] },
          { title: 'Zoo', messages: [{ content: 'Two giraffes' }, { content: 'Three zebras' }] },
        ],
      ],
      [
        'messages?select=sequence_number,sessions(title)&order=sequence_number',
        [
          { sequence_number: 1, sessions: { title: 'Zoo' } },
          { sequence_number: 2, sessions: { title: 'Zoo' } },
        ],
      ],
      ['messages?select=content,...sessions(title)&content=like.Two*', [{ content: 'Two giraffes', title: 'Zoo' }]],
      [
        'sessions?select=title,messages!inner(content)&messages.content=like.Th*',
        [{ title: 'Zoo', messages: [{ content: 'Three zebras' }] }],
      ],
      ['sessions?select=title,messages!inner(content)&messages.content=eq.none', []],
      ['messages?select=sequence_number,sessions!inner(title)&sessions.status=eq.archived', []],
      [
        'messages?select=sequence_number,sessions!inner(title)&sessions.title=eq.Zoo&limit=1',
        [{ sequence_number: 1, sessions: { title: 'Zoo' } }],
      ],
      [
        'sessions?select=title,messages(count)&order=title',
        [
          { title: 'Old', messages: [{ count: 0 }] },
          { title: 'Zoo', messages: [{ count: 2 }] },
        ],
      ],
      [
        'message_feedback?select=overall_score,messages(content,sessions(title))',
        [{ overall_score: 80, messages: { content: 'Two giraffes', sessions: { title: 'Zoo' } } }],
      ],
      [
        'sessions?select=title,messages!inner(content,message_feedback!inner(overall_score))',
        [{ title: 'Zoo', messages: [{ content: 'Two giraffes', message_feedback: [{ overall_score: 80 }] }] }],
      ],
    ])('%s', async (path, expected) => {
      expect(await rows(path)).toEqual(expected);
    });

    test('and row security applies to what is embedded', async () => {
      expect(await rows('sessions?select=title,messages(content)&messages.content=like.*giraffes', bob)).toEqual([
        { title: 'Theirs', messages: [{ content: 'Their giraffes' }] },
      ]);
      expect(await rows(`sessions?select=messages(content)&id=eq.${bobsSession}`, 'service_role')).toEqual([
        { messages: [{ content: 'Their giraffes' }] },
      ]);
    });
  });

  describe('is not to be reached', () => {
    test.each([
      'sessions_active',
      'sessions_archived',
      'sessions_deleted',
      'session_keys',
      'session_rollup',
      'message_match',
    ])('%s, by nobody', async (relation) => {
      for (const as of [ann, 'anon', 'service_role']) {
        expect(await ask(relation, as)).toMatchObject({ status: 404, body: { code: 'PGRST205' } });
        expect(await ask(relation, as, { method: 'DELETE' })).toMatchObject({ status: 404 });
      }
    });

    test('anything of schema private', async () => {
      const headers = { 'accept-profile': 'private', 'content-profile': 'private' };
      for (const as of [ann, 'service_role']) {
        expect(await ask('session_keys', as, { headers })).toMatchObject({ status: 406, body: { code: 'PGRST106' } });
        expect(await ask('rpc/search_all', as, { method: 'POST', body: {}, headers })).toMatchObject({ status: 406 });
      }
    });

    test('anything but what is offered', async () => {
      const own = ['/message_feedback', '/messages', '/my_session_stats', '/rpc/search_messages', '/sessions'];
      expect(await offeredTo(api.rest, ann)).toEqual(own);
      expect(await offeredTo(api.rest, 'service_role')).toEqual([...own, '/session_stats'].sort());
      expect(await offeredTo(api.rest, 'anon')).toEqual([]);
    });

    test('session_stats, but by the service', async () => {
      expect(await ask('session_stats', ann)).toMatchObject({ status: 403, body: { code: '42501' } });
      expect(await ask('session_stats', 'anon')).toMatchObject({ status: 401, body: { code: '42501' } });
      expect((await ask('session_stats', 'service_role')).status).toBe(200);
    });

    test('any table or function, by a caller without a token', async () => {
      for (const path of [
        'sessions',
        'messages',
        'message_feedback',
        'my_session_stats',
        'rpc/search_messages?query=x',
      ]) {
        expect(await ask(path, 'anon')).toMatchObject({ status: 401, body: { code: '42501' } });
      }
    });

    test('anything, with a token that does not hold or whose subject is no uuid', async () => {
      expect(await ask('sessions', 'a.b.c')).toMatchObject({ status: 401, body: { code: 'PGRST301' } });
      expect(await ask('sessions', 'test-user-id')).toMatchObject({ status: 400, body: { code: '22P02' } });
      expect(await ask('sessions', randomUUID())).toMatchObject({ status: 200, body: [] });
    });
  });

  test('search_messages finds the caller’s own, and the service everybody’s', async () => {
    const found = (as: string, more = '') =>
      rows(`rpc/search_messages?query=giraffe&select=content,session_title${more}`, as);
    expect(await found(ann)).toEqual([{ content: 'Two giraffes', session_title: 'Zoo' }]);
    expect(await found(ann, `&user_id=${bob}`)).toEqual([]);
    expect(await found('service_role', `&user_id=${bob}`)).toEqual([
      { content: 'Their giraffes', session_title: 'Theirs' },
    ]);
    const { body } = await post('rpc/search_messages', {
      query: '"two giraffes"',
      session_id: annsSession,
      max_results: 5,
    });
    expect(body).toMatchObject([
      { id: annsMessage, snippet: '<mark>Two</mark> <mark>giraffes</mark>', correction: null },
    ]);
    expect(await post('rpc/search_messages', { query: 'x', nope: 1 })).toMatchObject({
      status: 404,
      body: { code: 'PGRST202' },
    });
    expect(await post('rpc/search_messages', { query: 'x', sort: 'oldest' })).toMatchObject({
      status: 400,
      body: { code: '22023' },
    });
  });

  test('rows are the caller’s own, and cannot be handed over', async () => {
    const ownersOf = async (as: string) =>
      new Set(((await rows('sessions?select=user_id', as)) as { user_id: string }[]).map((row) => row.user_id));
    expect(await ownersOf(ann)).toEqual(new Set([ann]));
    expect((await ownersOf('service_role')).has(bob)).toBe(true);
    const refused = { status: 403, body: { code: '42501' } };
    expect(await patch(`sessions?id=eq.${annsSession}`, { user_id: bob })).toMatchObject(refused);
    expect(await patch(`messages?id=eq.${annsMessage}`, { user_id: bob })).toMatchObject(refused);
    expect(await patch(`messages?id=eq.${annsMessage}`, { session_id: bobsSession })).toMatchObject(refused);
    expect(await patch(`sessions?id=eq.${bobsSession}`, { title: 'Mine' })).toMatchObject({ status: 200, body: [] });
    expect(await post('sessions', { user_id: bob, language: 'en', level: 'beginner' })).toMatchObject(refused);
    expect(await post('messages', { session_id: bobsSession, user_id: ann, content: 'x' })).toMatchObject(refused);
    const { body } = await ask(`messages?select=id`, bob);
    const [theirs] = body as { id: string }[];
    expect(await post('message_feedback', { message_id: theirs?.id, overall_score: 1 })).toMatchObject(refused);
  });

  test('a value that no enum, check or key has is refused with the server’s code', async () => {
    const session = { user_id: ann, language: 'en', level: 'beginner' };
    expect(await post('sessions', { ...session, language: 'it' })).toMatchObject({
      status: 400,
      body: { code: '22P02', message: 'invalid input value for enum session_language: "it"' },
    });
    expect(await ask('sessions?status=eq.gone', ann)).toMatchObject({ status: 400, body: { code: '22P02' } });
    expect(await ask('sessions?status=like.act*', ann)).toMatchObject({ status: 404, body: { code: '42883' } });
    expect(await post('message_feedback', { message_id: annsMessage, overall_score: 101 })).toMatchObject({
      body: { code: '23514' },
    });
    expect(
      await post('messages', { session_id: randomUUID(), user_id: ann, content: 'x' }, 'service_role'),
    ).toMatchObject({ status: 409, body: { code: '23503' } });
  });

  test('a message needs neither number nor language, and what is moved answers as it is then', async () => {
    const { status, body } = await post('messages?select=sequence_number,language', {
      session_id: annsSession,
      user_id: ann,
      content: 'Four',
    });
    expect([status, body]).toEqual([201, [{ sequence_number: 3, language: 'en' }]]);
    expect(
      await patch(`sessions?id=eq.${annsSession}&select=status,messages(sequence_number)`, { status: 'archived' }),
    ).toMatchObject({
      status: 200,
      body: [
        { status: 'archived', messages: [{ sequence_number: 1 }, { sequence_number: 2 }, { sequence_number: 3 }] },
      ],
    });
    expect(
      await ask(`sessions?id=eq.${annsSession}&select=id`, ann, { method: 'DELETE', headers: returning }),
    ).toMatchObject({ body: [{ id: annsSession }] });
    expect(await rows('messages')).toEqual([]);
  });

  test('figures, counts, order and ranges', async () => {
    expect(await rows('my_session_stats?select=status,sessions,messages,average_overall_score&order=status')).toEqual([
      { status: 'active', sessions: 1, messages: 2, average_overall_score: 80 },
      { status: 'archived', sessions: 1, messages: 0, average_overall_score: null },
    ]);
    const head = await ask('sessions', ann, { method: 'HEAD', headers: { prefer: 'count=exact' } });
    expect([head.status, head.headers.get('content-range')]).toEqual([200, '0-1/2']);
    const second = await ask('sessions?select=title&order=title&limit=1&offset=1', ann, {
      headers: { prefer: 'count=exact' },
    });
    expect([second.status, second.body, second.headers.get('content-range')]).toEqual([
      206,
      [{ title: 'Zoo' }],
      '1-1/2',
    ]);
    expect(await ask('sessions?select=title&order=title', ann, { headers: { range: '0-0' } })).toMatchObject({
      body: [{ title: 'Old' }],
    });
    expect(await rows('messages?select=content&order=sessions(title).desc,sequence_number.desc')).toMatchObject({
      code: 'PGRST108',
    });
    expect(
      await rows('messages?select=sequence_number,sessions(title)&order=sessions(title),sequence_number.desc&limit=1'),
    ).toMatchObject([{ sequence_number: 2 }]);
  });

  describe('an upsert of a session', () => {
    const upsert = (path: string, body: object) =>
      post(path, { user_id: ann, language: 'de', level: 'advanced', ...body }, ann, merge);

    test('writes over the one with this id and status, by the key or by both columns', async () => {
      for (const path of ['sessions', 'sessions?on_conflict=id,status']) {
        const title = `by ${path}`;
        expect(await upsert(path, { id: annsSession, title })).toMatchObject({
          status: 200,
          body: [{ id: annsSession, status: 'active', title }],
        });
      }
      const { status } = await upsert('sessions', { id: randomUUID() });
      expect(status).toBe(201);
    });

    test('does not by its id alone: no unique key has only that', async () => {
      expect(await upsert('sessions?on_conflict=id', { id: annsSession })).toMatchObject({
        status: 400,
        body: { code: '42P10' },
      });
    });

    test('does not move one to another status: that is an update', async () => {
      expect(await upsert('sessions', { id: annsSession, status: 'archived' })).toMatchObject({
        status: 409,
        body: { code: '23503', hint: 'To move a session, update its status.' },
      });
    });

    test('does not take somebody else’s', async () => {
      expect(await upsert('sessions', { id: bobsSession })).toMatchObject({ status: 403, body: { code: '42501' } });
      expect(await upsert('sessions', { id: bobsSession, status: 'archived' })).toMatchObject({ status: 409 });
      expect(await rows(`sessions?select=title,user_id`, bob)).toEqual([{ title: 'Theirs', user_id: bob }]);
    });
  });

  test('messages and feedback are upserted by their ids, as before', async () => {
    const message = {
      id: annsMessage,
      session_id: annsSession,
      user_id: ann,
      sequence_number: 1,
      content: 'Four lions',
    };
    expect(await post('messages?on_conflict=id', message, ann, merge)).toMatchObject({
      status: 200,
      body: [{ content: 'Four lions', language: 'en' }],
    });
    expect(await rows('rpc/search_messages?query=lion&select=id')).toEqual([{ id: annsMessage }]);
  });
});
