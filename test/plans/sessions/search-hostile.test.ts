import fc from 'fast-check';
import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';
import { asRole, insertUser, migrated, refusal } from './fixtures.ts';
import { contentsFound, say, search } from './searching.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let ann: string;

beforeAll(async () => {
  client = await database.connect();
  ann = await insertUser(client);
  await say(client, ann, 'en', ['A needle in a haystack', '<b onclick="x">needle & pin</b>', 'שלום needle שלום']);
  await say(client, ann, 'es', ['Una aguja en un pajar']);
  await client.query("SELECT private.refresh_search_words(); SET statement_timeout = '5s'");
});

const asAnn = <T>(work: () => Promise<T>) => asRole(client, 'authenticated', { setting: 'json', sub: ann }, work);

/** Not to be worked out by hand: what the queries below are made of. */
const PIECES = [
  ...[
    '-',
    '--',
    '"',
    "'",
    ' ',
    'or',
    ' or ',
    '&',
    '|',
    '!',
    '<->',
    '(',
    ')',
    ':*',
    ':A',
    '*',
    '\\',
    '%',
    '_',
    '-"',
    '"-',
  ],
  ...[
    'needle',
    'aguja',
    'x-y',
    'a@b.c',
    'http://x.y/z?q',
    '-1.5e9',
    '\t',
    '\n',
    '\u0001',
    '\u007f',
    '\u00a0',
    '\ufeff',
  ],
  ...[
    'ü',
    'é',
    'e\u0301',
    'ß',
    '½',
    '㏂',
    '\uff3c',
    '\uff07',
    'ﷺ',
    'שלום',
    'مرحبا',
    '\u202e',
    '\u{1f418}',
    '“',
    '–',
    '&amp;',
    '<b>',
  ],
];

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
      { weight: 4, arbitrary: fc.constantFrom(...PIECES) },
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
