import type { Pool } from 'pg';
import { sessionsConfigSchema } from '../plans/sessions/config.ts';
import { sessionsPlan } from '../plans/sessions/plan.ts';
import { inTransaction } from '../src/db/connect.ts';
import type { Emit } from '../src/engine/events.ts';
import { assertNotBlocked, migrate } from '../src/engine/migrate.ts';
import { createState, insertRun, maybeLatestRun } from '../src/engine/run-state.ts';
import type { RunOptions, Step, StepContext } from '../src/engine/step.ts';
import { stepContext } from '../src/engine/step-context.ts';
import { defaultCutoverLimits } from '../src/move/cutover.ts';

export const plan = sessionsPlan(sessionsConfigSchema.parse({}));

/** What the command line would say, on a plain PostgreSQL. */
export function optionsOf(workers: number): RunOptions {
  return { workers, backupDir: null, gzip: false, createAuth: true, cutover: defaultCutoverLimits };
}

const unstoppable = () => new AbortController().signal;
const quiet: Emit = () => undefined;

/** A step of the plan by its name. */
export function stepNamed(name: string): Step {
  const step = plan.steps.find((candidate) => candidate.name === name);
  if (!step) throw new Error(`The plan has no step ${name}.`);
  return step;
}

/** Begins a run and applies what comes before the copy: it stands before empty targets, with the change log on. */
export async function runBeforeCopy(pool: Pool): Promise<StepContext> {
  await createState(pool);
  const options = optionsOf(1);
  const run = await inTransaction(pool, async (client) => {
    const { moves, findings } = await plan.resolve(client, options);
    assertNotBlocked(findings);
    return insertRun(client, plan.name, { moves, options: {} }, plan.steps);
  });
  const context = stepContext(pool, run, options, quiet, unstoppable());
  for (const step of plan.steps.slice(0, plan.steps.indexOf(stepNamed('copy')))) await step.apply(context);
  return context;
}

/** Runs, or goes on with, a migration as far as the step before the cutover. */
export async function runUntilReady(pool: Pool, emit: Emit = quiet): Promise<void> {
  await migrate({ pool, plan, options: optionsOf(2), emit, signal: unstoppable(), stopBefore: 'cutover' });
}

/** The context of the run that is open. */
export async function openContext(pool: Pool, emit: Emit = quiet): Promise<StepContext> {
  const run = await maybeLatestRun(pool);
  if (!run) throw new Error('There is no run in this database.');
  return stepContext(pool, run, optionsOf(2), emit, unstoppable());
}
