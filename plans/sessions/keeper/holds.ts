import type { Pool, Queryable } from '../../../src/db/connect.ts';
import { SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';

export interface Hold {
  readonly session_id: string;
  readonly reason: string;
  readonly placed_by: string;
  readonly placed_at: Date;
}

/**
 * Holds a session: the keeper leaves it where it is, and nobody can delete it, or delete or rewrite what was said in it. A second hold replaces the reason.
 *
 * @throws TD008 where there is no such session
 */
export async function placeHold(pool: Queryable, id: string, reason: string): Promise<void> {
  try {
    await pool.query(
      `INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, $2)
       ON CONFLICT (session_id) DO UPDATE SET reason = EXCLUDED.reason, placed_by = session_user, placed_at = now()`,
      [id, reason],
    );
  } catch (error) {
    if (sqlStateOf(error) !== SqlState.foreignKeyViolation) throw error;
    throw new TandemError('TD008', `There is no session ${id}.`, { hint: 'Give the id of a session that exists.' });
  }
}

/** @throws TD008 where the session is not held */
export async function releaseHold(pool: Pool, id: string): Promise<void> {
  const { rowCount } = await pool.query('DELETE FROM keeper.session_holds WHERE session_id = $1', [id]);
  if (rowCount === 0)
    throw new TandemError('TD008', `Session ${id} is not held.`, {
      hint: '`tandem hold` lists the sessions that are.',
    });
}

export async function listHolds(client: Queryable): Promise<Hold[]> {
  const { rows } = await client.query<Hold>(
    'SELECT session_id, reason, placed_by, placed_at FROM keeper.session_holds ORDER BY placed_at, session_id',
  );
  return rows;
}
