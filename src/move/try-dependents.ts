import type { Queryable } from '../db/connect.ts';
import { asServerWrites, quoteIdent, quoteName } from '../db/identifier.ts';
import { type Other, orWithoutCasts, readDependents } from './dependents.ts';
import { type Renaming, renameIn } from './rename-in.ts';
import type { TableMove } from './table-move.ts';

/**
 * What hangs on the live tables - views, functions, policies of other tables, publications, statistics - made on the empty
 * targets and taken away again: what the new types refuse (`upper(status)` of an enum) is known before a row is copied,
 * and not under the locks of the cutover.
 * The targets take the live tables' own names meanwhile, in their own schema, since columns are written with them.
 */
export async function tryDependentsSql(
  client: Queryable,
  moves: readonly TableMove[],
  partitioned: readonly TableMove[],
): Promise<string[]> {
  const sources = moves.map((move) => move.source);
  const { views, functions, others } = await readDependents(
    client,
    sources,
    partitioned.map((move) => move.source),
  );
  if (views.length + functions.length + others.length === 0) return [];
  const schema = moves[0]?.target.schema ?? '';
  const names = [
    ...moves.map((move) => ({ from: asServerWrites(move.source), to: quoteName({ schema, name: move.source.name }) })),
    ...views.map((view) => ({
      from: escaped(view.name),
      to: `${quoteIdent(schema)}.${view.unqualified}`,
    })),
  ];
  return [
    'SAVEPOINT dependents',
    ...moves.map((move) => `ALTER TABLE ${quoteName(move.target)} RENAME TO ${quoteIdent(move.source.name)}`),
    ...[...views.map((view) => view.create), ...functions].map((sql) => orWithoutCasts(renameIn(sql, names))),
    ...others.flatMap((other, i) => tryOtherSql(other, i, names)),
    'ROLLBACK TO SAVEPOINT dependents',
  ];
}

/**
 * A policy is tried on an empty table like its own: nobody waits for a lock on that one. Statistics are tried under a name
 * of Tandem's, as their own is taken.
 */
function tryOtherSql({ create, name, unqualified }: Other, place: number, names: readonly Renaming[]): string[] {
  const inTrial = (sql: string, to: string) =>
    orWithoutCasts(renameIn(sql, [...names, { from: escaped(name ?? ''), to }]));
  if (name === null) return create.map((sql) => orWithoutCasts(renameIn(sql, names)));
  const first = create.slice(0, 1);
  if (unqualified === null) return first.map((sql) => inTrial(sql, `tandem.trial_${place}`));
  const own = `tandem_trial_${place}.${unqualified}`;
  return [
    `CREATE SCHEMA tandem_trial_${place}`,
    `CREATE TABLE ${own} (LIKE ${name})`,
    ...first.map((sql) => inTrial(sql, own)),
  ];
}

const escaped = (name: string) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
