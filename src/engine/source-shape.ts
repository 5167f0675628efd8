import type { Queryable } from '../db/connect.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import {
  readTableShape,
  type ShapeDifference,
  shapeDifferences,
  type TableShape,
  tableShapeSchema,
} from '../db/table-shape.ts';
import type { TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';
import type { Finding } from './events.ts';

/** Remembers what the sources are made of: the targets are made from that, and serve in their place after the cutover. */
export async function recordSourceShapes(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  for (const move of moves) {
    await client.query('UPDATE tandem.moved_table SET source_shape = $2 WHERE name = $1', [
      move.name,
      JSON.stringify(await readTableShape(client, move.source)),
    ]);
  }
}

/**
 * For a run that is gone on with after a rollback: a foreign key that was given up meanwhile did not come back, and one
 * whose other side has another name now says so.
 */
export async function recordReturnedForeignKeys(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  for (const move of moves) {
    const { rows } = await client.query('SELECT source_shape AS shape FROM tandem.moved_table WHERE name = $1', [
      move.name,
    ]);
    const before = tableShapeSchema.parse(rows[0]?.shape);
    if (before.length === 0) continue;
    const isForeignKey = ({ kind, definition }: TableShape[number]) =>
      kind === 'constraint' && definition.startsWith('FOREIGN KEY ');
    const returned = (part: TableShape[number]) =>
      isForeignKey(part) && move.sourceForeignKeys.some((key) => key.name === part.name);
    const shape = [
      ...before.filter((part) => !isForeignKey(part)),
      ...(await readTableShape(client, move.source)).filter(returned),
    ];
    await client.query('UPDATE tandem.moved_table SET source_shape = $2 WHERE name = $1', [
      move.name,
      JSON.stringify(shape),
    ]);
  }
}

/**
 * Compares the sources with what they were when the run began. What the new tables would not have, or would have
 * otherwise, is an error. An index that somebody dropped costs nothing but its room: it is a warning.
 *
 * @throws TD027 with what was changed
 */
export async function assertSourcesUnaltered(client: Queryable, moves: readonly TableMove[]): Promise<Finding[]> {
  const warnings: Finding[] = [];
  const altered: { table: string; differences: ShapeDifference[] }[] = [];
  for (const move of moves) {
    const { rows } = await client.query(
      'SELECT source_shape AS shape FROM tandem.moved_table WHERE name = $1 AND pg_catalog.to_regclass($2) IS NOT NULL',
      [move.name, quoteName(move.source)],
    );
    // A table that is gone has an error of its own, from whoever looks for it.
    if (rows[0] === undefined) continue;
    const before = tableShapeSchema.parse(rows[0].shape);
    // A run that an earlier version began, which did not look, or one that stands on a backup: from now on it does.
    if (before.length === 0) {
      await recordSourceShapes(client, [move]);
      continue;
    }
    const differences: ShapeDifference[] = [];
    for (const difference of shapeDifferences(before, await readTableShape(client, move.source))) {
      const { what, optionalIndex } = difference;
      if (optionalIndex?.change === 'dropped') {
        warnings.push({
          severity: 'warning',
          subject: displayName(move.source),
          message: `${what} since the run began; the new table has it still`,
          hint: 'Drop it there after the cutover.',
        });
      } else if (optionalIndex === null || !(await hasIndex(client, move, optionalIndex.name))) {
        differences.push(difference);
      }
    }
    if (differences.length > 0) altered.push({ table: displayName(move.source), differences });
  }
  if (altered.length > 0) throw sourceAltered(altered);
  return warnings;
}

/** The plan gives the target indexes of its own: somebody who made one of them on the source loses nothing. */
async function hasIndex(client: Queryable, move: TableMove, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = pg_catalog.to_regclass($1) AND c.relname = $2`,
    [quoteName(move.target), name],
  );
  return rowCount === 1;
}

function sourceAltered(altered: readonly { table: string; differences: readonly ShapeDifference[] }[]): TandemError {
  const what = altered.map(({ table, differences }) => `${table}: ${differences.map((d) => d.what).join('; ')}`);
  const begin = '`tandem rollback` and `tandem migrate` begin anew with the table as it is now';
  const undoable = altered.every(({ differences }) => differences.every((d) => d.undoable));
  return new TandemError('TD027', `The live table was altered since the run began: ${what.join('. ')}.`, {
    hint: undoable ? `Undo it and run the same command again; or ${begin}.` : `It cannot be undone: ${begin}.`,
  });
}
