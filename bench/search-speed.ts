import type { Client, Pool } from '../src/db/connect.ts';
import { createRandom } from '../src/demo/random.ts';
import { backendCpu } from './backend-cpu.ts';
import { median, medianRatio, milliseconds } from './measure.ts';
import { misspell } from './misspell.ts';
import type { Section } from './report.ts';
import { fillMessages } from './search-data.ts';
import { compareMatches } from './search-matches.ts';

/** Queries drawn for each kind. */
const QUERIES = 12;

/** A kind of query, and whether the plain recipe can answer it at all. */
interface Kind {
  readonly name: string;
  readonly queries: readonly string[];
  readonly typing: boolean;
  readonly inRecipe: boolean;
}

/**
 * search_messages under row security, for the user with most messages and for one with as many as most have, and for
 * service_role; beside the column of Supabase's guide, generated with the one configuration `english`, under the same
 * policy and ranked alike. In turns, so that the machine slows down both.
 */
export async function measureSpeed(
  pool: Pool,
  size: { messages: number; heavy: number },
  lines: Readonly<Record<string, readonly string[]>>,
  repetitions: number,
): Promise<Section> {
  const client = await pool.connect();
  try {
    const users = await fillMessages(client, size, lines);
    await createRecipe(client);
    const refresh = await milliseconds(() => client.query('SELECT private.refresh_search_words()'));
    const section = await measureReaders(client, users, repetitions);
    const matches = [];
    for (const [user, most] of [
      [users.heavy, 4],
      // Reads every message of all for each query.
      [null, 2],
    ] as const) {
      const kinds = (await kindsFor(client, users.heavy)).filter((kind) => kind.inRecipe);
      matches.push(
        await compareMatches(
          client,
          user,
          kinds.flatMap((kind) => kind.queries.slice(0, most)),
        ),
      );
    }
    const { rows } = await client.query<{ name: string; size: string }>(
      `SELECT indexrelname AS name, pg_catalog.pg_relation_size(indexrelid) / 1e6 AS size FROM pg_catalog.pg_stat_user_indexes
        WHERE indexrelname IN ('messages_content_search_idx', 'search_words_deletions_idx') ORDER BY 1`,
    );
    return {
      goals: [...section.goals, ...matches.flatMap(({ goals }) => goals)],
      figures: [
        ...section.figures,
        { what: 'refresh of the vocabulary, every message read', measured: refresh, unit: 'ms' },
        ...rows.map(({ name, size: megabytes }) => ({ what: name, measured: Number(megabytes), unit: 'MB' })),
      ],
    };
  } finally {
    client.release();
  }
}

async function createRecipe(client: Client): Promise<void> {
  await client.query(`
    CREATE TABLE public.recipe (id uuid PRIMARY KEY, user_id uuid NOT NULL, content text NOT NULL, created_at timestamptz NOT NULL,
      fts tsvector GENERATED ALWAYS AS (pg_catalog.to_tsvector('pg_catalog.english', content)) STORED);
    INSERT INTO public.recipe (id, user_id, content, created_at) SELECT id, user_id, content, created_at FROM public.messages ORDER BY created_at;
    CREATE INDEX ON public.recipe USING gin (fts);
    CREATE INDEX ON public.recipe (user_id);
    ALTER TABLE public.recipe ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON public.recipe FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()));
    GRANT SELECT ON public.recipe TO authenticated`);
  await client.query('VACUUM (ANALYZE) public.messages, public.recipe, public.sessions');
}

export async function measureReaders(
  client: Client,
  users: { heavy: string; median: string },
  repetitions: number,
): Promise<Section> {
  const goals: Section['goals'][number][] = [];
  const figures: Section['figures'][number][] = [];
  const cpu = await backendCpu(client);
  for (const [reader, user, limit] of [
    ['the user with most messages', users.heavy, 10],
    ['a user with 40 messages', users.median, 1.5],
    ['service_role', null, 50],
  ] as const) {
    const kinds = await kindsFor(client, user ?? users.heavy);
    await client.query("SELECT pg_catalog.set_config('request.jwt.claim.sub', $1, false)", [user ?? '']);
    await client.query(`SET ROLE ${user === null ? 'service_role' : 'authenticated'}`);
    const every: number[] = [];
    const onCpu: number[] = [];
    const [mine, recipes]: [number[], number[]] = [[], []];
    for (const kind of kinds) {
      const times: number[] = [];
      for (const query of kind.queries) {
        const ask = () => client.query('SELECT * FROM public.search_messages($1, typing => $2)', [query, kind.typing]);
        await ask();
        for (let round = 0; round < repetitions; round++) {
          const before = cpu();
          const time = await milliseconds(ask);
          onCpu.push(cpu() - before);
          times.push(time);
          if (user !== users.heavy || !kind.inRecipe) continue;
          mine.push(time);
          recipes.push(await milliseconds(() => client.query(RECIPE, [query])));
        }
      }
      every.push(...times);
      figures.push({ what: `${reader}, ${kind.name}: median`, measured: median(times), unit: 'ms' });
      figures.push({ what: `${reader}, ${kind.name}: p95`, measured: percentile(times, 95), unit: 'ms' });
    }
    await client.query('RESET ROLE');
    figures.push({ what: `${reader}, on a processor: median`, measured: median(onCpu), unit: 'ms' });
    figures.push({ what: `${reader}, on a processor: p95`, measured: percentile(onCpu, 95), unit: 'ms' });
    goals.push({
      what: `search of ${reader}, p95`,
      measured: percentile(every, 95),
      limit,
      unit: 'ms',
      detail: `median ${median(every).toFixed(2)} ms of ${every.length}`,
    });
    if (user === users.heavy) {
      goals.push({
        what: 'the same : one english column under row security',
        measured: medianRatio(mine, recipes),
        limit: 0.1,
        unit: '×',
        detail: `${median(mine).toFixed(1)} : ${median(recipes).toFixed(1)} ms`,
      });
    }
  }
  return { goals, figures };
}

const RECIPE = `SELECT id, content, pg_catalog.ts_rank_cd(fts, pg_catalog.websearch_to_tsquery('pg_catalog.english', $1)) AS rank
  FROM public.recipe WHERE fts @@ pg_catalog.websearch_to_tsquery('pg_catalog.english', $1) ORDER BY rank DESC LIMIT 20`;

/** Queries of every kind, of words that the user's messages hold. */
async function kindsFor(client: Client, user: string): Promise<Kind[]> {
  const { rows: contents } = await client.query<{ content: string }>(
    'SELECT content FROM public.messages WHERE user_id = $1 ORDER BY pg_catalog.md5(id::text) LIMIT 200',
    [user],
  );
  const { rows: common } = await client.query<{ word: string }>(
    `SELECT s.word FROM pg_catalog.ts_stat(pg_catalog.format(
       'SELECT pg_catalog.to_tsvector(''private.search_words'', content) FROM public.messages WHERE user_id = %L', $1::text)) s
      WHERE pg_catalog.length(s.word) > 3 ORDER BY s.ndoc DESC LIMIT $2`,
    [user, QUERIES],
  );
  const random = createRandom(3);
  const words = contents.flatMap(({ content }) => content.match(/\p{Letter}{5,}/gu) ?? []);
  const pairs = contents.flatMap(({ content }) => content.match(/\p{Letter}{4,} \p{Letter}{4,}/gu) ?? []);
  const draw = (from: readonly string[], make: (text: string) => string = (text) => text) =>
    Array.from({ length: QUERIES }, () => make(random.pick(from.length > 0 ? from : ['nothing'])));
  const kind = (name: string, queries: readonly string[], options: Partial<Kind> = {}): Kind => ({
    name,
    queries,
    typing: false,
    inRecipe: true,
    ...options,
  });
  return [
    kind('a rare word', ['zyzzyva', 'zyzzyvas', 'Zyzzyva']),
    kind(
      'a common word',
      common.map(({ word }) => word),
    ),
    kind('any word', draw(words)),
    kind('two words', draw(pairs)),
    kind(
      'a phrase',
      draw(pairs, (pair) => `"${pair}"`),
    ),
    kind(
      'a prefix',
      draw(words, (word) => word.slice(0, 4)),
      { typing: true, inRecipe: false },
    ),
    kind(
      'one slip',
      draw(words, (word) => misspell(word.toLowerCase(), random)),
      { inRecipe: false },
    ),
  ];
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * share) / 100))] ?? Number.NaN;
}
