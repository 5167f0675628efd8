import { z } from 'zod';
import { writeAudit } from '../../plans/sessions/keeper/audit.ts';
import { searchMatch, sessionLanguage } from '../client/rows.ts';
import { tablesOf } from '../client/tables.ts';
import type { Queryable } from '../db/connect.ts';
import type { Dashboard } from './context.ts';
import { listenForPlans } from './nested-plans.ts';

export const trial = z.strictObject({
  query: z.string().trim().min(1).max(1_000),
  /** As whom: with that user's claims, under row security. */
  user: z.guid(),
  language: sessionLanguage.nullable(),
});
export type Trial = z.infer<typeof trial>;

/** Without what the message says: that is read in its session, and noted. */
const hit = searchMatch.pick({
  id: true,
  session_id: true,
  language: true,
  rank: true,
  created_at: true,
  correction: true,
});
export type SearchHit = z.infer<typeof hit>;

export interface Tried {
  readonly hits: readonly SearchHit[];
  readonly elapsed_ms: number;
  /** EXPLAIN ANALYZE of the call, and the plans of the statements within it where the server tells them. */
  readonly plans: readonly string[];
}

const PATIENCE = "SET LOCAL statement_timeout = '10s'";

/**
 * Searches as the user would, in a transaction that reads only and is rolled back:
 *
 *     BEGIN READ ONLY; SET LOCAL ROLE authenticated; SELECT … FROM search_messages($1, …); EXPLAIN (ANALYZE) SELECT …
 */
export async function trySearch(dashboard: Dashboard, actor: string, { query, user, language }: Trial): Promise<Tried> {
  const { pool, config } = dashboard;
  const detail = { query, language };
  // Whether words occur in somebody's messages is something read of them.
  await writeAudit(pool, { actor, action: 'search.try', subject: user, detail });
  const tables = tablesOf(config);
  const text = `SELECT ${tables.searchColumns} FROM ${tables.searchFunction}($1, language => $2, max_results => 20)`;
  const client = await pool.connect();
  try {
    await client.query(`BEGIN READ ONLY; ${PATIENCE}`);
    const plansWithin = await listenForPlans(client);
    await becomeUser(client, user);
    // A plan is told when the next statement takes its place.
    await client.query('SAVEPOINT searching');
    const own = plansWithin().length;
    const startedAt = performance.now();
    const found = await client.query(text, [query, language]);
    const elapsed_ms = performance.now() - startedAt;
    const within = plansWithin().slice(own);
    const explained = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (ANALYZE, BUFFERS) ${text}`, [
      query,
      language,
    ]);
    const outer = explained.rows.map((row) => row['QUERY PLAN']).join('\n');
    return { hits: z.array(hit).parse(found.rows), elapsed_ms, plans: within.length > 0 ? within : [outer] };
  } finally {
    // With what was loaded into its session.
    client.release(true);
  }
}

async function becomeUser(client: Queryable, user: string): Promise<void> {
  await client.query(
    `SELECT pg_catalog.set_config('request.jwt.claims', $1, true), pg_catalog.set_config('request.jwt.claim.sub', $2, true),
            pg_catalog.set_config('role', 'authenticated', true)`,
    [JSON.stringify({ sub: user, role: 'authenticated' }), user],
  );
}
