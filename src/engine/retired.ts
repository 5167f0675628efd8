import type { Pool } from 'pg';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { backward } from '../move/direction.ts';
import { drainUntil } from '../move/drain.ts';
import { TandemError } from './errors.ts';
import { assertColumnsStand } from './live-columns.ts';
import { assertRetiredStand } from './retired-tables.ts';
import type { Run } from './run-state.ts';
import { withRunnerLock } from './runner-lock.ts';

/**
 * Brings the retired tables up to date with the live ones. For whoever holds the run.
 *
 * @throws TD027 where a live table has lost a column, or a retired one is gone
 */
export async function catchUpRetired(pool: Pool, run: Run, signal: AbortSignal): Promise<void> {
  await assertRetiredStand(pool, run.settings.moves);
  await assertColumnsStand(pool, run.settings.moves);
  for (const move of run.settings.moves) await drainUntil(pool, backward(move), { rest: 100, signal });
}

/**
 * The same for a command that does not hold the run: where another one does, the drain is left to that one, and where
 * the role may only read, to whoever may write.
 */
export async function catchUpRetiredIfFree(pool: Pool, run: Run, signal: AbortSignal): Promise<void> {
  try {
    await withRunnerLock(pool, 'verify', () => catchUpRetired(pool, run, signal));
  } catch (error) {
    const held = error instanceof TandemError && error.code === 'TD010';
    const mayOnlyRead = [SqlState.insufficientPrivilege, SqlState.readOnlyTransaction].some(
      (s) => s === sqlStateOf(error),
    );
    if (!held && !mayOnlyRead) throw error;
  }
}
