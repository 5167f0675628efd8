import type { Client, Pool } from '../src/db/connect.ts';
import { createRandom } from '../src/demo/random.ts';
import type { Dialogue } from './dialogues.ts';
import { misspell } from './misspell.ts';
import type { Section } from './report.ts';
import { searchCases } from './search-cases.ts';
import { insertSaid, type Said } from './search-data.ts';

const LANGUAGES = ['en', 'es', 'fr', 'de'] as const;
/** Words drawn for each language and kind of query. */
const WORDS = 60;

interface Question {
  readonly kind: string;
  readonly query: string;
  readonly expected: ReadonlySet<string>;
  /** Finding these is no mistake either: other forms of the word. */
  readonly accepted: ReadonlySet<string>;
}

interface Way {
  readonly name: string;
  ask(client: Client, user: string, query: string): Promise<string[]>;
}

const sqlWay = (name: string, sql: string): Way => ({
  name,
  ask: async (client, user, query) => (await client.query<{ id: string }>(sql, [user, query])).rows.map(({ id }) => id),
});

/** What is compared, each over one user's messages. */
const ways: readonly Way[] = [
  sqlWay(
    'search_messages',
    "SELECT id FROM public.search_messages($2, NULL, $1, sort => 'newest', max_results => 100)",
  ),
  sqlWay('ILIKE', "SELECT id FROM public.messages WHERE user_id = $1 AND content ILIKE '%' || $2 || '%'"),
  sqlWay(
    'one english column',
    `SELECT id FROM public.messages WHERE user_id = $1
        AND pg_catalog.to_tsvector('pg_catalog.english', content) @@ pg_catalog.websearch_to_tsquery('pg_catalog.english', $2)`,
  ),
];

/**
 * Precision and recall, the mean over queries, for each language and way: over the cases written by hand, and over real
 * dialogues where there are any. There a message is expected for a word if it holds a word of the same stem.
 */
export async function measureQuality(pool: Pool, dialogues: readonly Dialogue[] | null): Promise<Section> {
  const sections: Section[] = [];
  const client = await pool.connect();
  try {
    for (const language of LANGUAGES) {
      const { messages, queries } = searchCases[language];
      const said = await insertSaid(client, language, messages);
      await client.query('SELECT private.refresh_search_words()');
      const questions = queries.map(([query, ...places]) => {
        const expected = new Set(places.map((place) => said.ids[place] ?? ''));
        return { kind: 'written by hand', query, expected, accepted: expected };
      });
      sections.push(await compare(client, language, said, questions));
    }
    if (dialogues === null) return merged(sections);
    const all = [];
    for (const language of LANGUAGES) {
      const turns = dialogues.filter((d) => d.language === language).flatMap((d) => d.turns);
      all.push({ language, said: await insertSaid(client, language, turns) });
    }
    await client.query('SELECT private.refresh_search_words()');
    await client.query('ANALYZE');
    for (const { language, said } of all) {
      sections.push(await compare(client, language, said, await questionsOn(client, language, said)));
    }
    return merged(sections);
  } finally {
    client.release();
  }
}

const merged = (sections: readonly Section[]): Section => ({
  goals: sections.flatMap((s) => s.goals),
  figures: sections.flatMap((s) => s.figures),
});

async function compare(client: Client, language: string, said: Said, questions: readonly Question[]): Promise<Section> {
  const figures: Section['figures'][number][] = [];
  const goals: Section['goals'][number][] = [];
  for (const kind of new Set(questions.map((q) => q.kind))) {
    const asked = questions.filter((q) => q.kind === kind);
    for (const way of ways) {
      let [precision, recall, answered, reached] = [0, 0, 0, 0];
      for (const { query, expected, accepted } of asked) {
        const found = await way.ask(client, said.user, query);
        const right = found.filter((id) => expected.has(id)).length;
        if (found.length > 0) {
          answered += 1;
          precision += found.filter((id) => accepted.has(id)).length / found.length;
        }
        recall += expected.size === 0 ? 1 : right / expected.size;
        if (right > 0) reached += 1;
      }
      const what = `${language}, ${kind}: ${way.name}`;
      const right = `${((100 * precision) / Math.max(1, answered)).toFixed(1)} % of what is found is right`;
      figures.push({ what: `${what}, recall (${right})`, measured: (100 * recall) / asked.length, unit: '%' });
      if (way.name !== 'search_messages') continue;
      const romance = language === 'es' || language === 'fr';
      if (romance && (kind === OTHER_FORM || kind === WITHOUT_ACCENTS)) {
        goals.push(missed(what, 100 - (100 * recall) / asked.length, 0, asked.length));
      }
      if (kind === MISSPELT) goals.push(missed(what, 100 - (100 * reached) / asked.length, 5, asked.length));
    }
  }
  return { goals, figures };
}

const missed = (what: string, measured: number, limit: number, queries: number): Section['goals'][number] => ({
  what: `${what}, missed`,
  measured,
  limit,
  unit: '%',
  detail: `${queries} queries`,
});

const OTHER_FORM = 'another form of the word';
const WITHOUT_ACCENTS = 'its accents left out';
const MISSPELT = 'one slip';

/** Words of the messages, drawn anew but always the same, with what each is expected to find. */
async function questionsOn(client: Client, language: string, said: Said): Promise<Question[]> {
  const stemmer = { en: 'english', es: 'spanish', fr: 'french', de: 'german' }[language];
  // A word, its stem, and the messages that hold a word of that stem; no stop words, nothing that would fill two pages.
  const { rows } = await client.query<{
    word: string;
    plain: string;
    other: string | null;
    ids: string[];
    own: string[];
  }>(
    `WITH message AS MATERIALIZED (
       SELECT id, pg_catalog.to_tsvector($3::regconfig, content) AS stems, pg_catalog.to_tsvector('pg_catalog.simple', content) AS words
         FROM public.messages WHERE user_id = $1::uuid
     ), word AS MATERIALIZED (
       SELECT s.word, private.search_plain(s.word) AS plain, pg_catalog.ts_lexize($2::regdictionary, s.word) AS stem,
              pg_catalog.row_number() OVER (ORDER BY pg_catalog.md5(s.word)) AS place
         FROM pg_catalog.ts_stat(pg_catalog.format(
           'SELECT pg_catalog.to_tsvector(''pg_catalog.simple'', content) FROM public.messages WHERE user_id = %L', $1::text)) s
        WHERE s.word ~ '^[[:alpha:]]{4,14}$')
     SELECT w.word, w.plain, (SELECT o.word FROM word o WHERE o.stem = w.stem AND o.word <> w.word ORDER BY o.word LIMIT 1) AS other,
            stemmed.ids, literal.ids AS own
       FROM word w
      CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(m.id) AS ids FROM message m
         WHERE m.stems @@ pg_catalog.to_tsquery('pg_catalog.simple', pg_catalog.quote_literal(w.stem[1]))) stemmed
      CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(m.id) AS ids FROM message m
         WHERE m.words @@ pg_catalog.to_tsquery('pg_catalog.simple', pg_catalog.quote_literal(w.word))) literal
      WHERE (w.place <= 400 OR w.plain <> w.word) AND w.stem <> '{}'
        AND pg_catalog.cardinality(stemmed.ids) BETWEEN 1 AND 90 AND pg_catalog.cardinality(literal.ids) > 0
        AND private.search_reading($4::public.session_language, w.plain) IS NOT NULL
      ORDER BY w.place`,
    [said.user, `pg_catalog.${stemmer}_stem`, `pg_catalog.${stemmer}`, language],
  );
  const random = createRandom(9);
  const drawn = (kind: string, pick: typeof rows, query: (row: (typeof rows)[number]) => string, exact = false) =>
    pick.slice(0, WORDS).map((row) => ({
      kind,
      query: query(row),
      expected: new Set(exact ? row.own : row.ids),
      accepted: new Set([...row.own, ...row.ids]),
    }));
  return [
    ...drawn('as it is written', rows, (row) => row.word),
    ...drawn(
      OTHER_FORM,
      rows.filter((row) => row.other !== null),
      (row) => row.other ?? '',
    ),
    ...drawn(
      WITHOUT_ACCENTS,
      rows.filter((row) => row.plain !== row.word),
      (row) => row.plain,
      true,
    ),
    ...drawn(
      MISSPELT,
      rows.filter((row) => row.word.length >= 5),
      (row) => misspell(row.plain, random),
    ),
  ].filter((question) => question.query !== '');
}
