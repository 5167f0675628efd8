import type { Client } from '../db/connect.ts';
import { readSqlFile } from '../db/sql-file.ts';
import { sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { Plan, RunOptions } from '../engine/step.ts';
import type { TableMove } from '../move/table-move.ts';

/**
 * Makes the plan's targets, empty, in the transaction at hand, by the plan's own statements: those before the cutover
 * that it plans without a lock on a live table. Nobody else sees them, and they are gone with the transaction.
 *
 * @throws TD012 where that cannot be done here
 */
export async function standTargets(
  client: Client,
  plan: Plan,
  moves: readonly TableMove[],
  options: RunOptions,
): Promise<void> {
  // A stand-in for roles and auth.* is made where they are missing: it is rolled back like the rest.
  const settings = { ...options, createAuth: true, backupDir: null };
  try {
    await client.query(readSqlFile('src/engine/sql/state.sql'));
    for (const step of plan.steps) {
      if (step.name === 'cutover') break;
      for (const { sql, lock, alone } of await step.plan({ client, moves, options: settings })) {
        if (lock === null && !alone) await client.query(sql);
      }
    }
  } catch (cause) {
    if (sqlStateOf(cause) === null) throw cause;
    throw new TandemError(
      'TD012',
      'No run has built the new tables yet, and they cannot be made for the rehearsal alone.',
      {
        hint: 'Let `tandem migrate --stop-before cutover` build them first, and rehearse then.',
        ...(cause instanceof Error ? { detail: cause.message } : {}),
        cause,
      },
    );
  }
}
