import { describe, expect, test, vi } from 'vitest';
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
      CREATE POLICY own ON public.messages TO authenticated USING (user_id = auth.uid())`);
  },
};

type Requests = Readonly<Record<string, () => Promise<Answer>>>;

/** What the application asks all along: none of it names a column that becomes an enum. */
const requestsOf = (rest: Rest, user: string, session: string): Requests => ({
  'messages of sessions': () => rest.ask('sessions?select=title,messages(content)&order=title', user),
  'the session of messages': () => rest.ask('messages?select=content,sessions(title)&limit=5', user),
  'inner, by a column of the embedded': () =>
    rest.ask('sessions?select=title,messages!inner(content)&messages.sequence_number=gt.1', user),
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
    expect(await offeredTo(rest, user)).toEqual([
      '/message_feedback',
      '/messages',
      '/my_session_stats',
      '/rpc/search_messages',
      '/sessions',
    ]);
    expect(await offeredTo(rest, 'anon')).toEqual([]);
  });
});
