import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Actions, StoreError, type SupabaseStore } from '../../src/client/index.ts';
import { insertFeedback, insertMessage, insertSession, insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { postgrestPath, useRest } from '../supabase/postgrest.ts';
import { useDatabase } from '../support/database.ts';
import { errorOf, useStore } from './fixtures.ts';
import { storeAs } from './supabase.ts';

const api = useRest(() => useDatabase(migrated, { per: 'suite' }), { per: 'suite' });
const { database } = api;
const own = useStore(database);

/** A user's store, or that of the service. */
type As = (who: string | 'service') => Promise<SupabaseStore>;
const overPg: As = async (who) => (who === 'service' ? own.store.asService() : own.store.asUser(who));
const overSupabase: As = (who) => storeAs(api.rest, who === 'service' ? 'service_role' : who);
const stores: [string, As][] = [
  ['over pg', overPg],
  ...(postgrestPath ? [['over supabase-js', overSupabase] as [string, As]] : []),
];
let user: string;
let session: string;
let message: string;

beforeAll(async () => {
  const client = await database.connect();
  user = await insertUser(client);
  session = await insertSession(client, user);
  message = await insertMessage(client, session, user);
  await insertFeedback(client, message);
});

/** What programs pass by mistake, or people on purpose. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      null,
      undefined,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -1,
      0,
      0.5,
      2 ** 31,
      2 ** 53,
      10n,
      true,
      [],
      {},
      Symbol('x'),
    ],
    ...[
      '',
      ' ',
      'NULL',
      "'; DROP TABLE messages; --",
      '$1',
      '%',
      'a\0b',
      '\ud83d',
      '\u202e',
      'x'.repeat(70_000),
      'İ',
      '{}',
      'infinity',
    ],
    ...[
      'not-a-uuid',
      '00000000-0000-0000-0000-000000000000',
      '{00000000-0000-4000-8000-000000000000}',
      randomUUID().toUpperCase(),
    ],
    ...[
      new Date(Number.NaN),
      new Date(8.64e15),
      new Date(-8.64e15),
      { toString: () => 'active' },
      ['active'],
      () => 'active',
    ],
  ),
  fc.anything(),
);
const like = (...values: unknown[]) =>
  fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: odd });
const fields = (known: Record<string, fc.Arbitrary<unknown>>) =>
  fc.oneof({ weight: 9, arbitrary: fc.record(known, { requiredKeys: [] }) }, { weight: 1, arbitrary: odd });

const id = like(undefined, randomUUID());
type Call = [string, fc.Arbitrary<unknown[]>, (as: Actions, ...given: never[]) => Promise<unknown>];
const calls: Call[] = [
  [
    'sessions.create',
    fc.tuple(
      fields({ id, user_id: id, language: like('en', 'fr'), level: like('beginner'), title: like('A title', null) }),
    ),
    ({ sessions }, input) => sessions.create(input),
  ],
  [
    'sessions.list',
    fc.tuple(
      fields({
        status: like('active'),
        user_id: id,
        limit: like(1, 200),
        after: like(null, cursorOf('2026-01-01'), cursorOf('x')),
      }),
    ),
    ({ sessions }, page) => sessions.list(page),
  ],
  ['sessions.rename', fc.tuple(odd, like('Renamed')), ({ sessions }, one, title) => sessions.rename(one, title)],
  ...(['get', 'touch', 'archive', 'restore', 'delete', 'purge'] as const).map(
    (name): Call => [`sessions.${name}`, fc.tuple(odd), ({ sessions }, one) => sessions[name](one)],
  ),
  [
    'messages.append',
    fc.tuple(
      fields({
        id,
        session_id: fc.constant(null).chain(() => like(session)),
        user_id: id,
        type: like('text'),
        content: like('Hello'),
      }),
    ),
    ({ messages }, input) => messages.append(input),
  ],
  [
    'messages.edit',
    fc.tuple(odd, fields({ content: like('x') })),
    ({ messages }, one, change) => messages.edit(one, change),
  ],
  [
    'messages.list',
    fc.tuple(
      fields({
        session_id: like(randomUUID()),
        limit: like(2),
        after: like(cursorOf('3'), cursorOf('99999999999'), cursorOf('2026-01-01')),
      }),
    ),
    ({ messages }, page) => messages.list(page),
  ],
  [
    'feedback.record',
    fc.tuple(
      fields({
        message_id: fc.constant(null).chain(() => like(message)),
        overall_score: like(0, 100, null),
        fluency_score: like(50),
        comment: like('Good'),
        corrections: like([{ from: 'a', to: 'b' }], '\u0000'),
      }),
    ),
    ({ feedback }, input) => feedback.record(input),
  ],
  [
    'feedback.average',
    fc.tuple(fields({ session_id: id, message_id: id, user_id: id })),
    ({ feedback }, of) => feedback.average(of),
  ],
  [
    'search',
    fc.tuple(
      like('hello', '-', '"'),
      fields({
        session_id: id,
        user_id: id,
        language: like('en'),
        type: like('text'),
        since: like(new Date('2026-01-01')),
        sort: like('rank', 'newest'),
        typing: like(true),
        correct_spelling: like(false),
        max_results: like(1),
        page_offset: like(0),
      }),
    ),
    ({ search }, query, options) => search(query, options),
  ],
  ['stats', fc.tuple(fields({ user_id: id })), ({ stats }, of) => stats(of)],
];

function cursorOf(position: string): string {
  return Buffer.from(JSON.stringify([position, randomUUID()])).toString('base64url');
}

/** JSON of so many lists in each other. */
function deep(levels: number): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

describe.each(stores)('%s', (_, as) => {
  test.each(calls)('%s answers, or refuses with an error of its own, whatever it is given', async (_, given, call) => {
    const [ofUser, ofService] = [await as(user), await as('service')];
    await fc.assert(
      fc.asyncProperty(given, fc.boolean(), async (values, service) => {
        // Also what is thrown before there is a promise. What a store lacks in its type it refuses, too.
        await Promise.resolve()
          .then(() => call((service ? ofService : ofUser) as Actions, ...(values as never[])))
          .catch((error: unknown) => {
            if (!(error instanceof StoreError)) throw error;
          });
      }),
      { numRuns: 150 },
    );
  });
});

test.each<[string, unknown]>([
  ['no token', 'a.b.c'],
  ['nothing', undefined],
  ['an object', { sub: randomUUID() }],
  ['a list', [randomUUID()]],
  ['an id with something after it', `${randomUUID()}' OR true`],
])('asUser refuses %s', (_, who) => {
  expect(() => own.store.asUser(who as string)).toThrow(expect.objectContaining({ kind: 'invalid_caller' }));
});

// Through the API anybody can write such times into their own rows, and the service lists everybody's.
test.each(
  stores.flatMap(([over, as]) =>
    ['infinity', '-infinity', '294276-12-31', '4713-01-01 BC'].map((time) => ({ over, as, time })),
  ),
)('a row of the time $time ends no list, $over', async ({ as: of, time }) => {
  const client = await database.connect();
  const other = await insertUser(client);
  const id = await insertSession(client, other);
  const written = await insertMessage(client, id, other, 'An odd time');
  const ids = [id, await insertSession(client, other)].sort().reverse();
  await client.query('UPDATE public.sessions SET last_accessed = $2, created_at = $2 WHERE id = ANY ($1)', [ids, time]);
  await client.query('UPDATE public.messages SET created_at = $2 WHERE id = $1', [written, time]);
  await client.query('REFRESH MATERIALIZED VIEW public.session_stats');
  for (const as of [await of(other), await of('service')]) {
    const seen: string[] = [];
    let page = await as.sessions.list({ limit: 1, user_id: other });
    for (;;) {
      for (const row of page.rows) {
        expect(row.last_accessed.getTime()).not.toBeNaN();
        seen.push(row.id);
      }
      if (page.next === null) break;
      page = await as.sessions.list({ limit: 1, user_id: other, after: page.next });
    }
    expect(seen).toEqual(ids);
    expect((await as.messages.list({ session_id: id })).rows).toHaveLength(1);
    expect(await as.search('odd', { user_id: other })).toHaveLength(1);
    expect(await as.stats({ user_id: other })).toHaveLength(1);
  }
  await client.query('DELETE FROM auth.users WHERE id = $1', [other]);
});

test('half of a character is refused, and not stored as another one', async () => {
  const error = await errorOf(own.store.asUser(user).sessions.rename(session, '🐘'.slice(0, 1)));
  expect(error).toMatchObject({ kind: 'invalid_value', detail: expect.stringContaining('surrogate') });
  expect(await own.store.asUser(user).sessions.rename(session, '🐘')).toMatchObject({ title: '🐘' });
});

test.each(stores.flatMap(([over, as]) => [500, 3_000, 5_000, 100_000].map((levels) => ({ over, as, levels }))))(
  'corrections of $levels levels are stored, or refused, $over',
  async ({ as, levels }) => {
    const { feedback } = await as(user);
    const outcome = await feedback
      .record({ message_id: message, corrections: deep(levels) as never })
      .then(({ corrections }) => JSON.stringify(corrections) === JSON.stringify(deep(levels)))
      .catch((error: unknown) => error);
    // How deep is too deep, the stacks of this process and of the server say.
    if (levels === 500) expect(outcome).toBe(true);
    else if (outcome !== true) expect(outcome).toMatchObject({ kind: 'invalid_value' });
  },
);
