import type { Pool } from 'pg';
import { inTransaction } from '../db/connect.ts';
import { assertAsMany } from '../move/as-many.ts';
import { TandemError } from './errors.ts';
import type { Emit } from './events.ts';
import { assertHeldByRetired } from './held-by-retired.ts';
import { catchUpRetired } from './retired.ts';
import {
  assertNotRestoring,
  assertSamePlan,
  isOpen,
  listSteps,
  maybeLatestRun,
  type Run,
  setMoves,
  setPhase,
  setReopened,
  setRollingBack,
  setStepState,
} from './run-state.ts';
import { withRunnerLock } from './runner-lock.ts';
import { withFollowedReferences } from './source-references.ts';
import { recordReturnedForeignKeys } from './source-shape.ts';
import type { Plan, RunOptions } from './step.ts';
import { stepContext } from './step-context.ts';
import { assertLiveStand, assertWayBack } from './way-back.ts';

/**
 * Goes back to the flat tables, before or after cutover: the steps' `revert` in reverse order. After cutover the first
 * of them drains every write made since into the retired tables and swaps the names; nothing is dropped before that.
 *
 * With `keep`, only the cutover and what came after it is taken back: the new tables stand beside the live ones as they did
 * before, the change log follows the live ones from the very swap, and the run can be gone on with without a copy.
 *
 * @throws TD012 where no run is open, or none that could be kept; TD016 for another plan file than the run's; TD031,
 * TD027 and TD030 for rows, columns and references that would be lost
 */
export async function rollback(input: {
  pool: Pool;
  plan: Plan;
  options: RunOptions;
  emit: Emit;
  signal: AbortSignal;
  keep?: boolean;
}): Promise<void> {
  const { pool, plan, emit, keep = false } = input;
  await openRun(pool);
  await withRunnerLock(pool, 'rollback', async (lost) => {
    const signal = AbortSignal.any([input.signal, lost]);
    // Read again: whoever held the lock a moment ago may have cut over.
    let run = await openRun(pool);
    assertSamePlan(run, plan);
    if (keep && run.phase !== 'baking' && !run.rolling_back) throw nothingToKeep();
    if (run.phase === 'baking') {
      run = await followReferences(pool, run);
      await assertWayBack(pool, run.settings.moves);
      await catchUpRetired(pool, run, signal);
      await assertHeldByRetired(pool);
      await assertAsMany(pool, run.settings.moves);
    }
    const begun = new Set(
      (await listSteps(pool, run)).filter((s) => s.state !== 'pending' && s.state !== 'reverted').map((s) => s.name),
    );
    if (keep && !plan.steps.some((step) => step.reopen && begun.has(step.name))) throw nothingToKeep();
    await setRollingBack(pool, run, true);
    const context = stepContext(pool, run, input.options, emit, signal);
    for (const step of [...plan.steps].reverse()) {
      if (!begun.has(step.name)) continue;
      if (typeof step.revert === 'function') {
        if (signal.aborted)
          throw new TandemError('TD022', `Stopped before step \`${step.name}\` was reverted.`, {
            hint: 'Run the same command again to go on.',
          });
        // Stopped in the midst of it, and given up by `migrate`, the step is applied again.
        await setStepState(pool, run, step.name, 'running');
        await step.revert(context);
      }
      const reopened = keep && step.reopen !== undefined;
      if (reopened) await step.reopen?.(context);
      // With the step's state: killed before it, the same command finds the step standing, and reopens the run again.
      await inTransaction(pool, async (client) => {
        await setStepState(client, run, step.name, 'reverted');
        if (reopened) await recordReturnedForeignKeys(client, context.moves);
        if (reopened) await setReopened(client, run);
      });
      emit({ event: 'step', name: step.name, guide: step.guide, title: step.title, state: 'reverted' });
      if (reopened) {
        emit({ event: 'phase', phase: 'draining' });
        return;
      }
    }
    await setPhase(pool, run, 'rolled_back');
    emit({ event: 'phase', phase: 'rolled_back' });
  });
}

function nothingToKeep(): TandemError {
  return new TandemError('TD012', 'There is no cutover to take back: the flat tables are the live ones.', {
    hint: '`tandem migrate` goes on with the run, and `tandem rollback` without --keep takes it away.',
  });
}

/** What refers to the tables, and what they refer to, may have another name by now. */
async function followReferences(pool: Pool, run: Run): Promise<Run> {
  await assertLiveStand(pool, run.settings.moves);
  const moves = await withFollowedReferences(pool, run.settings.moves);
  await setMoves(pool, run, moves);
  return { ...run, settings: { ...run.settings, moves } };
}

async function openRun(pool: Pool): Promise<Run> {
  const run = await maybeLatestRun(pool);
  if (isOpen(run)) {
    assertNotRestoring(run);
    return run;
  }
  throw new TandemError('TD012', 'There is no run to roll back: none is open in this database.', {
    hint: 'After `tandem finish` only the backup is left: `tandem rollback --from DIR`.',
  });
}
