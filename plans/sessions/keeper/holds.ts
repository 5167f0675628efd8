import { inTransaction, type Pool, type Queryable } from '../../../src/db/connect.ts';
import { quoteName } from '../../../src/db/identifier.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';

export interface Hold {
  readonly session_id: string;
  readonly reason: string;
  readonly placed_by: string;
  readonly placed_at: Date;
}

/**
 * Holds a session: the keeper leaves it where it is, and nobody can delete it. A second hold replaces the reason.
 *
 * @throws TD008 where there is no such session
 */
export async function placeHold(pool: Pool, names: SessionsNames, id: string, reason: string): Promise<void> {
  await inTransaction(pool, async (client) => {
    // Waits for whoever is deleting it, and makes those wait who are about to: one of the two sees the other.
    const { rowCount } = await client.query(`SELECT FROM ${quoteName(names.registry)} WHERE id = $1 FOR KEY SHARE`, [
      id,
    ]);
    if (rowCount === 0) throw noSession(id);
    await client.query(
      `INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, $2)
       ON CONFLICT (session_id) DO UPDATE SET reason = EXCLUDED.reason, placed_by = session_user, placed_at = now()`,
      [id, reason],
    );
  });
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

function noSession(id: string): TandemError {
  return new TandemError('TD008', `There is no session ${id}.`, { hint: 'Give the id of a session that exists.' });
}
