import type { Queryable } from '../db/connect.ts';
import { relationExists } from '../db/describe-table.ts';
import { displayName } from '../db/identifier.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { assertLogged } from '../move/assert-logged.ts';
import { namesTaken } from '../move/names-taken.ts';
import type { TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';
import { assertColumnsStand, assertNoColumnIsLost } from './live-columns.ts';
import { assertNoReferenceIsLost } from './live-references.ts';
import { assertPrivileges } from './privileges.ts';
import { assertRetiredStand } from './retired-tables.ts';
import { assertReferencesStand, withFollowedReferences } from './source-references.ts';

type Assertion = (client: Queryable, moves: readonly TableMove[]) => Promise<void>;

const ASSERTIONS: readonly Assertion[] = [
  assertRetiredStand,
  (client, moves) => assertLogged(client, moves, 'back'),
  assertColumnsStand,
  assertNoColumnIsLost,
  assertNoReferenceIsLost,
  assertReferencesStand,
  assertNamesFree,
];

/** @throws TD027 for names that the tables to go back to bring with them, and that others have by now */
async function assertNamesFree(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const taken = await namesTaken(client, moves, 'retired');
  if (taken.length === 0) return;
  throw new TandemError('TD027', `The tables to go back to have names that are taken by now: ${taken.join(', ')}.`, {
    hint: 'Rename or drop what has them, and run the same command again.',
  });
}

/**
 * What can be known of the way back before anything is taken back, and under the locks. Reads the catalog only.
 *
 * @throws TD027 for what was altered since the cutover and would be lost, or would be missed; TD023 where writes are not
 * logged; TD006 for a privilege that the role lacks
 */
export async function assertWayBack(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  // What the returning tables refer to is what they will refer to then.
  await assertPrivileges(
    client,
    moves.map((move) => ({ ...move, targetForeignKeys: move.sourceForeignKeys })),
  );
  for (const assertion of ASSERTIONS) await assertion(client, moves);
}

/**
 * Before any other look at them: the live tables, and what identifies their rows, by the names that the run knows.
 *
 * @throws TD005 with the name that is gone
 */
export async function assertLiveStand(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  for (const name of moves.flatMap((move) => [move.source, move.identity.table])) {
    if (await relationExists(client, name)) continue;
    throw new TandemError('TD005', `There is no table ${displayName(name)} any more: the run knows it by that name.`, {
      hint: 'Give it its name back, and run the same command again.',
    });
  }
}

/** The same as sentences: what would make a rollback wait. Null where the role may not look. */
export async function maybeObstacles(client: Queryable, moves: readonly TableMove[]): Promise<string[] | null> {
  const found: string[] = [];
  try {
    const gone = await obstacleOf(() => assertLiveStand(client, moves));
    // Whoever looks at a table that is not there finds nothing else.
    if (gone !== null) return [gone];
    const followed = await withFollowedReferences(client, moves);
    for (const assertion of ASSERTIONS) {
      const obstacle = await obstacleOf(() => assertion(client, followed));
      if (obstacle !== null) found.push(obstacle);
    }
  } catch (error) {
    if (sqlStateOf(error) !== SqlState.insufficientPrivilege) throw error;
    return null;
  }
  return found;
}

async function obstacleOf(assertion: () => Promise<void>): Promise<string | null> {
  try {
    await assertion();
    return null;
  } catch (error) {
    if (error instanceof TandemError) return error.message;
    throw error;
  }
}
