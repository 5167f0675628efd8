import type { Queryable } from '../db/connect.ts';
import { relationExists } from '../db/describe-table.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { changeLogName } from '../move/direction.ts';
import type { TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';

/** The tables to go back to, their columns and logs, that somebody has dropped: they look like a backup that nobody needs. */
export async function lostRetired(client: Queryable, moves: readonly TableMove[]): Promise<string[]> {
  const lost: string[] = [];
  for (const move of moves) {
    const { retired, columns } = move;
    if (!(await relationExists(client, changeLogName(move)))) lost.push(displayName(changeLogName(move)));
    const { rows } = await client.query<{ columns: string[] }>(
      `SELECT ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
         FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`,
      [quoteName(retired)],
    );
    const [table] = rows;
    if (table === undefined) lost.push(displayName(retired));
    for (const { source, backward } of columns)
      if (table && source !== null && backward !== null && !table.columns.includes(source))
        lost.push(`${displayName(retired)}.${source}`);
  }
  return lost;
}

/** @throws TD027 with their names */
export async function assertRetiredStand(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const lost = await lostRetired(client, moves);
  if (lost.length === 0) return;
  throw new TandemError('TD027', `What is kept up to date for the way back is gone: ${lost.join(', ')}.`, {
    hint: 'The live tables have lost nothing. `tandem finish --without-way-back` ends the run all the same; after that, `tandem rollback --from DIR` goes back by way of a backup.',
  });
}
