import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import type { ArchivePolicy } from './policy.ts';
import { DUE_SESSIONS, dueValues, type Transition, transitions } from './transitions.ts';

export interface Due {
  readonly transition: Transition['name'];
  readonly days: number;
  readonly sessions: number;
  /** Last access of the session that has waited for longest; null where none is due. */
  readonly oldest: Date | null;
  /** Keys of the first few, the longest idle first. */
  readonly sample: readonly string[];
}

const SAMPLE = 5;

/** What the next run would do under this policy. Changes nothing. */
export async function countDue(client: Queryable, policy: ArchivePolicy): Promise<Due[]> {
  const result: Due[] = [];
  for (const transition of transitions(policy)) {
    const { rows } = await client.query<{ sessions: number; oldest: Date | null; sample: string[] | null }>(
      `SELECT count(*)::float8 AS sessions, min(d.last_accessed) AS oldest,
              (pg_catalog.array_agg(d.session_id::text ORDER BY d.last_accessed, d.session_id))[1:${SAMPLE}] AS sample
         FROM ${DUE_SESSIONS} d`,
      dueValues(transition),
    );
    const row = rows[0];
    result.push({
      transition: transition.name,
      days: transition.days,
      sessions: row?.sessions ?? 0,
      oldest: row?.oldest ?? null,
      sample: row?.sample ?? [],
    });
  }
  return result;
}

const PAGE = 10_000;

/** Every session that the next run would move on, in the order in which it takes them. Changes nothing. */
export async function eachDue(
  pool: Pool,
  policy: ArchivePolicy,
  tell: (due: { transition: Transition['name']; session: string }) => void,
): Promise<void> {
  await inTransaction(
    pool,
    async (client) => {
      for (const transition of transitions(policy)) {
        await client.query(
          `DECLARE due NO SCROLL CURSOR FOR SELECT d.session_id::text AS session FROM ${DUE_SESSIONS} d`,
          dueValues(transition),
        );
        for (let pages = true; pages; ) {
          const { rows } = await client.query<{ session: string }>(`FETCH ${PAGE} FROM due`);
          for (const { session } of rows) tell({ transition: transition.name, session });
          pages = rows.length === PAGE;
        }
        await client.query('CLOSE due');
      }
    },
    'BEGIN READ ONLY',
  );
}
