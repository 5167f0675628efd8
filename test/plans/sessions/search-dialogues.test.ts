import { existsSync } from 'node:fs';
import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { dialoguesPath, readDialogues } from '../../../bench/dialogues.ts';
import { misspell } from '../../../bench/misspell.ts';
import { createRandom } from '../../../src/demo/random.ts';
import { useDatabase } from '../../support/database.ts';
import { asRole, count, insertSession, insertUser, migrated } from './fixtures.ts';
import { search } from './searching.ts';

const there = existsSync(dialoguesPath());
if (!there)
  console.warn(
    `SKIPPED: search over real dialogues. There is no ${dialoguesPath()}; TANDEM_DIALOGUES may name another.`,
  );

describe.skipIf(!there)('over real dialogues', () => {
  const database = useDatabase(migrated, { per: 'suite' });
  let client: pg.Client;
  let ann: string;

  beforeAll(async () => {
    client = await database.connect();
    ann = await insertUser(client);
    for (const language of ['en', 'es', 'fr', 'de']) {
      const session = await insertSession(client, ann, { language });
      const turns = ((await readDialogues()) ?? []).filter((d) => d.language === language).flatMap((d) => d.turns);
      await client.query(
        'INSERT INTO public.messages (session_id, user_id, sequence_number, content) SELECT $1, $2, n, t FROM unnest($3::text[]) WITH ORDINALITY AS turns (t, n)',
        [session, ann, turns],
      );
    }
    await client.query('SELECT private.refresh_search_words(); ANALYZE');
    // Every word of three letters and more, with the stem that the language's own stemmer gives; no stop words.
    await client.query(`
      CREATE TABLE public.said AS
      SELECT w.language, w.word, private.search_plain(w.word) AS plain, ts_lexize(w.stemmer, w.word) AS stem
        FROM (VALUES ('en'::public.session_language, 'english_stem'::regdictionary), ('es', 'spanish_stem'), ('fr', 'french_stem'), ('de', 'german_stem'))
               AS languages (language, stemmer)
       CROSS JOIN LATERAL (
         SELECT languages.language, languages.stemmer, s.word
           FROM ts_stat(format('SELECT to_tsvector(''pg_catalog.simple'', content) FROM public.messages WHERE language = %L', languages.language)) s
          WHERE s.word ~ '^[[:alpha:]]{3,}$') w;
      DELETE FROM public.said WHERE stem = '{}'`);
  });

  // But for those that are stop words without: cómo, como.
  test('every word is found with its accents left out', async () => {
    const { rows } = await client.query<{ language: string; words: number; missed: string[] | null }>(
      `SELECT language::text, count(*)::int AS words,
              array_agg(word) FILTER (WHERE (private.to_search(language, word) @@ private.search_reading(language, plain)) IS NOT TRUE) AS missed
         FROM public.said WHERE plain <> word AND private.search_reading(language, plain) IS NOT NULL GROUP BY 1 ORDER BY 1`,
    );
    expect(rows.map((row) => row.missed)).toEqual([null, null, null]);
    expect(rows.every((row) => row.words > 20)).toBe(true);
  });

  test('every form of a word finds every other', async () => {
    const { rows } = await client.query<{ language: string; pairs: number; found: number }>(
      `SELECT a.language::text, count(*)::int AS pairs,
              count(*) FILTER (WHERE private.to_search(b.language, b.word) @@ private.search_reading(a.language, a.word))::int AS found
         FROM public.said a JOIN public.said b USING (language, stem) WHERE a.word <> b.word GROUP BY 1 ORDER BY 1`,
    );
    expect(rows).toHaveLength(4);
    for (const row of rows) expect(row).toEqual({ ...row, found: row.pairs });
    expect(rows.every((row) => row.pairs > 40)).toBe(true);
  });

  test('19 of 20 words with one slip are found', async () => {
    const random = createRandom(5);
    const { rows: words } = await client.query<{ language: string; word: string; reading: string }>(
      `SELECT language::text, plain AS word, private.search_reading(language, plain)::text AS reading
         FROM public.said WHERE length(plain) BETWEEN 5 AND 12 ORDER BY md5(language || word) LIMIT 240`,
    );
    let found = 0;
    await asRole(client, 'authenticated', { setting: 'json', sub: ann }, async () => {
      for (const { language, word, reading } of words) {
        const hits = await search(client, { query: misspell(word, random), language, max_results: 100 });
        // What the right spelling would have found is among them.
        found += await count(
          client,
          '(SELECT FROM public.messages WHERE id = ANY ($1) AND content_search @@ $2::tsquery LIMIT 1) AS one',
          [hits.map((hit) => hit.id), reading],
        );
      }
    });
    expect(words).toHaveLength(240);
    expect(found / words.length).toBeGreaterThanOrEqual(0.95);
  });
});
