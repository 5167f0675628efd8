import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Pool } from 'pg';
import { inTransaction } from '../db/connect.ts';
import { collectFindings } from './check.ts';
import { readControl, requestCutover, setThrottles, type Throttles } from './control.ts';
import { TandemError } from './errors.ts';
import type { Emit, Finding, Phase } from './events.ts';
import { assertPrivileges } from './privileges.ts';
import { catchUpRetired } from './retired.ts';
import {
  assertNotRestoring,
  assertNotRollingBack,
  assertSamePlan,
  createState,
  insertRun,
  isOpen,
  listSteps,
  maybeLatestRun,
  type Run,
  setMoves,
  setRollingBack,
} from './run-state.ts';
import { runStep } from './run-step.ts';
import { withRunnerLock } from './runner-lock.ts';
import { assertSourcesUnaltered } from './source-shape.ts';
import type { Plan, RunOptions, StepContext } from './step.ts';
import { stepContext } from './step-context.ts';

export interface MigrateOptions {
  readonly pool: Pool;
  readonly plan: Plan;
  readonly options: RunOptions;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** `cutover`: go as far as `ready` and stop there. */
  readonly stopBefore: 'cutover' | null;
  /** With `stopBefore`: go on draining there until `tandem cutover` asks for the cutover from another terminal. */
  readonly waitForCutover?: boolean;
  /** What the run minds from its start; what is not named stays as it is. `tandem throttle` changes it later. */
  readonly throttles?: Throttles;
}

export interface MigrateResult {
  readonly phase: Phase;
  readonly cutoverLockMs: number | null;
  readonly rows: number;
}

/**
 * Runs the plan, or goes on where an earlier run stopped. Every step that is done is recorded with its result; a step
 * that was interrupted is applied again.
 *
 * @throws TD011 where findings block; TD016 where the plan no longer says what the run was started with; TD027 where a
 * live table is no longer what it was then
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const { pool, plan, emit } = options;
  await assertStartable(options);
  await createState(pool);
  return withRunnerLock(pool, 'migrate', async (lost) => {
    const signal = AbortSignal.any([options.signal, lost]);
    // A request that an earlier run did not live to see is not for this one.
    await requestCutover(pool, false);
    await setThrottles(pool, options.throttles ?? {});
    const run = await openOrStart(options);
    const context = stepContext(pool, run, options.options, emit, signal);
    const done = new Set((await listSteps(pool, run)).filter((s) => s.state === 'done').map((s) => s.name));
    // The phase changes in the swap's own transaction; the step is noted as done a moment later, if the process lives.
    const cutOver = done.has('cutover') || run.phase === 'baking';
    for (const step of plan.steps) {
      if (options.stopBefore === 'cutover' && step.name === 'cutover' && !cutOver) {
        if (options.waitForCutover !== true) break;
        await drainUntilCutover(context, plan);
        // What was proved before the wait is proved again after it.
        for (const again of plan.steps) if (again.repeats) await runStep(context, run, again);
      }
      if (done.has(step.name) && (!step.repeats || cutOver)) {
        emit({
          event: 'step',
          name: step.name,
          guide: step.guide,
          title: step.title,
          state: 'done',
          detail: 'done before',
        });
        continue;
      }
      await runStep(context, run, step);
    }
    const latest = await maybeLatestRun(pool);
    // What was written since the swap, while foreign keys were validated and statistics were made.
    if (latest?.phase === 'baking') await catchUpRetired(pool, latest, signal);
    const { rows } = await pool.query<{ rows: number }>(
      'SELECT coalesce(sum(copied_rows), 0)::float8 AS rows FROM tandem.moved_table',
    );
    return { phase: latest?.phase ?? 'none', cutoverLockMs: latest?.cutover_lock_ms ?? null, rows: rows[0]?.rows ?? 0 };
  });
}

/** Before anything is written: is there work for this plan, and does nothing block it? */
async function assertStartable({ pool, plan, options, emit }: MigrateOptions): Promise<void> {
  const run = await maybeLatestRun(pool);
  if (isOpen(run)) {
    assertSamePlan(run, plan);
    // While the names are not swapped, what a rollback has taken back is made again.
    if (run.phase !== 'baking') assertNotRollingBack(run);
    assertNotRestoring(run);
    return;
  }
  if (await plan.isFinished(pool)) {
    throw new TandemError('TD012', 'This database already has the shape that the plan leads to.', {
      hint: 'There is nothing to migrate. `tandem verify` checks it.',
    });
  }
  const findings = await checkPlan(pool, plan, options);
  for (const finding of findings) emit({ event: 'finding', ...finding });
  assertNotBlocked(findings);
}

export function assertNotBlocked(findings: readonly Finding[]): void {
  const blocking = findings.filter((f) => f.severity === 'blocks');
  if (blocking.length === 0) return;
  throw new TandemError(
    'TD011',
    `${blocking.length} ${blocking.length === 1 ? 'finding blocks' : 'findings block'} the migration; nothing was changed.`,
    {
      hint: blocking.find((f) => f.hint)?.hint ?? 'Mend what is listed, then run the same command again.',
      detail: blocking.map((f) => `${f.subject}: ${f.message}`).join('\n'),
    },
  );
}

/** What is found before a run begins, in one read-only snapshot. */
export async function checkPlan(pool: Pool, plan: Plan, options: RunOptions): Promise<Finding[]> {
  return inTransaction(
    pool,
    async (client) => {
      const { moves, findings } = await plan.resolve(client, options);
      if (findings.some((f) => f.severity === 'blocks')) return findings;
      await assertPrivileges(client, moves);
      return [...findings, ...(await collectFindings(client, plan, moves, options))];
    },
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
}

const COPIED_AGAIN =
  'An earlier run was rolled back, and took away what it had copied: this one begins anew, and copies every row again. `tandem rollback --keep` would have kept it.';

async function openOrStart({ pool, plan, options, emit }: MigrateOptions): Promise<Run> {
  const latest = await maybeLatestRun(pool);
  const isAnew = latest?.phase === 'rolled_back';
  return inTransaction(pool, async (client) => {
    if (isOpen(latest)) {
      // Before cutover the names still say what they said: the plan must resolve to the moves that the run works on.
      if (latest.phase !== 'baking') {
        await assertSourcesUnaltered(client, latest.settings.moves);
        const { moves, findings } = await plan.resolve(client, options);
        const blocking = findings.filter((f) => f.severity === 'blocks');
        if (blocking.length > 0) throw planChanged(blocking.map((f) => `${f.subject}: ${f.message}`).join('\n'));
        await assertPrivileges(client, moves);
        const settings = { ...latest.settings, moves: acceptChanges(latest.settings.moves, moves) };
        await setMoves(client, latest, settings.moves);
        return { ...latest, settings };
      }
      if (latest.rolling_back) {
        await setRollingBack(client, latest, false);
        emit({ event: 'note', message: 'The rollback that had begun is given up: what it took back is made again.' });
      }
      emit({ event: 'phase', phase: latest.phase });
      return latest;
    }
    const { moves, findings } = await plan.resolve(client, options);
    assertNotBlocked(findings);
    if (isAnew) emit({ event: 'note', message: COPIED_AGAIN });
    return insertRun(client, plan.name, { moves, options: plan.identity }, plan.steps);
  });
}

/**
 * A value map may have grown since the run began, so that quarantined rows fit now: only how values are read may
 * differ. Anything else would leave rows in the target that were written by another plan.
 */
function acceptChanges(before: Run['settings']['moves'], now: Run['settings']['moves']): Run['settings']['moves'] {
  const shape = (moves: Run['settings']['moves']) =>
    moves.map(({ columns, incoming, sourceForeignKeys, targetForeignKeys, userTriggers, extraIndexes, ...rest }) => ({
      ...rest,
      // Incoming keys and triggers are read again at the cutover; indexes are part of the source's shape.
      foreignKeys: sourceForeignKeys.map(({ validated, comment, ...key }) => key),
      columns: columns.map(({ target, source, type, sourceType }) => ({ target, source, type, sourceType })),
    }));
  if (isDeepStrictEqual(shape(before), shape(now))) {
    return before.map((move, i) => ({ ...move, columns: now[i]?.columns ?? move.columns }));
  }
  throw planChanged();
}

function planChanged(detail?: string): TandemError {
  return new TandemError('TD016', 'The tables or the plan have changed since this run began.', {
    hint: 'Go back with `tandem rollback` and start again, or undo the change (a column, a type, an index) and run the same command.',
    ...(detail === undefined ? {} : { detail }),
  });
}

/** How often the log is drained while the cutover is postponed, and the request for it is looked for. */
const POSTPONED_DRAIN_MS = 1000;

async function drainUntilCutover(context: StepContext, plan: Plan): Promise<void> {
  const drain = plan.steps.find((step) => step.name === 'drain');
  context.emit({ event: 'note', message: 'Ready. Draining until `tandem cutover` is called from another terminal.' });
  while (!(await readControl(context.pool)).cutover_requested) {
    if (context.signal.aborted) {
      throw new TandemError('TD022', 'Stopped before the cutover.', { hint: 'Run the same command again to go on.' });
    }
    await assertSourcesUnaltered(context.pool, context.moves);
    await drain?.apply(context);
    await sleep(POSTPONED_DRAIN_MS, undefined, { signal: context.signal }).catch(() => undefined);
  }
  await requestCutover(context.pool, false);
}
