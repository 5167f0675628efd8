import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type pg from 'pg';
import { expect, test } from 'vitest';
import { type TestDatabase, useDatabase } from '../../support/database.ts';
import { insertUser, migrated } from './fixtures.ts';
import { expectExact, expectFolded, fold } from './rollup.ts';

/** How many histories; the seed that a failure prints brings it back. */
const RUNS = Number(process.env.TANDEM_TEST_HISTORIES ?? 4);
const SEED = process.env.TANDEM_TEST_SEED;
const CLIENTS = 3;
const SESSIONS = 3;

/** What a client may do; ? is one of the sessions, % one of the messages, by the numbers that come with it. */
const statements = [
  "INSERT INTO public.messages (id, session_id, user_id, content, type, created_at) VALUES (:new, :session, :user, 'x', :type, :time)",
  "INSERT INTO public.messages (session_id, user_id, sequence_number, content, type) SELECT id, user_id, 1, 'x', 'audio' FROM public.sessions WHERE user_id = :user",
  "INSERT INTO public.messages (id, session_id, user_id, sequence_number, content) VALUES (:message, :session, :user, 1, 'x') ON CONFLICT (id) DO UPDATE SET type = :type, created_at = :time",
  "UPDATE public.messages SET content = 'edited' WHERE id = :message",
  'UPDATE public.messages SET type = :type WHERE id = :message',
  'UPDATE public.messages SET created_at = :time WHERE id = :message',
  'UPDATE public.messages SET session_id = :session WHERE id = :message',
  'UPDATE public.messages SET session_id = :session WHERE user_id = :user AND type = :type',
  'DELETE FROM public.messages WHERE id = :message',
  'DELETE FROM public.messages WHERE session_id = :session AND type = :type',
  'INSERT INTO public.message_feedback (message_id, overall_score, grammar_score) SELECT id, :score, NULL FROM public.messages WHERE id = :message',
  'INSERT INTO public.message_feedback (message_id, fluency_score) SELECT id, :score FROM public.messages WHERE session_id = :session',
  'UPDATE public.message_feedback SET overall_score = :score, grammar_score = overall_score WHERE message_id = :message',
  'UPDATE public.message_feedback f SET message_id = m.id FROM public.messages m WHERE f.message_id = :message AND m.session_id = :session',
  'DELETE FROM public.message_feedback WHERE message_id = :message',
  "UPDATE public.sessions SET status = CASE status WHEN 'active' THEN 'archived' ELSE 'active' END::public.session_status WHERE id = :session",
  "UPDATE public.sessions SET language = 'de' WHERE id = :session",
  'DELETE FROM public.sessions WHERE id = :session',
  "INSERT INTO public.sessions (id, user_id, language, level) VALUES (:session, :user, 'en', 'beginner') ON CONFLICT DO NOTHING",
] as const;

const write = fc.record({
  client: fc.nat(CLIENTS - 1),
  sql: fc.constantFrom(...statements),
  session: fc.nat(SESSIONS - 1),
  message: fc.nat(7),
  type: fc.constantFrom('text', 'audio', 'system'),
  hour: fc.nat(23),
  score: fc.nat(100),
});
const moment = fc.oneof(
  { weight: 12, arbitrary: write },
  {
    weight: 4,
    arbitrary: fc.record({ client: fc.nat(CLIENTS - 1), end: fc.constantFrom('COMMIT', 'COMMIT', 'ROLLBACK') }),
  },
  { weight: 2, arbitrary: fc.record({ fold: fc.constantFrom(1, 2, 1000) }) },
  { weight: 1, arbitrary: fc.record({ recount: fc.constantFrom(1, 100) }) },
);
const history = fc.record({
  // A client with an older snapshot notes what it sees, or fails.
  isolation: fc.array(fc.constantFrom('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'), {
    minLength: CLIENTS,
    maxLength: CLIENTS,
  }),
  moments: fc.array(moment, { minLength: 40, maxLength: 80 }),
});

const database = useDatabase(migrated, { per: 'suite' });

test('whatever clients do, and whenever it is folded, rollup and queue say what counting says', {
  timeout: Math.max(60_000, RUNS * 20_000),
}, async () => {
  const property = fc.asyncProperty(history, (drawn) => carryOut(database, drawn));
  const [seed, path] = SEED?.split('/') ?? [];
  const result = await fc.check(property, {
    numRuns: RUNS * 3,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  });
  if (!result.failed) return;
  throw new Error(
    `TANDEM_TEST_SEED=${result.seed}/${result.counterexamplePath} brings it back: ${JSON.stringify(result.counterexample?.[0])}`,
    { cause: result.errorInstance },
  );
});

type Drawn = typeof history extends fc.Arbitrary<infer T> ? T : never;

/** Rows of its own for each history; the sessions of the ones before lie there, and count. */
async function carryOut({ pool, connect }: TestDatabase, { isolation, moments }: Drawn): Promise<void> {
  const clients = await Promise.all(isolation.map(() => connect()));
  const [keeper] = [await connect()];
  const user = await insertUser(keeper);
  const sessions = Array.from({ length: SESSIONS }, () => randomUUID());
  const messages = Array.from({ length: 8 }, () => randomUUID());
  for (const id of sessions)
    await keeper.query("INSERT INTO public.sessions (id, user_id, language, level) VALUES ($1, $2, 'en', 'beginner')", [
      id,
      user,
    ]);
  for (const [i, id] of messages.entries())
    await keeper.query(
      "INSERT INTO public.messages (id, session_id, user_id, sequence_number, content, created_at) VALUES ($1, $2, $3, $4, 'x', '2026-01-01')",
      [id, sessions[i % SESSIONS], user, i],
    );
  const open = new Set<pg.Client>();
  const end = async (client: pg.Client, how: string) => {
    open.delete(client);
    await client.query(how).catch(() => client.query('ROLLBACK'));
  };
  for (const step of moments) {
    if ('fold' in step) await fold(keeper, step.fold);
    else if ('recount' in step) {
      const { rows } = await keeper.query<{ drifted: number }>(
        "SELECT drifted::int FROM private.recount_sessions('00000000-0000-0000-0000-000000000000', $1)",
        [step.recount],
      );
      expect(rows).toEqual([{ drifted: 0 }]);
    } else {
      const client = clients[step.client];
      if (client === undefined) throw new Error('There is no such client.');
      if ('end' in step) await end(client, step.end);
      else {
        if (!open.has(client))
          await client.query(`BEGIN ISOLATION LEVEL ${isolation[step.client]}; SET LOCAL lock_timeout = '20ms'`);
        open.add(client);
        const values: Record<string, string> = {
          new: `'${randomUUID()}'`,
          session: `'${sessions[step.session]}'`,
          message: `'${messages[step.message]}'`,
          user: `'${user}'`,
          type: `'${step.type}'`,
          time: `'2026-01-01 ${step.hour}:00'`,
          score: String(step.score),
        };
        // Who meets another one's lock, or misses what another one has committed, does not do it.
        await client
          .query(step.sql.replaceAll(/:(\w+)/g, (whole, name) => values[name] ?? whole))
          .catch(() => end(client, 'ROLLBACK'));
      }
    }
    await expectExact(pool, JSON.stringify(step));
  }
  for (const client of clients) await end(client, 'COMMIT');
  await expectExact(pool);
  while ((await fold(keeper, 3)) > 0);
  await expectFolded(pool);
}
