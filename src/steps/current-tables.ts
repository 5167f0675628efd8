import type { Client, Pool, Queryable } from '../db/connect.ts';
import { unmovableDependents } from '../db/describe-dependents.ts';
import { displayName, type QualifiedName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { StepContext } from '../engine/step.ts';
import { namesTaken } from '../move/names-taken.ts';
import { assertUnaltered, readReferences, TablesChanged } from '../move/references.ts';
import type { TableMove } from '../move/table-move.ts';
import { compareRows } from './verify-rows.ts';

/** How often the swap is prepared anew because somebody altered the tables meanwhile. */
const MAX_PREPARATIONS = 5;

/**
 * The swap is prepared while nobody is locked out: what the tables are made of, and what hangs on them, is read first.
 * What somebody alters after that would stay with the old version, so that `assertCurrent`, one look at the catalog under
 * the locks, has the swap prepared anew.
 */
export async function withCurrentTables<T>(
  context: StepContext,
  swap: (assertCurrent: (client: Client) => Promise<void>) => Promise<T>,
): Promise<T> {
  const { pool, moves, emit } = context;
  const tables = moves.map((move) => move.source);
  for (let tries = 1; ; tries++) {
    const before = await readReferences(pool, tables);
    try {
      return await swap((client) => assertUnaltered(client, tables, before));
    } catch (error) {
      if (!(error instanceof TablesChanged)) throw error;
      if (tries >= MAX_PREPARATIONS) {
        throw new TandemError('TD027', 'The live tables are altered again and again while the swap is prepared.', {
          hint: 'Stop what alters them, and run the same command again.',
          detail: error.message,
        });
      }
      emit({ event: 'note', message: `${error.message} The swap is prepared again.` });
      const [difference] = error.rewritten ? await compareRows(context) : [];
      if (difference) {
        throw new TandemError('TD030', `${error.message} ${difference.subject}: ${difference.message}.`, {
          hint: 'The live table is right and serves on. Go back with `tandem rollback`, and begin anew.',
        });
      }
    }
  }
}

/** @throws TD017 for what cannot go over to the new tables */
export async function assertMovable(pool: Pool, tables: readonly QualifiedName[]): Promise<void> {
  for (const table of tables) {
    const [what] = await unmovableDependents(pool, table, tables);
    if (what === undefined) continue;
    throw new TandemError('TD017', `${what} depends on ${displayName(table)} and would stay with the old table.`, {
      hint: 'Drop it, run the same command again, and create it again afterwards.',
    });
  }
}

/** @throws TD017 for names that the new tables bring with them, and that others have by now */
export async function assertNamesFree(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const taken = await namesTaken(client, moves, 'target');
  if (taken.length === 0) return;
  throw new TandemError('TD017', `The new tables would bring names that are taken: ${taken.join(', ')}.`, {
    hint: 'Rename or drop what has them, and run the same command again.',
  });
}
