import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { packageRoot } from '../../src/db/sql-file.ts';
import { flatWithRows } from '../engine/flat-database.ts';
import { tandemOn } from '../engine/tandem.ts';
import { only } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import type { Setup } from '../support/template.ts';
import { type Answer, offeredTo, postgrestPath, type Rest, useRest } from './postgrest.ts';

const { run } = flatWithRows('variants', { sessions: 60, messages: 300 });
const flatApplication: Setup = {
  name: 'flat_application',
  run: async (client) => {
    await run(client);
    await client.query(`
      GRANT SELECT, INSERT, UPDATE, DELETE ON public.sessions, public.messages TO authenticated;
      GRANT ALL ON public.sessions, public.messages TO service_role;
      ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;
      ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY;
      CREATE POLICY own ON public.sessions TO authenticated USING (user_id = auth.uid());
      CREATE POLICY own ON public.messages TO authenticated USING (user_id = auth.uid());
      CREATE TABLE public.bookmarks (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session_id uuid REFERENCES public.sessions);
      CREATE TABLE public.ratings (session_id uuid PRIMARY KEY REFERENCES public.sessions, stars integer);
      INSERT INTO public.bookmarks (session_id) SELECT id FROM public.sessions;
      INSERT INTO public.ratings SELECT id, 5 FROM public.sessions;
      CREATE TABLE public.tags (id integer PRIMARY KEY, name text);
      CREATE TABLE public.session_tags (session_id uuid REFERENCES public.sessions, tag_id integer REFERENCES public.tags, PRIMARY KEY (session_id, tag_id));
      INSERT INTO public.tags VALUES (1, 'travel');
      INSERT INTO public.session_tags SELECT id, 1 FROM public.sessions;
      CREATE VIEW public.recent AS SELECT * FROM public.sessions;
      GRANT SELECT ON public.bookmarks, public.ratings, public.tags, public.session_tags, public.recent TO authenticated, service_role`);
  },
};

type Requests = Readonly<Record<string, () => Promise<Answer>>>;

/** What the application asks all along: none of it names a column that becomes an enum. */
const requestsOf = (rest: Rest, user: string, session: string): Requests => ({
  'messages of sessions': () => rest.ask('sessions?select=title,messages(content)&order=title', user),
  'the session of messages': () => rest.ask('messages?select=content,sessions(title)&limit=5', user),
  'inner, by a column of the embedded': () =>
    rest.ask('sessions?select=title,messages!inner(content)&messages.sequence_number=gt.1', user),
  'bookmarks of sessions': () => rest.ask('sessions?select=title,bookmarks!inner(id),ratings!inner(stars)', user),
  'the session of bookmarks': () => rest.ask('bookmarks?select=id,sessions!inner(title)', user),
  'as the service': () => rest.ask('messages?select=content,sessions!inner(title)&limit=5', 'service_role'),
  'a title': () => rest.ask(`sessions?id=eq.${session}`, user, { method: 'PATCH', body: { title: 'Again' } }),
  'a status': () => rest.ask(`sessions?id=eq.${session}`, user, { method: 'PATCH', body: { status: 'archived' } }),
  'a message': () =>
    rest.ask('messages', user, {
      method: 'POST',
      body: { session_id: session, user_id: user, sequence_number: 900, type: 'text', content: 'more' },
    }),
});

/** Asks one thing after the other until `stop`, and keeps what was not answered as it should be. */
function keepAsking(requests: Requests) {
  let [stopped, rounds] = [false, 0];
  const refused: string[] = [];
  const ask = async () => {
    for (; !stopped; rounds++) {
      for (const [what, request] of Object.entries(requests)) {
        const { status, body } = await request();
        if (status >= 300 || (Array.isArray(body) && body.length === 0)) {
          refused.push(`${what}: ${status} ${JSON.stringify(body)}`);
        }
      }
    }
  };
  const asking = Promise.all([ask(), ask()]);
  return {
    refused,
    /** Resolves once everything was asked some times more. */
    more: async () => {
      const enough = rounds + 6;
      await vi.waitFor(() => expect(rounds).toBeGreaterThan(enough), { timeout: 60_000, interval: 10 });
    },
    stop: async () => {
      stopped = true;
      await asking;
    },
  };
}

describe.skipIf(postgrestPath === null)('a PostgREST that was started before the migration', () => {
  const api = useRest(() => useDatabase(flatApplication));

  /** Resolves once PostgREST answers as it does of the moved tables (or of the flat ones), without being told by us. */
  const untilRead = (moved: boolean, user: string) =>
    vi.waitFor(
      async () => {
        const paths = ['rpc/search_messages?query=hola', 'message_feedback', 'sessions?select=id,messages(id)'];
        const answers = await Promise.all(paths.map(async (path) => (await api.rest.ask(path, user)).body));
        const absent = { code: expect.stringMatching(/^PGRST20[25]$/) };
        const rows = expect.any(Array);
        expect(answers).toMatchObject(moved ? [rows, rows, rows] : [absent, absent, rows]);
      },
      { timeout: 30_000, interval: 20 },
    );

  test('answers without a gap over the cutover, and again after a rollback, a second run and finish', async () => {
    const { rest, database } = api;
    const found = await database.pool.query<{ user: string; session: string }>(
      `SELECT s.user_id AS user, min(s.id::text) AS session FROM public.sessions s JOIN public.messages m ON m.session_id = s.id
        WHERE m.sequence_number > 1 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1`,
    );
    const { user, session } = only(found.rows);
    const tandem = tandemOn(database);
    const byStatus = () => rest.ask('messages?select=id,sessions!inner(status)&sessions.status=eq.archived', user);

    const first = keepAsking(requestsOf(rest, user, session));
    await first.more();
    await tandem.migrate();
    await untilRead(true, user);
    await first.more();
    await first.stop();
    expect(first.refused).toEqual([]);
    expect(await byStatus()).toMatchObject({ status: 200, body: expect.arrayContaining([expect.anything()]) });

    // Back to the flat tables, enums and relationships go at once: what PostgREST still knows of them is of no use.
    await tandem.rollback();
    await untilRead(false, user);
    const second = keepAsking(requestsOf(rest, user, session));
    await second.more();
    await tandem.migrate();
    await untilRead(true, user);
    await tandem.finish();
    await second.more();
    await second.stop();
    expect(second.refused).toEqual([]);
    expect((await byStatus()).status).toBe(200);
    expect(await rest.ask(`sessions?select=bookmarks(session_id),ratings(stars)&id=eq.${session}`, user)).toMatchObject(
      {
        body: [{ bookmarks: [{ session_id: session }], ratings: { stars: 5 } }],
      },
    );
    // What docs/supabase.md says of keys that nothing takes the place of.
    const lost = ['sessions?select=tags(name)', 'recent?select=messages(content)'];
    for (const path of lost) expect((await rest.ask(path, user)).body).toMatchObject({ code: 'PGRST200' });
    const tagged = `id=eq.${session}&select=`;
    const tags = [{ name: 'travel' }];
    expect(await rest.ask(`sessions?${tagged}session_tags(tags(name))`, user)).toMatchObject({
      body: [{ session_tags: [{ tags: tags[0] }] }],
    });
    const document = readFileSync(join(packageRoot(), 'docs/supabase.md'), 'utf8');
    await database.pool.query(/^CREATE FUNCTION public\.tags[^;]+;\nNOTIFY [^;]+;$/m.exec(document)?.[0] ?? '');
    await vi.waitFor(
      async () => expect((await rest.ask(`sessions?${tagged}tags(name)`, user)).body).toEqual([{ tags }]),
      { timeout: 30_000 },
    );
    expect(await offeredTo(rest, user)).toEqual([
      '/bookmarks',
      '/message_feedback',
      '/messages',
      '/my_session_stats',
      '/ratings',
      '/recent',
      '/rpc/search_messages',
      '/session_tags',
      '/sessions',
      '/tags',
    ]);
    expect(await offeredTo(rest, 'anon')).toEqual([]);
  });
});
