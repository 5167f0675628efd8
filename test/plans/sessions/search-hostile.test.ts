import fc from 'fast-check';
import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { oddPieces } from '../../../bench/odd-pieces.ts';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { useDatabase } from '../../support/database.ts';
import { asRole, insertUser, migrated, only, refusal } from './fixtures.ts';
import { contentsFound, type SearchParameters, say, search } from './searching.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let ann: string;
let sessionOf: string;
let spanish: string;

beforeAll(async () => {
  client = await database.connect();
  ann = await insertUser(client);
  sessionOf = await say(client, ann, 'en', [
    'A needle in a haystack',
    '<b onclick="x">needle & pin</b>',
    'שלום needle שלום',
  ]);
  spanish = await say(client, ann, 'es', ['Una aguja en un pajar']);
  await client.query("SELECT private.refresh_search_words(); SET statement_timeout = '5s'");
});

const asAnn = <T>(work: () => Promise<T>) => asRole(client, 'authenticated', { setting: 'json', sub: ann }, work);

describe('an answer in time, and never an error of a parser', () => {
  test.each<[string, string]>([
    ['nothing', ''],
    ['spaces', ' \t\n '],
    ['stop words only', 'the and of'],
    ['exclusions only', '-needle -pin'],
    ['an unbalanced quote', '"needle in'],
    ['quotes in quotes', '"a "b" c"'],
    ['wildcards', '%_\\ * ?'],
    ['operators', 'a & | ! (b <-> :* c'],
    ['lone dashes', '- '.repeat(60)],
    ['dashes side by side', '-'.repeat(250)],
    ['quoted dashes', '-"'.repeat(120)],
    ['alternatives of nothing', 'or or or or'],
    ['control characters', '\u0001\u0002\u001f\u007f'],
    ['right-to-left text and marks', '\u202eשלום مرحبا\u202c'],
    ['100 kB in one word', 'x'.repeat(100_000)],
    ['100 kB in many', 'needle or '.repeat(10_000)],
    ['1 MB of dashes', '- '.repeat(500_000)],
  ])('%s', async (_, query) => {
    for (const typing of [false, true]) {
      const rows = await asAnn(() => search(client, { query, typing }));
      expect(rows.every((row) => row.content.length > 0)).toBe(true);
    }
  });

  test('whatever is put together', async () => {
    const piece = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...oddPieces, 'needle', 'aguja') },
      { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    );
    // PostgreSQL's text has no NUL, and an unpaired surrogate is no UTF-8.
    const query = fc.array(piece, { maxLength: 80 }).map((pieces) =>
      pieces
        .join('')
        .replaceAll('\0', '')
        .replaceAll(/\p{Surrogate}/gu, ''),
    );
    await fc.assert(
      fc.asyncProperty(query, fc.boolean(), fc.constantFrom('rank', 'newest'), async (text, typing, sort) => {
        await asAnn(() => search(client, { query: text, typing, sort }));
      }),
      { numRuns: 1_000 },
    );
  });

  test('of NULL, nothing', async () => {
    expect(await search(client, { query: null })).toEqual([]);
  });
});

describe('the time that a search may take', () => {
  /** Runs `work` with another limit, and puts the first one back. */
  const within = async (limit: string, work: () => Promise<void>) => {
    const define = (interval: string) =>
      client.query(`CREATE OR REPLACE FUNCTION private.search_time_limit() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN interval '${interval}'`);
    await define(limit);
    await work().finally(() => define('3 seconds'));
  };

  test.each<[string, SearchParameters]>([
    ['of the newest', { query: 'needle' }],
    ['of one session', { query: 'needle', session_id: '' }],
    ['while a word is typed', { query: 'need', typing: true }],
    ['with a slip', { query: 'neeedle' }],
  ])('is over for a search %s', async (_, parameters) => {
    const given = 'session_id' in parameters ? { ...parameters, session_id: sessionOf } : parameters;
    await within('0 seconds', async () => {
      const query = asAnn(() => search(client, given));
      await expect(query).rejects.toMatchObject({
        code: SqlState.queryCanceled,
        message: 'The search was given up after 0 seconds.',
        hint: expect.stringContaining('session'),
      });
      const everybodys = asRole(client, 'service_role', null, () => search(client, given));
      expect(await refusal(everybodys)).toBe(SqlState.queryCanceled);
    });
    expect((await asAnn(() => search(client, given))).length).toBeGreaterThan(0);
  });

  test('is asked for at every message that is read, by whichever index', async () => {
    const { rows } = await client.query("SELECT prosrc AS body FROM pg_proc WHERE proname = 'search_candidates'");
    const reads = [...only(rows).body.matchAll(/(\S+\(\)\))\s+and \w\.content_search @@ case/g)];
    expect(reads.map(([, before]) => before)).toEqual(Array(5).fill('private.search_out_of_time())'));
    expect(only(rows).body.match(/content_search @@ case/g)).toHaveLength(5);
  });

  test('ends a search that reads the text of one long message after the other', async () => {
    await client.query('BEGIN');
    try {
      // The stem finds all of them, and none has a word that begins as it is typed.
      await client.query(
        `INSERT INTO public.messages (session_id, user_id, sequence_number, content, created_at)
         SELECT $1, $2, 100 + n, 'corriendo ' || repeat('ü', 20000), now() - n * interval '1 hour' FROM generate_series(1, 400) n`,
        [spanish, ann],
      );
      await client.query(
        "CREATE OR REPLACE FUNCTION private.search_time_limit() RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN interval '20 ms'",
      );
      await client.query("SELECT set_config('request.jwt.claim.sub', $1, true)", [ann]);
      await client.query('SET LOCAL ROLE authenticated');
      const startedAt = performance.now();
      expect(await refusal(search(client, { query: 'corrxxxxxx', typing: true }))).toBe(SqlState.queryCanceled);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    } finally {
      await client.query('ROLLBACK');
    }
  });
});

test('the first search of a connection searches once, not to plan it as well', async () => {
  const fresh = await database.connect();
  await fresh.query("SET track_functions = 'all'");
  const calls = async () => {
    await fresh.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await fresh.query<{ calls: number }>(
      "SELECT coalesce(sum(calls), 0)::int AS calls FROM pg_stat_user_functions WHERE funcname = 'search' AND schemaname = 'private'",
    );
    return rows[0]?.calls ?? 0;
  };
  const before = await calls();
  await asRole(fresh, 'authenticated', { setting: 'json', sub: ann }, () => search(fresh, { query: 'needle' }));
  expect((await calls()) - before).toBe(1);
});

test('what is given in place of a number or a name', async () => {
  const found = (parameters: Record<string, string | number | boolean | null>) =>
    contentsFound(client, { query: 'needle', ...parameters });
  for (const max_results of [0, -1]) expect(await found({ max_results })).toHaveLength(1);
  expect(await found({ max_results: null, page_offset: null, typing: null, correct_spelling: null })).toHaveLength(3);
  expect(await found({ page_offset: -5 })).toHaveLength(3);
  expect(await found({ page_offset: 2_000_000_000, sort: 'newest' })).toEqual([]);
  for (const sort of ['rang', '', null]) expect([sort, await refusal(found({ sort }))]).toEqual([sort, '22023']);
});

test('a snippet is text: what a message has of HTML is escaped, only the marks are not', async () => {
  const rows = await search(client, { query: 'pin' });
  expect(rows.map((row) => row.snippet)).toEqual([
    '&lt;b onclick=&quot;x&quot;&gt;needle &amp; <mark>pin</mark>&lt;/b&gt;',
  ]);
  const mark = await say(client, ann, 'en', ['<mark>stolen</mark> umbrella']);
  expect((await search(client, { query: 'umbrella', session_id: mark })).map((row) => row.snippet)).toEqual([
    '&lt;mark&gt;stolen&lt;/mark&gt; <mark>umbrella</mark>',
  ]);
});
