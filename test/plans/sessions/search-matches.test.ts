import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';
import { asRole, insertUser, migrated, only } from './fixtures.ts';
import { type SearchParameters, search } from './searching.ts';

/** More than the newest ones that are looked through before the index. */
const MESSAGES = 4_000;

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let heavy: string;
let session: string;

beforeAll(async () => {
  client = await database.connect();
  heavy = await insertUser(client);
  await client.query('INSERT INTO auth.users SELECT gen_random_uuid() FROM generate_series(1, 100)');
  await client.query(
    `INSERT INTO public.sessions (user_id, language, level)
     SELECT u.id, l, 'beginner' FROM auth.users u, unnest(enum_range(null::public.session_language)) l`,
  );
  // Words of every frequency, the same in every language; older messages hold the rarest.
  await client.query(
    `INSERT INTO public.messages (session_id, user_id, type, sequence_number, content, created_at)
     SELECT s.id, s.user_id, CASE WHEN n % 7 = 0 THEN 'audio' ELSE 'text' END::public.message_type, n,
            concat_ws(' ', 'wanderer', CASE WHEN n % 2 = 0 THEN 'zebra' END, CASE WHEN n % 50 = 0 THEN 'quartz' END,
                      CASE WHEN n % 500 = 3 THEN 'xylem' END, CASE WHEN n < 3 THEN 'obelisk' END, CASE WHEN n < 3 OR n > 997 THEN 'comet' END,
                      'n' || n),
            timestamptz '2026-01-01' + n * interval '1 minute'
       FROM public.sessions s, generate_series(1, CASE WHEN s.user_id = $2 THEN $1::int / 4 ELSE 5 END) n`,
    [MESSAGES, heavy],
  );
  await client.query('ANALYZE public.messages; SELECT private.refresh_search_words()');
  session = only(
    (await client.query("SELECT id FROM public.sessions WHERE user_id = $1 AND language = 'es'", [heavy])).rows,
  ).id;
});

const asHeavy = <T>(work: () => Promise<T>) => asRole(client, 'authenticated', { setting: 'json', sub: heavy }, work);

/** All pages, newest first. */
async function allFound(parameters: SearchParameters): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = await search(client, { ...parameters, sort: 'newest', max_results: 100, page_offset: ids.length });
    ids.push(...page.map((row) => row.id));
    if (page.length < 100) return ids;
  }
}

/** Every row read, without any index: `where` says the same in SQL. */
async function bruteForce(where: string, user: string | null = heavy): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT m.id FROM public.messages m WHERE (m.user_id = $1 OR $1 IS NULL) AND (${where}) ORDER BY m.created_at DESC, m.id`,
    [user],
  );
  return rows.map((row) => row.id);
}

async function indexUses(index: string): Promise<number> {
  await client.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await client.query<{ n: number }>(
    'SELECT idx_scan::int AS n FROM pg_stat_user_indexes WHERE indexrelname = $1',
    [index],
  );
  return only(rows).n;
}

const has = (word: string) => `m.content ~ '\\m${word}\\M'`;

describe('finds what reading every row finds, in the order of time', () => {
  test.each<[string, SearchParameters, string]>([
    ['a word that every message has', { query: 'wanderer' }, has('wanderer')],
    ['one that half of them have', { query: 'zebra' }, has('zebra')],
    ['a rare one', { query: 'xylem' }, has('xylem')],
    ['one that only the oldest have', { query: 'obelisk' }, has('obelisk')],
    ['two', { query: 'zebra quartz' }, `${has('zebra')} AND ${has('quartz')}`],
    ['either', { query: 'xylem or obelisk' }, `${has('xylem')} OR ${has('obelisk')}`],
    ['one without the other', { query: 'xylem -zebra' }, `${has('xylem')} AND NOT ${has('zebra')}`],
    ['a phrase', { query: '"zebra quartz"' }, "m.content LIKE '%zebra quartz%'"],
    ['one language', { query: 'xylem', language: 'fr' }, `${has('xylem')} AND m.language = 'fr'`],
    ['one type', { query: 'quartz', type: 'audio' }, `${has('quartz')} AND m.type = 'audio'`],
    [
      'since a time',
      { query: 'xylem', since: '2026-01-01 05:00Z' },
      `${has('xylem')} AND m.created_at >= '2026-01-01 05:00Z'`,
    ],
  ])('%s', async (_, parameters, where) => {
    const expected = await bruteForce(where);
    expect(expected.length).toBeGreaterThan(0);
    const found = await asHeavy(() => allFound(parameters));
    expect(found.length).toBe(expected.length);
    expect([...found].sort()).toEqual([...expected].sort());
  });

  test('in one session', async () => {
    const found = await asHeavy(() => allFound({ query: 'quartz', session_id: session }));
    expect(found).toEqual(await bruteForce(`${has('quartz')} AND m.session_id = '${session}'`));
  });

  test('of everybody, for service_role', async () => {
    const found = await asRole(client, 'service_role', null, () => allFound({ query: 'xylem' }));
    expect([...found].sort()).toEqual((await bruteForce(has('xylem'), null)).sort());
  });
});

test.each([
  ['of one user', true],
  ['of everybody', false],
])('the newest are found, too, where the index gives more than are counted: %s', async (_, own) => {
  const reader = own ? heavy : null;
  const candidates = async (counted: number) => {
    const { rows } = await client.query<{ ids: string[] }>(
      `SELECT private.search_candidates(request, 20, 100, 150, $2) AS ids FROM (
         SELECT jsonb_populate_record(NULL::private.search_request, jsonb_build_object('reader', $1::uuid, 'deadline', 'infinity',
           'in_any_language', q, 'en', q, 'es', q, 'fr', q, 'de', q)) AS request FROM (VALUES ('quartz')) AS x (q)) r`,
      [reader, counted],
    );
    return only(rows).ids;
  };
  const { rows } = await client.query<{ id: string }>(
    `SELECT m.id FROM public.messages m WHERE (m.user_id = $1 OR $1 IS NULL) AND ${has('quartz')}
      ORDER BY m.created_at DESC FETCH FIRST 150 ROWS WITH TIES`,
    [reader],
  );
  const expected = rows.map(({ id }) => id).sort();
  for (const counted of [50, 1_000]) expect([counted, (await candidates(counted)).sort()]).toEqual([counted, expected]);
});

// 18 are looked through, and the two that share the time of the last one: the next step begins behind them.
describe.each([
  ['of one user', true],
  ['of everybody', false],
])('where the newest messages hold nearly enough: %s', (_, own) => {
  const candidates = async (word: string) => {
    const before = await indexUses('messages_content_search_idx');
    const { rows } = await client.query<{ ids: string[] }>(
      `SELECT private.search_candidates(request, 18, 30, 30) AS ids FROM (
         SELECT jsonb_populate_record(NULL::private.search_request, jsonb_build_object('reader', $1::uuid, 'deadline', 'infinity',
           'in_any_language', private.search_any_of(array[en, es, fr, de]), 'en', en, 'es', es, 'fr', fr, 'de', de)) AS request
           FROM private.search_reading('en', $2) en, private.search_reading('es', $2) es,
                private.search_reading('fr', $2) fr, private.search_reading('de', $2) de) r`,
      [own ? heavy : null, word],
    );
    return {
      ids: [...only(rows).ids].sort(),
      indexUses: (await indexUses('messages_content_search_idx')) - before,
    };
  };
  const newest = async (word: string) => {
    const { rows } = await client.query<{ id: string }>(
      `SELECT m.id FROM public.messages m WHERE (m.user_id = $1 OR $1 IS NULL) AND ${has(word)}
        ORDER BY m.created_at DESC FETCH FIRST 30 ROWS WITH TIES`,
      [own ? heavy : null],
    );
    return rows.map(({ id }) => id).sort();
  };

  test('the rest is found by going further back, without the text index', async () => {
    expect(await candidates('zebra')).toEqual({ ids: await newest('zebra'), indexUses: 0 });
  });

  test('and by the text index where the messages before have none', async () => {
    expect(await candidates('comet')).toEqual({ ids: await newest('comet'), indexUses: 1 });
  });
});

test('by rank: the pages have no message twice and leave none out', async () => {
  const pages: string[] = [];
  for (let page_offset = 0; page_offset < 120; page_offset += 20) {
    pages.push(...(await asHeavy(() => search(client, { query: 'zebra', page_offset }))).map((row) => row.id));
  }
  expect(pages).toHaveLength(100);
  expect(new Set(pages).size).toBe(100);
  expect([...pages].sort()).toEqual((await bruteForce(has('zebra'))).slice(0, 100).sort());
});

describe('which index', () => {
  const usesFor = async (index: string, query: string) => {
    const before = await indexUses(index);
    await asHeavy(() => search(client, { query, correct_spelling: false }));
    return (await indexUses(index)) - before;
  };

  test('the text index is asked for a rare word, and not for one that the newest messages have', async () => {
    expect(await usesFor('messages_content_search_idx', 'obelisk')).toBe(1);
    expect(await usesFor('messages_content_search_idx', 'wanderer')).toBe(0);
    expect(await usesFor('messages_user_id_created_at_idx', 'wanderer')).toBeGreaterThan(0);
  });

  // A table of a test's size is not worth it to the planner; one of two million was, and took 0.4 s for it.
  test('the text index is asked alone: no other one may be combined with it', async () => {
    const { rows } = await client.query("SELECT prosrc AS body FROM pg_proc WHERE proname = 'search_candidates'");
    const asked = [...only(rows).body.matchAll(/@@ request\.in_any_language([\s\S]*?)limit counted/g)];
    expect(asked).toHaveLength(2);
    for (const [, conditions] of asked) expect(conditions).not.toMatch(/>= since|and n\.\S*created_at\S* >=/);
  });

  test('the user’s part of it is in the condition of the index, and no btree takes it over', async () => {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT id FROM public.messages WHERE array[user_id] @> array['${heavy}'::uuid] AND content_search @@ 'obelisk'::tsquery`,
    );
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Cond: .*ARRAY\[user_id\] @> .*content_search @@/);
    expect(plan).toContain('messages_content_search_idx');
  });

  test('misspelt words are looked up by the index of the vocabulary', async () => {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT word FROM private.search_words WHERE private.search_deletions(word) && private.search_deletions('obelisc')`,
    );
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('search_words_deletions_idx');
  });
});
