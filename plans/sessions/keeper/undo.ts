import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import { isRefusal } from './batch.ts';
import { keeperNames } from './transitions.ts';

export interface Undone {
  readonly run: number;
  readonly restored: number;
  /** Moved on since, by somebody or by a later run, and so left where they are. */
  readonly left: number;
  /** Left because somebody was writing to them: the same command again brings them back. */
  readonly busy: number;
  /** Left because a trigger keeps them where they are. */
  readonly kept: number;
  /** Gone for good. */
  readonly purged: number;
}

const BATCH = 500;

interface UndoneBatch {
  readonly taken: number;
  readonly back: number;
  readonly last: string | null;
}

/**
 * Brings the sessions back that a run archived or soft-deleted, each into the status it had. It counts as a move: they
 * are due again only after their idle time has passed once more.
 *
 * @param run the run's number; null: the last one that moved anything and was not undone
 * @throws TD012 where there is no such run, it was undone already, or its grace time is over
 */
export async function undoRun(
  pool: Pool,
  names: SessionsNames,
  run: number | null,
  signal: AbortSignal,
): Promise<Undone> {
  const found = await findRun(pool, run);
  const k = keeperNames(names);
  // A move is undone only while it is the session's last one. The registry's row is locked as well: whoever has just added a
  // message holds it, and may want the session next.
  const movedBy = `keeper.session_moves m JOIN ${k.sessions} s ON s.${k.id} = m.session_id AND s.${k.status} = m.to_status
      JOIN private.session_keys k ON k.id = m.session_id
    WHERE m.run_id = $1 AND NOT EXISTS (SELECT FROM keeper.session_moves later
                                         WHERE later.session_id = m.session_id AND later.moved_at > m.moved_at)`;
  const bringBack = async (client: Queryable, after: string | null, most: number): Promise<UndoneBatch> => {
    const { rows } = await client.query<UndoneBatch>(
      `WITH moved AS MATERIALIZED (
         SELECT m.session_id, m.from_status, m.to_status FROM ${movedBy} AND ($3::uuid IS NULL OR m.session_id > $3)
          ORDER BY m.session_id LIMIT $2 FOR UPDATE OF s, k SKIP LOCKED),
       back AS (
         UPDATE ${k.sessions} s SET ${k.status} = moved.from_status FROM moved
          WHERE s.${k.id} = moved.session_id AND s.${k.status} = moved.to_status
         RETURNING s.${k.status} = moved.from_status AS done)
       SELECT (SELECT count(*) FROM moved)::int AS taken, (SELECT count(*) FILTER (WHERE done) FROM back)::int AS back,
              (SELECT session_id::text FROM moved ORDER BY session_id DESC LIMIT 1) AS last`,
      [found.id, most, after],
    );
    return rows[0] ?? { taken: 0, back: 0, last: null };
  };
  const next = async (after: string | null): Promise<string | null> => {
    const { rows } = await pool.query<{ id: string }>(
      `SELECT m.session_id::text AS id FROM ${movedBy} AND ($2::uuid IS NULL OR m.session_id > $2) ORDER BY m.session_id LIMIT 1`,
      [found.id, after],
    );
    return rows[0]?.id ?? null;
  };
  let [restored, kept, most] = [0, 0, BATCH];
  // By id: what a trigger keeps where it is would be taken again and again.
  for (let after: string | null = null; ; ) {
    if (signal.aborted)
      throw new TandemError('TD022', 'Stopped between two batches of sessions.', {
        hint: 'Run the same command again to go on.',
      });
    try {
      // Rolled back before it is tried again: a statement's error is told before its locks are given up.
      const { taken, back, last } = await inTransaction(pool, (client) => bringBack(client, after, most));
      restored += back;
      kept += taken - back;
      if (taken === 0) break;
      after = last;
      most = Math.min(BATCH, most * 2);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (most > 1) {
        // Fewer and fewer, until it is the one that is refused.
        most = Math.floor(most / 2);
        continue;
      }
      after = await next(after);
      if (after === null) throw error;
      kept += 1;
    }
  }
  const { rows } = await pool.query<{ left: number }>(`SELECT count(*)::int AS "left" FROM ${movedBy}`, [found.id]);
  const still = rows[0]?.left ?? 0;
  const busy = Math.max(0, still - kept);
  if (still === 0) await pool.query('UPDATE keeper.archive_runs SET undone_at = now() WHERE id = $1', [found.id]);
  return {
    run: found.id,
    restored,
    left: Math.max(0, found.moved - restored - still),
    busy,
    kept,
    purged: found.purged,
  };
}

async function findRun(pool: Pool, run: number | null) {
  const { rows } = await pool.query<{ id: number; moved: number; purged: number; undone: boolean; over: Date | null }>(
    `SELECT id::float8 AS id, (archived + deleted)::float8 AS moved, purged::float8 AS purged,
            undone_at IS NOT NULL AS undone,
            (SELECT started_at + p.grace FROM keeper.archive_policy p WHERE started_at + p.grace < now()) AS over
       FROM keeper.archive_runs
      WHERE CASE WHEN $1::bigint IS NULL THEN archived + deleted > 0 AND undone_at IS NULL ELSE id = $1 END
      ORDER BY id DESC LIMIT 1`,
    [run],
  );
  const [found] = rows;
  if (found === undefined)
    throw new TandemError('TD012', run === null ? 'There is no run to undo.' : `There is no run ${run}.`, {
      hint: '`tandem archive` prints the number of each run.',
    });
  if (found.undone)
    throw new TandemError('TD012', `Run ${found.id} was undone already.`, { hint: 'There is nothing left to do.' });
  if (found.over !== null)
    throw new TandemError('TD012', `The grace time of run ${found.id} was over at ${found.over.toISOString()}.`, {
      hint: 'A single session is brought back by its status: UPDATE sessions SET status = … . The policy may give more time: graceDays.',
    });
  return found;
}
