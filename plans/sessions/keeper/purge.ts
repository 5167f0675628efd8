import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import { dueCondition, keeperNames, type Transition } from './transitions.ts';

/** Messages that one transaction deletes, unless a single session has more. */
const MAX_MESSAGES = 5_000;

/**
 * Deletes sessions for good, their feedback and messages first: the cascade would do it row by row. Each leaves an audit
 * row in the same transaction. Returns how many.
 */
export async function purgeBatch(
  client: Queryable,
  names: SessionsNames,
  run: number,
  { from, days }: Transition,
  size: number,
): Promise<number> {
  const k = keeperNames(names);
  const { rows: due } = await client.query<{ id: string; messages: number }>(
    `WITH due AS MATERIALIZED (
       SELECT s.${k.id} AS id FROM ${k.sessions} s WHERE ${dueCondition(names)}
        ORDER BY s.${k.lastAccessed} LIMIT $3 FOR UPDATE OF s SKIP LOCKED)
     SELECT due.id, (SELECT count(*)::float8 FROM ${k.messages} m WHERE m.${k.messageSession} = due.id) AS messages FROM due`,
    [from, days, size],
  );
  const ids: string[] = [];
  let messages = 0;
  for (const session of due) {
    messages += session.messages;
    if (ids.length > 0 && messages > MAX_MESSAGES) break;
    ids.push(session.id);
  }
  if (ids.length === 0) return 0;
  await client.query(
    `WITH feedback AS (
       DELETE FROM ${k.feedback} f USING ${k.messages} m
        WHERE f.message_id = m.${k.messageId} AND m.${k.messageSession} = ANY ($1::uuid[]) RETURNING m.${k.messageSession} AS id),
     counted AS (
       SELECT m.${k.messageSession} AS id, count(*) AS messages FROM ${k.messages} m
        WHERE m.${k.messageSession} = ANY ($1::uuid[]) GROUP BY 1)
     INSERT INTO keeper.purged_sessions (session_id, user_id, messages, feedback, run_id, purge_after)
     SELECT s.${k.id}, s.${k.userId}, coalesce(c.messages, 0), (SELECT count(*) FROM feedback f WHERE f.id = s.${k.id}),
            $2, $3::float8 * interval '1 day'
       FROM ${k.sessions} s LEFT JOIN counted c ON c.id = s.${k.id}
      WHERE s.${k.id} = ANY ($1::uuid[]) AND s.${k.status} = $4::${k.statusType}`,
    [ids, run, days, from],
  );
  await client.query(`DELETE FROM ${k.messages} WHERE ${k.messageSession} = ANY ($1::uuid[])`, [ids]);
  await client.query('DELETE FROM keeper.session_moves WHERE session_id = ANY ($1::uuid[])', [ids]);
  const { rowCount } = await client.query(
    `DELETE FROM ${k.sessions} WHERE ${k.id} = ANY ($1::uuid[]) AND ${k.status} = $2::${k.statusType}`,
    [ids, from],
  );
  return rowCount ?? 0;
}
