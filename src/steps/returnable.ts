import type { Client, Pool } from '../db/connect.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { TableMove } from '../move/table-move.ts';
import { tryDependentsSql } from '../move/try-dependents.ts';

/**
 * What hangs on the live tables by now, made on the retired ones and taken away again: a view that somebody made since the
 * cutover may read a column that these do not have.
 *
 * @throws TD027 with what the server says of it
 */
export async function assertReturnable(pool: Pool, moves: readonly TableMove[]): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const retired = moves.map((move) => ({ ...move, target: move.retired }));
    for (const sql of await tryDependentsSql(client, retired, [])) await tryOne(client, sql);
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
}

async function tryOne(client: Client, sql: string): Promise<void> {
  await client.query('SAVEPOINT one');
  try {
    await client.query(sql);
  } catch (error) {
    // The materialized view that served before the cutover stands there still.
    if (sqlStateOf(error) === SqlState.duplicateTable) {
      await client.query('ROLLBACK TO SAVEPOINT one');
      return;
    }
    const refused = /^(?:0A|22|42)/.test(sqlStateOf(error) ?? '');
    if (!refused || !(error instanceof Error)) throw error;
    throw new TandemError('TD027', `What was hung on the live tables cannot go back with them: ${error.message}.`, {
      hint: 'Drop or change it, and run the same command again; or `tandem migrate` gives the rollback up, and stays with the new tables.',
      detail: sql.trim(),
      cause: error,
    });
  }
}
