import { guideSteps } from '../../plans/sessions/guide-steps.ts';
import type { Pool } from '../db/connect.ts';
import { type Control, readControl } from '../engine/control.ts';
import type { StepState } from '../engine/events.ts';
import { hasState } from '../engine/run-state.ts';
import { type Status, status } from '../engine/status.ts';
import type { Plan } from '../engine/step.ts';
import type { RunView } from './background-run.ts';
import type { ClientsView } from './context.ts';

export interface GuideStepView {
  readonly number: number;
  readonly title: string;
  readonly state: StepState;
  /** The plan's steps that carry it out, by their titles. */
  readonly steps: readonly { title: string; state: StepState; note: string | null; elapsed_ms: number | null }[];
}

/** Everything that the page about the migration shows. */
export interface MigrationView {
  readonly status: Status;
  readonly guide: readonly GuideStepView[];
  /** Age of the oldest entry of each table's change log, in seconds. */
  readonly lag_seconds: Readonly<Record<string, number>>;
  readonly throttles: Pick<Control, 'max_lag' | 'max_wal_rate' | 'max_active' | 'throttle_sql'> | null;
  readonly run: RunView | null;
  readonly clients: ClientsView | null;
}

export interface MigrationSources {
  readonly pool: Pool;
  readonly plan: Plan;
  readonly lag: (client: Pool) => Promise<Record<string, number>>;
  readonly run: () => RunView | null;
  readonly clients: () => ClientsView | null;
}

export async function readMigration({ pool, plan, lag, run, clients }: MigrationSources): Promise<MigrationView> {
  const current = await status(pool, plan);
  const control = (await hasState(pool)) ? await readControl(pool) : null;
  return {
    status: current,
    guide: guideView(plan, current),
    lag_seconds: await lag(pool),
    throttles: control && {
      max_lag: control.max_lag,
      max_wal_rate: control.max_wal_rate,
      max_active: control.max_active,
      throttle_sql: control.throttle_sql,
    },
    run: run(),
    clients: clients(),
  };
}

/** Before a run its steps are those of the plan; after `finish` nothing is left of them but that they are done. */
function guideView(plan: Plan, { phase, steps }: Status): GuideStepView[] {
  const state: StepState = phase === 'finished' ? 'done' : 'pending';
  const known =
    steps.length > 0
      ? steps
      : plan.steps.map(({ guide, title }) => ({ guide, title, state, note: null, elapsed_ms: null }));
  return guideSteps.map((title, index) => {
    const number = index + 1;
    const own = known.filter((step) => step.guide.split(/,\s*/).includes(String(number)));
    return {
      number,
      title,
      state: together(own.map((step) => step.state)),
      steps: own.map(({ title: name, state: at, note, elapsed_ms }) => ({ title: name, state: at, note, elapsed_ms })),
    };
  });
}

function together(states: readonly StepState[]): StepState {
  const one = (['failed', 'running'] as const).find((state) => states.includes(state));
  if (one) return one;
  if (states.every((state) => state === 'done')) return 'done';
  if (states.every((state) => state === 'reverted')) return 'reverted';
  return states.includes('done') ? 'running' : 'pending';
}
