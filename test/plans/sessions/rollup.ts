import type pg from 'pg';
import { expect } from 'vitest';
import type { Queryable } from '../../../src/db/connect.ts';

const SCORES = ['overall', 'grammar', 'vocabulary', 'fluency', 'pronunciation'];

/** Counted anew, in other words than the view of the product: what rollup and queue must say together. */
const COUNTED = `
  SELECT m.session_id, count(*)::int AS messages,
         ${['text', 'audio', 'system'].map((type) => `sum((m.type = '${type}')::int)::int AS ${type}_messages`).join(', ')},
         ${SCORES.map(
           (score) => `(SELECT coalesce(sum(f.${score}_score), 0) FROM public.message_feedback f
              WHERE f.message_id IN (SELECT x.id FROM public.messages x WHERE x.session_id = m.session_id))::bigint AS ${score}_sum,
            (SELECT count(f.${score}_score) FROM public.message_feedback f
              WHERE f.message_id IN (SELECT x.id FROM public.messages x WHERE x.session_id = m.session_id))::int AS ${score}_count`,
         ).join(', ')},
         min(m.created_at) AS first_message, max(m.created_at) AS last_message
    FROM public.messages m GROUP BY m.session_id`;

const KNOWN = `ARRAY(SELECT id FROM private.session_keys UNION SELECT session_id FROM public.messages
                     UNION SELECT session_id FROM private.session_rollup)`;

/** Sessions of which `believed` says something else than their rows. Empty is good. */
function difference(believed: string): string {
  return `WITH counted AS (${COUNTED}), believed AS (${believed})
    SELECT 'counted' AS what, to_jsonb(c.*) AS row FROM (TABLE counted EXCEPT TABLE believed) c
     UNION ALL SELECT 'believed', to_jsonb(b.*) FROM (TABLE believed EXCEPT TABLE counted) b`;
}

/** In one snapshot: what rollup and queue say together is what counting says. */
export async function expectExact(client: Queryable, when = ''): Promise<void> {
  const { rows } = await client.query(difference(`SELECT * FROM private.session_figures(${KNOWN})`));
  expect(rows, when).toEqual([]);
}

/** The rollup alone, with an empty queue. */
export async function expectFolded(client: Queryable): Promise<void> {
  const { rows } = await client.query(difference('SELECT * FROM private.session_rollup'));
  expect(rows).toEqual([]);
  expect((await client.query('SELECT FROM private.session_changes')).rowCount).toBe(0);
}

export async function fold(client: Queryable, entries = 20_000): Promise<number> {
  const { rows } = await client.query<{ entries: number }>(
    'SELECT entries::int FROM private.fold_session_changes($1)',
    [entries],
  );
  return rows[0]?.entries ?? 0;
}

/** The queue's entries: of each session, and whether it is to be counted anew. */
export async function queue(client: Queryable): Promise<{ session_id: string | null; recount: boolean }[]> {
  const { rows } = await client.query<{ session_id: string | null; recount: boolean }>(
    'SELECT session_id, recount FROM private.session_changes ORDER BY session_id, recount',
  );
  return rows;
}

/** Begins a transaction, runs the statement in it, and returns what commits it. */
export async function hold(client: pg.ClientBase, sql: string, begin = 'BEGIN'): Promise<() => Promise<unknown>> {
  await client.query(begin);
  await client.query(sql);
  return () => client.query('COMMIT');
}
