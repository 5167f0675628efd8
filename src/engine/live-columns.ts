import type { Queryable } from '../db/connect.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import type { TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';

/**
 * Columns that somebody dropped, or gave another name, since the cutover: the retired tables cannot follow any more.
 *
 * @throws TD027 with their names
 */
export async function assertColumnsStand(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const gone: string[] = [];
  for (const move of moves) {
    const live = await writableColumns(client, move);
    for (const { target, source, backward } of move.columns)
      if (source !== null && backward !== null && !live.has(target)) gone.push(`${displayName(move.source)}.${target}`);
  }
  if (gone.length === 0) return;
  throw new TandemError('TD027', `The live tables have lost what the retired ones follow: ${gone.join(', ')}.`, {
    hint: 'Add it again by its name and type, and run the same command again. The retired tables still have what it held at last.',
  });
}

/**
 * Columns that somebody added since the cutover: the tables to go back to have none, and their values would be dropped.
 *
 * @throws TD027 with their names
 */
export async function assertNoColumnIsLost(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const added: string[] = [];
  for (const move of moves) {
    const known = new Set(move.columns.map((column) => column.target));
    for (const name of await writableColumns(client, move))
      if (!known.has(name)) added.push(`${displayName(move.source)}.${name}`);
  }
  if (added.length === 0) return;
  throw new TandemError(
    'TD027',
    `The tables to go back to cannot hold what was added since the cutover: ${added.join(', ')}.`,
    {
      hint: 'Copy its values to a table of your own, drop it, and run the same command again.',
    },
  );
}

/** All but those that the server computes. */
async function writableColumns(client: Queryable, move: TableMove): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_catalog.pg_attribute
      WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [quoteName(move.source)],
  );
  return new Set(rows.map((row) => row.name));
}
