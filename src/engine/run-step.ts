import { isConnectionLoss } from '../db/sqlstate.ts';
import { TandemError } from './errors.ts';
import { maybeLatestRun, type Run, setStepState } from './run-state.ts';
import { assertSourcesUnaltered } from './source-shape.ts';
import type { Step, StepContext } from './step.ts';

/**
 * Applies and verifies a step, and records what became of it before it tells.
 *
 * @throws TD022 where the run was stopped; TD030 where the step does not verify; TD027 where it failed because a live
 * table is no longer what it was
 */
export async function runStep(context: StepContext, run: Run, step: Step): Promise<void> {
  const { pool, emit, signal } = context;
  if (signal.aborted)
    throw new TandemError('TD022', `Stopped before step \`${step.name}\`.`, {
      hint: 'Run the same command again to go on.',
    });
  const describe = { event: 'step', name: step.name, guide: step.guide, title: step.title } as const;
  const startedAt = performance.now();
  await setStepState(pool, run, step.name, 'running');
  emit({ ...describe, state: 'running' });
  try {
    const latest = await maybeLatestRun(pool);
    if (latest && latest.phase !== step.phase && latest.phase !== 'baking') await context.setPhase(step.phase);
    if (latest?.phase !== 'baking') {
      const warnings = await assertSourcesUnaltered(pool, context.moves);
      // Said once, where it still can be acted upon.
      if (step.name === 'cutover') for (const warning of warnings) emit({ event: 'finding', ...warning });
    }
    const detail = await orWhatWasAltered(context, async () => {
      const done = await step.apply(context);
      await assertStepHolds(context, step);
      return done;
    });
    // Recorded before it is told: whoever hears of it may ask the database at once.
    await setStepState(pool, run, step.name, 'done', detail ?? null);
    emit({
      ...describe,
      state: 'done',
      elapsed_ms: Math.round(performance.now() - startedAt),
      ...(detail ? { detail } : {}),
    });
  } catch (error) {
    // The connection may be the very thing that failed: the first error is the one to report.
    await setStepState(pool, run, step.name, 'failed', error instanceof Error ? error.message : String(error)).catch(
      () => undefined,
    );
    emit({ ...describe, state: 'failed' });
    throw error;
  }
}

/** A step that fails because a live table is not what it was says so, and not what came of it. */
async function orWhatWasAltered<T>(context: StepContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = error instanceof TandemError && ['TD021', 'TD022', 'TD027'].includes(error.code);
    if (known || isConnectionLoss(error)) throw error;
    const altered = await whatWasAltered(context);
    if (!(altered instanceof TandemError)) throw error;
    throw new TandemError(altered.code, altered.message, {
      ...(altered.hint === undefined ? {} : { hint: altered.hint }),
      detail: error instanceof Error ? error.message : String(error),
      cause: error,
    });
  }
}

async function whatWasAltered({ pool, moves }: StepContext): Promise<unknown> {
  try {
    if ((await maybeLatestRun(pool))?.phase !== 'baking') await assertSourcesUnaltered(pool, moves);
    return null;
  } catch (altered) {
    return altered;
  }
}

async function assertStepHolds(context: StepContext, step: Step): Promise<void> {
  const problems = await step.verify(context);
  for (const problem of problems) context.emit({ event: 'finding', ...problem });
  const blocking = problems.filter((p) => p.severity === 'blocks');
  if (blocking.length === 0) return;
  throw new TandemError(
    'TD030',
    `Step \`${step.name}\` did not verify: ${blocking[0]?.subject}: ${blocking[0]?.message}`,
    {
      hint:
        blocking[0]?.hint ?? 'The live tables serve as before. Look at the difference; `tandem rollback` goes back.',
      detail: blocking.map((p) => `${p.subject}: ${p.message}`).join('\n'),
    },
  );
}
