import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@supabase/supabase-js';
import type pg from 'pg';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { createStore, type Store, StoreError, type SupabaseStore } from '../../src/client/index.ts';
import { tandemOn } from '../engine/tandem.ts';
import { insertMessage, insertSession, insertUser, migrated, only } from '../plans/sessions/fixtures.ts';
import { config, renamed } from '../plans/sessions/renamed-tables.ts';
import { postgrestPath, useRest } from '../supabase/postgrest.ts';
import { useDatabase } from '../support/database.ts';
import { errorOf, kindOf, useStore } from './fixtures.ts';
import { clientAs, clientWith, common, nowhere, storeAs } from './supabase.ts';

const user = randomUUID();

describe('what does not suffice over supabase-js', () => {
  test('is refused, where it is called all the same', async () => {
    const store = nowhere(user) as unknown as Store;
    expect(() => store.asUser(user)).toThrow(expect.objectContaining({ kind: 'invalid_caller', code: 'TD064' }));
    expect(() => store.asService()).toThrow(StoreError);
    expect(await errorOf(store.feedback.average())).toMatchObject({ kind: 'not_allowed', code: 'TD062' });
  });

  test('and so is what is neither a pool nor such a client, and an option that is none', () => {
    const refused = expect.objectContaining({ kind: 'invalid_value' });
    for (const given of [{}, { from: () => undefined }, { from: 1, rpc: 2 }]) {
      expect(() => createStore(given as never)).toThrow(refused);
    }
    const client = clientWith('http://127.0.0.1:1', 'a key');
    expect(() => createStore(client, { touchInterval: -1 })).toThrow(refused);
    expect(() => createStore(client, { userId: 'ann' })).toThrow(expect.objectContaining({ kind: 'invalid_caller' }));
  });
});

test.each([
  [502, '<html>Bad gateway</html>', 'connection_lost'],
  [504, '', 'connection_lost'],
  [401, '{"message":"Invalid API key"}', 'invalid_caller'],
])('a gateway that answers %s by itself: %s', async (status, body, kind) => {
  const gateway = createServer((_, answer) => answer.writeHead(status).end(body));
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  const { port } = gateway.address() as AddressInfo;
  try {
    const store = createStore(clientWith(`http://127.0.0.1:${port}`, 'a key'), { userId: user });
    expect(await kindOf(store.sessions.list())).toBe(kind);
  } finally {
    gateway.close();
  }
});

describe.skipIf(postgrestPath === null)('over PostgREST', () => {
  const api = useRest(() => useDatabase(migrated, { per: 'suite' }), { per: 'suite' });
  const over = useStore(api.database);
  let client: pg.Client;
  let [ann, session] = ['', ''];
  let store: SupabaseStore;
  const waits: number[] = [];
  const retries = {
    attempts: 3,
    backoff: (attempt: number) => {
      waits.push(attempt);
      return 0;
    },
  };

  beforeAll(async () => {
    client = await api.database.connect();
    ann = await insertUser(client);
    session = await insertSession(client, ann);
    store = await storeAs(api.rest, ann, { retries });
  });
  const lastPage = { status: 'active' as const, limit: 100 };

  describe('who is signed in', () => {
    const own = { language: 'en', level: 'beginner' } as const;

    test('is told for a client with a token of its own, in whichever way it has it', async () => {
      const token = await api.rest.token(ann);
      const key = await api.rest.token('anon');
      const inHeaders = createClient(api.rest.url, key, {
        ...common,
        global: { ...common.global, headers: { Authorization: `Bearer ${token}` } },
        auth: { persistSession: false, autoRefreshToken: false },
      });
      const byFunction = createClient(api.rest.url, key, { ...common, accessToken: async () => token });
      for (const supabase of [inHeaders, byFunction, inHeaders.schema('public'), byFunction.schema('public')]) {
        const { sessions } = createStore(supabase, { userId: async () => ann });
        const created = await sessions.create(own);
        expect(created.user_id).toBe(ann);
        await sessions.purge(created.id);
        expect(await errorOf(createStore(supabase).sessions.create(own))).toMatchObject({
          kind: 'invalid_value',
          hint: expect.stringContaining('userId'),
        });
        // Says whose rows are made, and not what may be done.
        expect(await kindOf(createStore(supabase, { userId: randomUUID() }).sessions.create(own))).toBe('not_allowed');
      }
    });

    test.each<[string, () => Promise<string>, string]>([
      ['is expired', () => api.rest.token(ann, '-1 minute'), 'invalid_caller'],
      ['is signed by somebody else', async () => 'a.b.c', 'invalid_caller'],
      ['is nobody’s', () => api.rest.token('anon'), 'not_allowed'],
    ])('is refused where the token %s', async (_, token, kind) => {
      const { sessions, search, stats } = createStore(clientWith(api.rest.url, await token()));
      for (const call of [() => sessions.list(), () => search('x'), () => stats(), () => sessions.purge(session)]) {
        expect(await kindOf(call())).toBe(kind);
      }
    });
  });

  describe('a refusal of the server', () => {
    const refuseWith = (state: string, times = 1_000) =>
      client.query(`
        DROP SEQUENCE IF EXISTS public.tries; CREATE SEQUENCE public.tries;
        CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
          IF nextval('public.tries') <= ${times} THEN RAISE EXCEPTION 'no' USING ERRCODE = '${state}'; END IF;
          RETURN new;
        END $$;
        CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
    const append = () => store.messages.append({ session_id: session, content: 'x' });

    test.each([
      ['22001', 'invalid_value'],
      ['22P02', 'invalid_value'],
      ['23502', 'invalid_value'],
      ['23514', 'invalid_value'],
      ['54000', 'invalid_value'],
      ['23001', 'not_allowed'],
      ['42501', 'not_allowed'],
      ['23503', 'not_found'],
      ['23505', 'already_exists'],
      ['40P01', 'conflict'],
      ['55P03', 'timed_out'],
      ['57014', 'timed_out'],
      ['57P01', 'connection_lost'],
    ])('%s is %s', async (state, kind) => {
      await refuseWith(state);
      expect(await errorOf(append())).toMatchObject({ kind, cause: { code: state } });
      await client.query('DROP TRIGGER refuse ON public.messages');
    });

    test('that nobody foresaw comes as an error, with what PostgREST said', async () => {
      await refuseWith('P0001');
      await expect(append()).rejects.toMatchObject({ message: 'no', cause: { code: 'P0001' } });
      await client.query('DROP TRIGGER refuse ON public.messages');
    });

    test('for the sake of somebody else is tried again, up to a bound', async () => {
      const tries = async () =>
        only((await client.query<{ n: number }>('SELECT last_value::int AS n FROM public.tries')).rows).n;
      waits.length = 0;
      await refuseWith('40P01', 2);
      expect(await append()).toMatchObject({ content: 'x' });
      expect([await tries(), waits]).toEqual([3, [1, 2]]);
      await refuseWith('40P01', 3);
      expect(await kindOf(append())).toBe('conflict');
      expect([await tries(), waits]).toEqual([3, [1, 2, 1, 2]]);
      // PostgREST does this by itself.
      await refuseWith('40001', 9);
      expect(await append()).toMatchObject({ content: 'x' });
      expect([await tries(), waits]).toEqual([10, [1, 2, 1, 2]]);
      await client.query('DROP TRIGGER refuse ON public.messages');
    });
  });

  test('a database of another version is told from one that has no such row', async () => {
    await client.query('ALTER TABLE public.message_feedback RENAME TO feedback');
    try {
      const message = await store.messages.append({ session_id: session, content: 'x' });
      const record = () => errorOf(store.feedback.record({ message_id: message.id }));
      // Before PostgREST has read the schema again, and afterwards.
      expect(await record()).toMatchObject({ kind: 'unexpected_row', code: 'TD066', cause: { code: '42P01' } });
      await client.query("NOTIFY pgrst, 'reload schema'");
      await vi.waitFor(
        async () => expect(await record()).toMatchObject({ kind: 'unexpected_row', cause: { code: 'PGRST205' } }),
        { timeout: 30_000 },
      );
    } finally {
      await client.query("ALTER TABLE public.feedback RENAME TO message_feedback; NOTIFY pgrst, 'reload schema'");
    }
  });

  test('a list goes on where one over pg ended, and the other way round', async () => {
    const reader = await insertUser(client);
    for (const title of ['1', '2', '3', '4', '5']) await insertSession(client, reader, { title });
    const stores = [over.store.asUser(reader), await storeAs(api.rest, reader)];
    const seen: string[] = [];
    let after: string | null = null;
    for (let page = 0; page === 0 || after !== null; page++) {
      const { rows, next }: { rows: readonly { id: string }[]; next: string | null } = await (stores[
        page % 2
      ]?.sessions.list({
        limit: 2,
        after,
      }) ?? Promise.reject(new Error('no store')));
      seen.push(...rows.map((row) => row.id));
      after = next;
    }
    const { rows } = (await stores[0]?.sessions.list(lastPage)) ?? { rows: [] };
    expect(seen).toEqual(rows.map((row) => row.id));
    expect(seen).toHaveLength(5);
  });

  test('a cursor that nobody gave out adds no condition', async () => {
    for (const value of ['x")', 'x\\', '("', 'x",id.not.is.null,last_accessed.gt."x', 'x),and(id.not.is.null']) {
      const after = Buffer.from(JSON.stringify([value, randomUUID()])).toString('base64url');
      // The server was given all of it as one value.
      const refused = { kind: 'invalid_value', detail: expect.stringContaining(`"${value}"`) };
      expect(await errorOf(store.sessions.list({ after }))).toMatchObject(refused);
      expect(await errorOf(store.messages.list({ session_id: session, after }))).toMatchObject(refused);
    }
  });

  test.each([
    ['infinity', 8.64e15],
    ['-infinity', -8.64e15],
    ['20000-01-02T00:00:00Z', Date.parse('+020000-01-02T00:00:00Z')],
    ['290000-01-01', 8.64e15],
    ['0044-03-15T00:00:00Z BC', Date.parse('-000043-03-15T00:00:00Z')],
    ['0001-06-01T00:00:00Z BC', Date.parse('0000-06-01T00:00:00Z')],
    ['2026-02-03T04:05:06.789012Z', Date.parse('2026-02-03T04:05:06.789Z')],
  ])('a time of %s is the same as over pg', async (written, time) => {
    await client.query('UPDATE public.sessions SET created_at = $2::timestamptz WHERE id = $1', [session, written]);
    const [over_pg, over_rest] = [
      await over.store.asUser(ann).sessions.get(session),
      await store.sessions.get(session),
    ];
    expect(over_rest?.created_at.getTime()).toBe(time);
    expect(over_pg?.created_at).toEqual(over_rest?.created_at);
  });

  test('search takes its options', async () => {
    await insertMessage(client, session, ann, 'A hundred hippopotamuses', 700);
    const since = (ms: number) =>
      store.search('hippopotamus', { since: new Date(Date.now() + ms), sort: 'newest', max_results: 1 });
    expect(await since(-60_000)).toMatchObject([{ content: 'A hundred hippopotamuses', session_id: session }]);
    expect(await since(60_000)).toEqual([]);
    expect(await kindOf(store.search('x', { language: 'it' as 'en' }))).toBe('invalid_value');
  });

  test('nobody’s figures are to be had as the service of another user', async () => {
    expect(await store.stats({ user_id: randomUUID() })).toEqual([]);
    expect(await kindOf(createStore(await clientAs(api.rest, ann), { userId: null }).stats())).toBe('not_allowed');
  });
});

describe.skipIf(postgrestPath === null)('tables and columns of other names', () => {
  const api = useRest(() => useDatabase(renamed), { schema: 'My App' });

  test('are read and written under the guide’s', async () => {
    const tandem = tandemOn(api.database, config);
    await tandem.migrate();
    await tandem.finish();
    const client = await api.database.connect();
    const ann = await insertUser(client);
    const supabase = await clientAs(api.rest, ann);
    const { sessions, messages, feedback, search, stats } = createStore(supabase, { plan: config });
    // What PostgREST reads last of the new schema.
    await vi.waitFor(() => search('x'), { timeout: 30_000 });
    const session = await sessions.create({ language: 'de', level: 'advanced', title: 'Zoo' });
    expect(session).toMatchObject({ user_id: ann, language: 'de', level: 'advanced', status: 'active' });
    await sessions.create({ language: 'de', level: 'advanced' });
    const first = await messages.append({ session_id: session.id, content: 'Die Giraffen' });
    expect(first).toMatchObject({ session_id: session.id, user_id: ann, sequence_number: 1, content: 'Die Giraffen' });
    await messages.append({ session_id: session.id, content: 'Die Zebras' });
    expect(await messages.edit(first.id, { content: 'Die Elefanten' })).toMatchObject({ content: 'Die Elefanten' });
    const page = await messages.list({ session_id: session.id, limit: 1 });
    expect((await messages.list({ session_id: session.id, after: page.next })).rows).toMatchObject([
      { content: 'Die Zebras' },
    ]);
    const { next } = await sessions.list({ limit: 1 });
    expect((await sessions.list({ after: next })).rows).toMatchObject([{ id: session.id }]);
    expect(await feedback.record({ message_id: first.id, overall_score: 70 })).toMatchObject({ overall_score: 70 });
    expect(await search('Elefanten', { session_id: session.id })).toMatchObject([
      { id: first.id, session_title: 'Zoo' },
    ]);
    expect(await sessions.touch(session.id)).toBe(false);
    expect(await sessions.archive(session.id)).toMatchObject({ status: 'archived' });
    expect(await stats()).toMatchObject([{ status: 'active' }, { user_id: ann, status: 'archived', messages: 2 }]);
    await sessions.purge(session.id);
    expect(await sessions.get(session.id)).toBeNull();
  });
});
