import type { Queryable } from '../db/connect.ts';
import { asServerWrites, quoteIdent, quoteName } from '../db/identifier.ts';
import { readDependents } from './dependents.ts';
import type { TableMove } from './table-move.ts';

/**
 * Views and functions that read the live tables, made on the empty targets and taken away again: what the new types
 * refuse (`upper(status)` of an enum) is known before a row is copied, and not under the locks of the cutover.
 * The targets take the live tables' own names meanwhile, in their own schema, since columns are written with them.
 */
export async function tryDependentsSql(client: Queryable, moves: readonly TableMove[]): Promise<string[]> {
  const { create } = await readDependents(
    client,
    moves.map((move) => move.source),
    [],
  );
  const views = create.flatMap((sql) => VIEW.exec(sql)?.[1] ?? []);
  const tried = create.filter((sql) => VIEW.test(sql) || FUNCTION.test(sql));
  if (tried.length === 0) return [];
  const schema = moves[0]?.target.schema ?? '';
  const renames = [
    ...moves.map((move) => ({ from: asServerWrites(move.source), to: quoteName({ schema, name: move.source.name }) })),
    ...views.map((view) => ({
      from: view.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      to: `${quoteIdent(schema)}.${view.slice(view.indexOf('.') + 1)}`,
    })),
  ];
  return [
    'SAVEPOINT dependents',
    ...moves.map((move) => `ALTER TABLE ${quoteName(move.target)} RENAME TO ${quoteIdent(move.source.name)}`),
    ...tried.map((sql) => renames.reduce((text, { from, to }) => renamed(text, from, to), sql)),
    'ROLLBACK TO SAVEPOINT dependents',
  ];
}

// Said outright, or within the DO that says it in another way where it is refused.
const VIEW =
  /^(?:DO \$tandem_do\$ BEGIN EXECUTE E?')?CREATE VIEW ((?:"(?:[^"]|"")+"|[^".\s]+)\.(?:"(?:[^"]|"")+"|[^".\s]+)) /;
const FUNCTION = /^(?:DO \$tandem_do\$ BEGIN EXECUTE E?')?CREATE OR REPLACE FUNCTION /;

/** Whole names only: `public.sessions` is no part of `public.sessions_archive`, nor of `my_public.sessions`. */
function renamed(sql: string, from: string, to: string): string {
  return sql.replaceAll(new RegExp(`(?<![\\w$".])${from}(?![\\w$"])`, 'g'), () => to);
}
