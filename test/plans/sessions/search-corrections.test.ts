import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';
import { insertUser, migrated } from './fixtures.ts';
import { contentsFound, say, search } from './searching.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let ann: string;

beforeAll(async () => {
  client = await database.connect();
  ann = await insertUser(client);
  await say(client, ann, 'en', [
    'The elephants were running home',
    'Eleven elements',
    'I like my home',
    'A well-known song',
  ]);
  await say(client, ann, 'es', ['La habitación es grande', 'Estoy corriendo por la ciudad']);
  await say(client, ann, 'fr', ['Nous étudions le français', "J'aime l'étude"]);
  await say(client, ann, 'de', ['Die Häuser sind schön']);
  await client.query('SELECT private.refresh_search_words()');
});

const found = async (query: string, parameters = {}) =>
  (await search(client, { query, ...parameters })).map((row) => [row.content, row.correction]);

describe('a misspelt word', () => {
  test.each([
    ['a letter missing', 'elephnts', 'elephants'],
    ['a letter too many', 'elepphants', 'elephants'],
    ['another letter', 'elephanzs', 'elephants'],
    ['two letters swapped', 'elehpants', 'elephants'],
    ['the first letter missing', 'lephants', 'elephants'],
    ['the last letter missing, in capitals', 'ELEPHANTX', 'elephants'],
  ])('%s', async (_, query, correction) => {
    expect(await found(query)).toEqual([['The elephants were running home', correction]]);
  });

  test.each([
    ['habitasion', 'La habitación es grande', 'habitacion'],
    ['francais', 'Nous étudions le français', null],
    ['frannçais', 'Nous étudions le français', 'francais'],
    ['häusser', 'Die Häuser sind schön', 'hauser'],
  ])('in any language, with accents or without: %s', async (query, content, correction) => {
    expect(await found(query)).toEqual([[content, correction]]);
  });

  test('is corrected beside words that are right', async () => {
    expect(await found('elephnts home')).toEqual([['The elephants were running home', 'elephants home']]);
    // Both words are known, but no message has both: there is nothing to correct.
    expect(await found('elephants grande')).toEqual([]);
    expect(await found('elephnts xyzzyx')).toEqual([]);
  });

  test('is left alone where that is wanted, or where the query is more than words', async () => {
    expect(await found('elephnts', { correct_spelling: false })).toEqual([]);
    expect(await found('"elephnts home"')).toEqual([]);
    expect(await found('elephnts -home')).toEqual([]);
    expect(await found('homw', { typing: true })).toEqual([]);
  });

  test('has pages, too, and other parameters hold', async () => {
    expect(await found('elephnts', { page_offset: 1 })).toEqual([]);
    expect(await found('elephnts', { language: 'es' })).toEqual([]);
  });
});

describe('while a word is typed', () => {
  // Stems are not what their words begin with: of "corriendo", "corr" is indexed.
  test.each([
    ['ele', ['Eleven elements', 'The elephants were running home']],
    ['eleph', ['The elephants were running home']],
    ['elephants', ['The elephants were running home']],
    ['runni', ['The elephants were running home']],
    ['home eleph', ['The elephants were running home']],
    ['eleph -home', []],
    ['elements or eleph', ['Eleven elements', 'The elephants were running home']],
    ['corrie', ['Estoy corriendo por la ciudad']],
    ['corriendo', ['Estoy corriendo por la ciudad']],
    ['corrieron', []],
    ['habitacio', ['La habitación es grande']],
    ['habitació', ['La habitación es grande']],
    ['franc', ['Nous étudions le français']],
    ['françai', ['Nous étudions le français']],
    ['häu', ['Die Häuser sind schön']],
    ['hause', ['Die Häuser sind schön']],
    ['ephants', []],
    ['"running ho', ['The elephants were running home']],
    ["l'é", []],
    ["l'ét", ["J'aime l'étude", 'Nous étudions le français']],
    ['l’étude', ["J'aime l'étude"]],
    ["j'aim", ["J'aime l'étude"]],
    ['well-kn', ['A well-known song']],
    ['well-known so', ['A well-known song']],
    ["home or l'étude", ['I like my home', "J'aime l'étude", 'The elephants were running home']],
    // One letter more loses nothing.
    ['song k', ['A well-known song']],
    ['k', []],
  ])('%s', async (query, contents) => {
    expect((await contentsFound(client, { query, typing: true })).sort()).toEqual(contents);
  });

  test('a finished word is no prefix', async () => {
    expect(await contentsFound(client, { query: 'runni ', typing: true })).toEqual([]);
    expect(await contentsFound(client, { query: 'runni' })).toEqual([]);
  });

  test('every beginning of every word finds it', async () => {
    const missing: string[] = [];
    const { rows } = await client.query<{ id: string; word: string }>(
      // Stop words are not indexed.
      `SELECT m.id, w[1] AS word FROM public.messages m, regexp_matches(m.content, '[[:alpha:]]{4,}', 'g') w
        WHERE private.search_reading(m.language, w[1]) IS NOT NULL`,
    );
    for (const { id, word } of rows) {
      for (let end = 3; end <= word.length; end++) {
        const hits = await search(client, { query: word.slice(0, end), typing: true, max_results: 100 });
        if (!hits.some((hit) => hit.id === id)) missing.push(word.slice(0, end));
      }
    }
    expect(rows.length).toBeGreaterThan(10);
    expect(missing).toEqual([]);
  });
});

describe('the vocabulary', () => {
  const words = async () =>
    (await client.query<{ word: string }>("SELECT word FROM private.search_words WHERE word LIKE 'brand%' ORDER BY 1"))
      .rows;

  test('learns what was written since a time, forgets what nobody has any more, and costs no trigger', async () => {
    await client.query('BEGIN');
    await say(client, ann, 'en', ['brandnewword', '12345 brand.new@example.org brand-things']);
    expect(await words()).toEqual([]);
    await client.query("SELECT private.refresh_search_words(now() - interval '1 hour')");
    expect(await words()).toEqual([{ word: 'brand' }, { word: 'brandnewword' }]);
    await client.query("DELETE FROM public.messages WHERE content LIKE 'brandnew%'");
    await client.query("SELECT private.refresh_search_words(now() - interval '1 hour')");
    expect(await words()).toEqual([{ word: 'brand' }, { word: 'brandnewword' }]);
    await client.query('SELECT private.refresh_search_words()');
    expect(await words()).toEqual([{ word: 'brand' }]);
    expect((await client.query('SELECT private.refresh_search_words() AS changed')).rows).toEqual([{ changed: '0' }]);
    await client.query('ROLLBACK');
    const { rows } = await client.query("SELECT FROM pg_trigger WHERE tgfoid::regproc::text LIKE '%search%'");
    expect(rows).toEqual([]);
  });

  test('keeps neither readers nor writers of messages waiting while it is filled', async () => {
    const other = await database.connect();
    await client.query('BEGIN');
    await client.query('SELECT private.refresh_search_words()');
    await other.query("SET lock_timeout = '2s'; BEGIN");
    await say(other, ann, 'en', ['written meanwhile']);
    expect(await contentsFound(other, { query: 'elephnts' })).toEqual(['The elephants were running home']);
    await other.query('ROLLBACK');
    await client.query('ROLLBACK');
  });
});
