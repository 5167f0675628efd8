import type { Queryable } from '../../src/db/connect.ts';
import { displayName, type QualifiedName, quoteIdent, quoteLiteral, quoteName } from '../../src/db/identifier.ts';
import { splitStatements } from '../../src/db/sql-file.ts';
import { insertAllSql } from '../../src/move/copy.ts';
import { validateSql } from '../../src/move/cutover.ts';
import { besideName } from '../../src/move/dependent-views.ts';
import { forward, fromClause, unfitColumns } from '../../src/move/direction.ts';
import { handOverIdentitySql } from '../../src/move/hand-over.ts';
import { hangingOn } from '../../src/move/hanging.ts';
import { besideSql, fillSql } from '../../src/move/stand-views.ts';
import { addForeignKeySql, cutoverSql } from '../../src/move/swap.ts';
import type { ForeignKey, TableMove } from '../../src/move/table-move.ts';
import { incomingLeaves, withCurrentDependents } from '../../src/steps/cutover.ts';
import { carriedOver } from './carry.ts';
import type { SessionsNames } from './names.ts';
import { buildStatements, liveStatements, SEARCH_FILES, targetStatements } from './statements.ts';
import { planStatements } from './templates.ts';

/**
 * The move of the tables as they are at this moment, as one series of statements for one transaction, in which nobody
 * else writes: the statements of the online run, without its change log. It works in schema `tandem` as that does, and
 * leaves nothing there.
 */
export async function moveStatements(
  client: Queryable,
  names: SessionsNames,
  resolved: readonly TableMove[],
): Promise<string[]> {
  const moves = withFeedback(await withCurrentDependents(client, resolved), names);
  const partitions = new Map([['sessions', Object.values(names.partitions)]]);
  const leaves = await incomingLeaves(client, moves);
  const dependents = await hangingOn(client, moves, partitions);
  const standing = dependents.views.filter((view) => view.stands);
  const live = liveStatements(names, moves);
  const statements = (file: string, stage: 'beside' | 'live') => planStatements(file, names, stage);
  const carry = (move: TableMove) => carriedOver(client, move);
  return [
    'CREATE SCHEMA tandem',
    ...(await targetStatements(names, moves, carry, { noted: false })),
    ...moves.map((move) => refuseUnfitSql(move)),
    ...moves.flatMap((move) => [insertAllSql(forward(move))]),
    ...moves.flatMap((move) => [...buildStatements(names, move), ...move.settle]),
    ...['security-sessions', 'security-messages'].flatMap((file) => statements(file, 'beside')),
    ...moves.map((move) => compareSql(move)),
    ...besideSql(moves, 'target', standing),
    ...standing.filter((view) => view.populated).map(fillSql),
    ...dependents.drop,
    ...moves.flatMap((move) => handOverIdentitySql(move, 'forward')),
    ...cutoverSql({ moves, partitions, leaves, live, dependents, changeLog: false }),
    ...moves.flatMap((move) => [
      ...move.targetForeignKeys.flatMap((key) => validatedSql(key, move.source, partitionsOf(move, partitions))),
      ...move.incoming.flatMap(({ after }) =>
        after.validated ? validatedSql(after, after.table, leaves.get(quoteName(after.table)) ?? []) : [],
      ),
    ]),
    // Without CASCADE: what somebody hung on them since would go with them, and stops the file instead.
    ...[...standing].reverse().map((view) => `DROP ${view.kind} ${besideName(view)}`),
    ...[...moves].reverse().map((move) => `DROP TABLE ${quoteName(move.retired)}`),
    ...['session-rollup', 'session-changes', 'session-stats', ...SEARCH_FILES].flatMap((file) =>
      statements(file, 'live'),
    ),
    'DROP SCHEMA tandem',
  ].flatMap(splitStatements);
}

/** Valid like the online run's; a partitioned table's key stands on its partitions, and the parent adopts them. */
function validatedSql(key: ForeignKey, table: QualifiedName, parts: readonly QualifiedName[]): string[] {
  if (parts.length === 0) return [validateSql(table, key.name)];
  return [...parts.map((part) => validateSql(part, key.name)), addForeignKeySql(key, table, { notValid: false })];
}

/** Stops the file where a value would not fit, and names the columns. */
function refuseUnfitSql(move: TableMove): string {
  const direction = forward(move);
  return `DO $tandem_unfit$ DECLARE unfit text; BEGIN
      SELECT pg_catalog.string_agg(DISTINCT c.name, ', ') INTO unfit
        ${fromClause(direction)} CROSS JOIN LATERAL pg_catalog.unnest(${unfitColumns(direction)}) AS c (name);
      IF unfit IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'data_exception',
          MESSAGE = pg_catalog.format('Some rows of %s hold values that do not fit: %s. Nothing was changed.', ${quoteLiteral(displayName(move.source))}, unfit),
          HINT = 'Mend these rows, or map their values in the plan file and export again.';
      END IF; END $tandem_unfit$`;
}

/** Every column of every row, both ways, as the online run compares them. */
function compareSql(move: TableMove): string {
  const direction = forward(move);
  const columns = direction.columns.filter((column) => !column.once);
  const before = columns.map((column) => `(${column.expression})::text`).join(', ');
  const after = columns.map((column) => `s.${quoteIdent(column.column)}::text`).join(', ');
  const [source, target] = [
    `SELECT ${before} ${fromClause(direction)}`,
    `SELECT ${after} FROM ${quoteName(direction.to)} s`,
  ];
  return `DO $tandem_compare$ BEGIN
      IF EXISTS ((${source} EXCEPT ALL ${target}) UNION ALL (${target} EXCEPT ALL ${source})) THEN
        RAISE EXCEPTION USING MESSAGE = ${quoteLiteral(`Rows of ${displayName(move.source)} differ from the flat table. Nothing was changed.`)};
      END IF; END $tandem_compare$`;
}

/** The files before this one make message_feedback, where it is not there yet: it refers to the messages. */
function withFeedback(moves: readonly TableMove[], names: SessionsNames): TableMove[] {
  const table = { schema: names.sessions.schema, name: 'message_feedback' };
  const referencedColumns = [names.messagesColumns['id'] ?? 'id'];
  const key: ForeignKey = {
    name: 'message_feedback_message_id_fkey',
    table,
    columns: ['message_id'],
    references: names.messages,
    referencedColumns,
    rules: 'ON DELETE CASCADE',
    validated: true,
    comment: null,
  };
  return moves.map((move) => {
    const isThere = move.incoming.some(({ before }) => quoteName(before.table) === quoteName(table));
    if (move.name !== 'messages' || isThere) return move;
    return { ...move, incoming: [...move.incoming, { before: key, after: key }] };
  });
}

function partitionsOf(move: TableMove, partitions: ReadonlyMap<string, readonly string[]>): QualifiedName[] {
  return (partitions.get(move.name) ?? []).map((name) => ({ schema: move.source.schema, name }));
}
