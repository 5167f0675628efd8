import type { Pool, Queryable } from '../../../src/db/connect.ts';
import { quoteName } from '../../../src/db/identifier.ts';
import { SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import { planStatements } from '../templates.ts';
import { keeperNames } from './transitions.ts';

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

/** How many sessions are held; 0 where the keeper has never run, or the role may not see. */
export async function countHeld(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ readable: boolean }>(
    `SELECT coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), false) AS readable
       FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
      WHERE n.nspname = 'keeper' AND c.relname = 'session_holds'`,
  );
  if (rows[0]?.readable !== true) return 0;
  const held = await client.query<{ held: number }>('SELECT count(*)::float8 AS held FROM keeper.session_holds');
  return held.rows[0]?.held ?? 0;
}

/** Which of the tables lets held sessions be deleted: all of them while the tables are flat. */
export async function unguardedTables(client: Queryable, names: SessionsNames): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT t.name FROM (VALUES ($1, 'session_hold_keep'), ($2, 'message_hold_keep'), ($3, 'feedback_hold_keep')) t (name, trigger)
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
                         WHERE g.tgrelid = pg_catalog.to_regclass(t.name) AND g.tgname = t.trigger AND g.tgenabled = 'A')
         OR NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($4) AND c.relkind = 'p')`,
    [quoteName(names.registry), quoteName(names.messages), keeperNames(names).feedback, quoteName(names.sessions)],
  );
  return rows.map(({ name }) => name);
}

/** A sentence where sessions are held and nothing keeps them; null where all is well. */
export async function unguardedHolds(client: Queryable, names: SessionsNames): Promise<string | null> {
  const held = await countHeld(client);
  if (held === 0 || (await unguardedTables(client, names)).length === 0) return null;
  const sessions = held === 1 ? '1 held session' : `${held.toLocaleString('en')} held sessions`;
  return `Nothing keeps ${sessions} from being deleted: holds count on the migrated tables alone.`;
}

/**
 * Puts sessions that are held under guard on tables that a migration makes anew: `tables` stand beside the live ones by
 * then, where nothing refuses the deletions of those, and guard them from the very cutover on.
 */
export async function guardHeld(client: Queryable, names: SessionsNames, part: 'tables' | 'feedback'): Promise<void> {
  if ((await countHeld(client)) === 0) return;
  const stage = part === 'tables' ? 'beside' : 'live';
  for (const sql of planStatements(`keeper-holds-${part}`, names, stage)) await client.query(sql);
}
