import { quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { ForeignKey, TableMove } from '../../src/move/table-move.ts';
import type { SessionsNames } from './names.ts';
import { planStatements } from './templates.ts';

/**
 * Relationships for PostgREST between sessions and each table of the application's, in the same schema, that refers to them by one
 * column and one foreign key: with the key it loses what it embedded by. Two keys needed a hint by the key's name before,
 * and no function has that.
 */
export function embeddingReferencesSql(
  names: SessionsNames,
  moves: readonly TableMove[],
  file: 'embedding-reference' | 'embedding-reference-revert',
): string[] {
  return references(names, moves).flatMap(({ table, columns: [column = ''] }) =>
    planStatements(file, names, 'live', {
      reference: quoteName(table),
      'reference.column': quoteIdent(column),
    }),
  );
}

function references(names: SessionsNames, moves: readonly TableMove[]): ForeignKey[] {
  const move = moves.find(({ source }) => quoteName(source) === quoteName(names.sessions));
  const keys = (move?.incoming ?? []).map(({ after }) => after);
  return keys.filter(
    ({ table, columns }) =>
      table.schema === names.sessions.schema &&
      columns.length === 1 &&
      keys.filter((other) => quoteName(other.table) === quoteName(table)).length === 1,
  );
}
