import type { Client } from '../src/db/connect.ts';
import type { Section } from './report.ts';

/** Matches that are compared of each query: more are not asked for, but reading all rows finds them. */
const MOST = 1_000;

/**
 * What search_messages finds, page by page and newest first, against every row read without an index: the same messages in
 * the same order. For one user, as that user, or for all, as service_role.
 */
export async function compareMatches(
  client: Client,
  user: string | null,
  queries: readonly string[],
): Promise<Section> {
  let different = 0;
  let compared = 0;
  const examples: string[] = [];
  for (const query of queries) {
    const expected = await readAll(client, user, query);
    const found = await readPages(client, user, query);
    compared += expected.length;
    if (expected.join() === found.join()) continue;
    different++;
    examples.push(`${query}: ${found.length} of ${expected.length}`);
  }
  return {
    goals: [
      {
        what: `queries of ${user === null ? 'service_role' : 'the user with most messages'} that find other messages than all rows read`,
        measured: different,
        limit: 0,
        unit: 'queries',
        detail: [`${queries.length} queries, ${compared.toLocaleString('en')} matches`, ...examples.slice(0, 5)].join(
          '; ',
        ),
      },
    ],
    figures: [],
  };
}

async function readAll(client: Client, user: string | null, query: string): Promise<string[]> {
  await client.query(
    'BEGIN; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off',
  );
  try {
    const { rows } = await client.query<{ id: string }>(
      `WITH reading AS MATERIALIZED (
         SELECT language, private.search_reading(language, $1) AS query FROM pg_catalog.unnest(pg_catalog.enum_range(NULL::public.session_language)) AS language)
       SELECT m.id FROM public.messages m JOIN reading r ON r.language = m.language
        WHERE m.content_search @@ r.query AND (m.user_id = $2 OR $2 IS NULL) ORDER BY m.created_at DESC, m.id LIMIT $3`,
      [query, user, MOST],
    );
    return rows.map(({ id }) => id);
  } finally {
    await client.query('COMMIT');
  }
}

async function readPages(client: Client, user: string | null, query: string): Promise<string[]> {
  await client.query("SELECT pg_catalog.set_config('request.jwt.claim.sub', $1, false)", [user ?? '']);
  await client.query(`SET ROLE ${user === null ? 'service_role' : 'authenticated'}`);
  try {
    const ids: string[] = [];
    for (;;) {
      const { rows } = await client.query<{ id: string }>(
        "SELECT id FROM public.search_messages($1, sort => 'newest', correct_spelling => false, max_results => 100, page_offset => $2)",
        [query, ids.length],
      );
      ids.push(...rows.map(({ id }) => id));
      if (rows.length < 100 || ids.length >= MOST) return ids;
    }
  } finally {
    await client.query('RESET ROLE');
  }
}
