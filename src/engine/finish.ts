import type { Pool } from 'pg';
import { partitionNames } from '../db/describe-table.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { detachChangeLogSql } from '../move/change-log.ts';
import { lockOrder } from '../move/swap.ts';
import { TandemError } from './errors.ts';
import type { Emit } from './events.ts';
import { asOneStep, type Task } from './one-step.ts';
import { catchUpRetired } from './retired.ts';
import { lostRetired } from './retired-tables.ts';
import { withLockRetry } from './retry-ddl.ts';
import {
  assertNotRestoring,
  assertNotRollingBack,
  assertSamePlan,
  isOpen,
  maybeLatestRun,
  type Run,
  setPhase,
} from './run-state.ts';
import { withRunnerLock } from './runner-lock.ts';
import type { Plan, RunOptions } from './step.ts';
import { verify, verifyShape } from './verify.ts';

/** What `finish` does, in the order in which it tells of it. */
export const finishTasks = {
  verify: { name: 'verify', guide: '', title: 'Verify everything once more' },
  changeLog: { name: 'change-log', guide: '', title: 'Take the change log off' },
  drop: { name: 'drop', guide: '', title: 'Drop the retired tables' },
} as const satisfies Record<string, Task>;

/**
 * Ends the bake: after a fresh verification, takes the change log off the new tables and drops the retired ones with
 * everything else of Tandem's. There is no way back from here but the backup; that is what is irreversible about it.
 *
 * With `withoutWayBack`, also where somebody has dropped a retired table, so that its rows can be compared no more: the
 * shape alone is verified then.
 *
 * @throws TD012 where nothing bakes; TD030 where the verification is not green, and then nothing is dropped; TD027 where a
 * retired table is gone
 */
export async function finish(input: {
  pool: Pool;
  plan: Plan;
  options: RunOptions;
  emit: Emit;
  signal: AbortSignal;
  withoutWayBack?: boolean;
}): Promise<void> {
  const { pool, plan, options, emit, withoutWayBack = false } = input;
  await finishableRun(pool);
  await withRunnerLock(pool, 'finish', async (lost) => {
    // Read again: whoever held the lock a moment ago may have gone back.
    const run = await finishableRun(pool);
    assertSamePlan(run, plan);
    const signal = AbortSignal.any([input.signal, lost]);
    const lock = { ...options.cutover, emit, signal };
    if (run.phase === 'baking') {
      await asOneStep(emit, finishTasks.verify, async () => {
        const alone = withoutWayBack && (await lostRetired(pool, run.settings.moves)).length > 0;
        if (!alone) await catchUpRetired(pool, run, signal);
        const all = { pool, plan, options, emit, signal };
        const result = alone ? await verifyShape(all) : await verify(all);
        if (!result.ok) {
          throw new TandemError('TD030', 'The verification is not green; nothing was dropped.', {
            hint: 'Look at the differences with `tandem verify`. The retired tables stay, and `tandem rollback` still goes back.',
            detail: result.findings.map((f) => `${f.subject}: ${f.message}`).join('\n'),
          });
        }
        return { result, detail: alone ? 'the shape alone: no rows are left to compare with' : 'no difference' };
      });
      const statements = await detachStatements(pool, run);
      // All logs and the phase together: with one of them gone, the retired tables are no way back any more.
      await asOneStep(emit, finishTasks.changeLog, async () => ({
        result: await withLockRetry(
          pool,
          'Taking the change log off',
          async (client) => {
            await client.query(statements.join(';\n'));
            await setPhase(client, run, 'finished');
          },
          lock,
        ),
        detail: run.settings.moves.map((move) => displayName(move.source)).join(', '),
      }));
    } else {
      for (const task of [finishTasks.verify, finishTasks.changeLog])
        emit({ event: 'step', ...task, state: 'done', detail: 'done before' });
    }
    await asOneStep(emit, finishTasks.drop, async () => ({
      result: await withLockRetry(
        pool,
        'Dropping the schema tandem',
        (client) => client.query('DROP SCHEMA tandem CASCADE'),
        lock,
      ),
      detail: run.settings.moves.map((move) => displayName(move.retired)).join(', '),
    }));
    emit({ event: 'phase', phase: 'finished' });
  });
}

/** In the order in which the cutover locks: a client never waits for Tandem in a circle. */
async function detachStatements(pool: Pool, run: Run): Promise<string[]> {
  const { moves } = run.settings;
  const statements: string[] = [];
  for (const name of lockOrder(moves)) {
    const move = moves.find((m) => quoteName(m.source) === quoteName(name));
    if (!move) continue;
    const partitions = await partitionNames(pool, name);
    statements.push(
      ...detachChangeLogSql(
        name,
        partitions.map((partition) => ({ schema: name.schema, name: partition })),
      ),
    );
  }
  return statements;
}

/** The run that bakes; or one that was finished, but for the dropping of what it left. */
async function finishableRun(pool: Pool): Promise<Run> {
  const run = await maybeLatestRun(pool);
  if (isOpen(run)) {
    assertNotRollingBack(run);
    assertNotRestoring(run);
  }
  if (run?.phase === 'baking' || run?.phase === 'finished') return run;
  throw new TandemError('TD012', 'There is no run to finish: none has been cut over.', {
    hint:
      run === null || run.phase === 'rolled_back'
        ? '`tandem migrate` begins one.'
        : '`tandem migrate` completes the one that is open.',
  });
}
