import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import type { ArchivePolicy } from './policy.ts';
import { dueCondition, keeperNames, type Transition, transitions } from './transitions.ts';

export interface Overdue {
  readonly transition: Transition['name'];
  readonly sessions: number;
  /** Since when the session is due that has waited for longest; null where none is. */
  readonly since: Date | null;
}

/** How many sessions are due, and for how long already: idle in their status for the policy's days, and then some. */
export async function countOverdue(client: Queryable, names: SessionsNames, policy: ArchivePolicy): Promise<Overdue[]> {
  const k = keeperNames(names);
  const result: Overdue[] = [];
  for (const { name, from, days } of transitions(policy)) {
    const { rows } = await client.query<{ sessions: number; since: Date | null }>(
      `SELECT count(*)::float8 AS sessions, min(d.idle_since) + $2::float8 * interval '1 day' AS since
         FROM (SELECT greatest(s.${k.lastAccessed}, (SELECT max(m.moved_at) FROM keeper.session_moves m
                                                      WHERE m.session_id = s.${k.id} AND m.to_status = $1::${k.statusType})) AS idle_since
                 FROM ${k.sessions} s WHERE ${dueCondition(names)}) d`,
      [from, days],
    );
    result.push({ transition: name, sessions: rows[0]?.sessions ?? 0, since: rows[0]?.since ?? null });
  }
  return result;
}
