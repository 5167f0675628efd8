import type { Queryable } from '../db/connect.ts';
import { asServerWrites, quoteIdent, quoteName } from '../db/identifier.ts';
import { orWithoutCasts, readDependents } from './dependents.ts';
import { renameIn } from './rename-in.ts';
import type { TableMove } from './table-move.ts';

/**
 * Views and functions that read the live tables, made on the empty targets and taken away again: what the new types
 * refuse (`upper(status)` of an enum) is known before a row is copied, and not under the locks of the cutover.
 * The targets take the live tables' own names meanwhile, in their own schema, since columns are written with them.
 */
export async function tryDependentsSql(client: Queryable, moves: readonly TableMove[]): Promise<string[]> {
  const sources = moves.map((move) => move.source);
  const { views, functions } = await readDependents(client, sources, []);
  const tried = [...views.map((view) => view.create), ...functions];
  if (tried.length === 0) return [];
  const schema = moves[0]?.target.schema ?? '';
  const names = [
    ...moves.map((move) => ({ from: asServerWrites(move.source), to: quoteName({ schema, name: move.source.name }) })),
    ...views.map((view) => ({
      from: view.name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      to: `${quoteIdent(schema)}.${view.unqualified}`,
    })),
  ];
  return [
    'SAVEPOINT dependents',
    ...moves.map((move) => `ALTER TABLE ${quoteName(move.target)} RENAME TO ${quoteIdent(move.source.name)}`),
    ...tried.map((sql) => orWithoutCasts(renameIn(sql, names))),
    'ROLLBACK TO SAVEPOINT dependents',
  ];
}
