import type { Client, Pool } from '../src/db/connect.ts';
import { createRandom, type Random } from '../src/demo/random.ts';
import { milliseconds } from './measure.ts';
import { oddPieces } from './odd-pieces.ts';
import type { Section } from './report.ts';
import { insertSaid } from './search-data.ts';

const LANGUAGES = ['en', 'es', 'fr', 'de'] as const;
/** Messages of one user in each language. */
const MESSAGES = 500;

/**
 * Queries of odd pieces, of words that the messages hold and of any characters, with every parameter. Each must be answered;
 * an error of any kind is one too many.
 */
export async function measureFuzz(
  pool: Pool,
  queries: number,
  lines: Readonly<Record<string, readonly string[]>>,
): Promise<Section> {
  const client = await pool.connect();
  try {
    const random = createRandom(11);
    const words = await fill(client, lines, random);
    let errors = 0;
    let slowest = 0;
    const said = new Set<string>();
    await client.query('SET ROLE authenticated');
    for (let i = 0; i < queries; i++) {
      const values = [
        query(random, words),
        random.chance(0.2) ? random.pick(LANGUAGES) : null,
        random.chance(0.5) ? 'rank' : 'newest',
        random.chance(0.5),
        random.chance(0.7),
        random.below(120) - 10,
        random.below(60) - 10,
      ];
      const time = await milliseconds(() =>
        client
          .query(
            `SELECT * FROM public.search_messages($1, language => $2::public.session_language, sort => $3, typing => $4,
               correct_spelling => $5, max_results => $6, page_offset => $7)`,
            values,
          )
          .catch((error: unknown) => {
            errors++;
            said.add(`${JSON.stringify(values)}: ${String(error)}`);
          }),
      );
      slowest = Math.max(slowest, time);
    }
    await client.query('RESET ROLE');
    return {
      goals: [
        {
          what: `errors of ${queries.toLocaleString('en')} odd queries`,
          measured: errors,
          limit: 0,
          unit: 'queries',
          detail: [...said].slice(0, 3).join('; '),
        },
      ],
      figures: [{ what: 'the slowest of the odd queries', measured: slowest, unit: 'ms' }],
    };
  } finally {
    client.release();
  }
}

async function fill(
  client: Client,
  lines: Readonly<Record<string, readonly string[]>>,
  random: Random,
): Promise<string[]> {
  let user: string | null = null;
  const words: string[] = [];
  for (const language of LANGUAGES) {
    const messages = Array.from({ length: MESSAGES }, () => random.pick(lines[language] ?? []));
    words.push(...messages.flatMap((message) => message.match(/\p{Letter}{2,}/gu) ?? []));
    const said = await insertSaid(client, language, messages);
    // All four are one user's.
    if (user === null) user = said.user;
    await client.query('UPDATE public.messages SET user_id = $1 WHERE user_id = $2', [user, said.user]);
    await client.query('UPDATE public.sessions SET user_id = $1 WHERE user_id = $2', [user, said.user]);
  }
  await client.query('SELECT private.refresh_search_words()');
  await client.query('ANALYZE');
  await client.query("SELECT pg_catalog.set_config('request.jwt.claim.sub', $1, false)", [user]);
  return words;
}

function query(random: Random, words: readonly string[]): string {
  let text = '';
  for (let pieces = random.below(random.chance(0.05) ? 200 : 12); pieces >= 0; pieces--) text += piece(random, words);
  return text;
}

function piece(random: Random, words: readonly string[]): string {
  const word = () => random.pick(words);
  return random.weighted<() => string>([
    [() => random.pick(oddPieces), 5],
    [word, 3],
    [() => word().slice(0, 1 + random.below(8)), 2],
    [() => ` ${word()} `, 3],
    // Any character but NUL, which PostgreSQL's text has not, and halves of characters.
    [() => String.fromCodePoint(1 + random.below(0xd7ff)), 1],
    [() => String.fromCodePoint(0xe000 + random.below(0x102000)), 1],
  ])();
}
