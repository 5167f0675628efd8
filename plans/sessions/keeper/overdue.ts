import type { Queryable } from '../../../src/db/connect.ts';
import type { ArchivePolicy } from './policy.ts';
import { DUE_SESSIONS, dueValues, type Transition, transitions } from './transitions.ts';

export interface Overdue {
  readonly transition: Transition['name'];
  readonly sessions: number;
  /** Since when the session is due that has waited for longest; null where none is. */
  readonly since: Date | null;
}

/** How many sessions are due, and for how long already: idle in their status for the policy's days, and then some. */
export async function countOverdue(client: Queryable, policy: ArchivePolicy): Promise<Overdue[]> {
  const result: Overdue[] = [];
  for (const transition of transitions(policy)) {
    const { rows } = await client.query<{ sessions: number; since: Date | null }>(
      `SELECT count(*)::float8 AS sessions,
              min(greatest(d.last_accessed + $2::float8 * interval '1 day',
                           (SELECT max(m.moved_at) FROM keeper.session_moves m WHERE m.session_id = d.session_id)
                             + $3::float8 * interval '1 day')) AS since
         FROM ${DUE_SESSIONS} d`,
      dueValues(transition),
    );
    result.push({ transition: transition.name, sessions: rows[0]?.sessions ?? 0, since: rows[0]?.since ?? null });
  }
  return result;
}
