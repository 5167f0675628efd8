import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import type { ArchivePolicy } from './policy.ts';
import { dueCondition, keeperNames, type Transition, transitions } from './transitions.ts';

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
export async function countDue(client: Queryable, names: SessionsNames, policy: ArchivePolicy): Promise<Due[]> {
  const k = keeperNames(names);
  const result: Due[] = [];
  for (const { name, from, days } of transitions(policy)) {
    const { rows } = await client.query<{ sessions: number; oldest: Date | null; sample: string[] | null }>(
      `SELECT count(*)::float8 AS sessions, min(d.accessed) AS oldest,
              (SELECT pg_catalog.array_agg(x.id) FROM (
                 SELECT s.${k.id}::text AS id FROM ${k.sessions} s WHERE ${dueCondition(names)}
                  ORDER BY s.${k.lastAccessed}, s.${k.id} LIMIT ${SAMPLE}) x) AS sample
         FROM (SELECT s.${k.lastAccessed} AS accessed FROM ${k.sessions} s WHERE ${dueCondition(names)}) d`,
      [from, days],
    );
    const row = rows[0];
    result.push({
      transition: name,
      days,
      sessions: row?.sessions ?? 0,
      oldest: row?.oldest ?? null,
      sample: row?.sample ?? [],
    });
  }
  return result;
}
