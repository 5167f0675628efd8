import type { Pool } from 'pg';
import type { z } from 'zod';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { sessionsPlan } from '../../plans/sessions/plan.ts';
import type { TandemEvent } from '../../src/engine/events.ts';
import { finish } from '../../src/engine/finish.ts';
import { type MigrateResult, migrate } from '../../src/engine/migrate.ts';
import { rollback } from '../../src/engine/rollback.ts';
import { rollbackFrom } from '../../src/engine/rollback-from.ts';
import { type Status, status } from '../../src/engine/status.ts';
import type { Plan, RunOptions } from '../../src/engine/step.ts';
import { type VerifyResult, verify } from '../../src/engine/verify.ts';
import { defaultCutoverLimits } from '../../src/move/cutover.ts';

export type Config = z.input<typeof sessionsConfigSchema>;

export const runOptions: RunOptions = {
  workers: 2,
  backupDir: null,
  gzip: false,
  createAuth: false,
  cutover: defaultCutoverLimits,
};

export interface Tandem {
  readonly plan: Plan;
  readonly options: RunOptions;
  /** Everything that was told since the start. */
  readonly events: TandemEvent[];
  /** Called with every event, before the next one comes. */
  onEvent: (event: TandemEvent) => void;
  migrate(options?: { stopBefore?: 'cutover'; signal?: AbortSignal }): Promise<MigrateResult>;
  /** Runs the plan as far as it goes before this step, and stops there as a signal would. */
  migrateUpTo(step: string): Promise<void>;
  rollback(options?: { signal?: AbortSignal; keep?: boolean }): Promise<void>;
  rollbackFrom(directory: string, options?: { signal?: AbortSignal }): Promise<void>;
  finish(options?: { withoutWayBack?: boolean }): Promise<void>;
  verify(options?: { accept?: boolean }): Promise<VerifyResult>;
  status(): Promise<Status>;
}

/** The plan `sessions` on a test's database, as the commands run it. */
export function tandemOn(database: { pool: Pool }, config: Config = {}, options: Partial<RunOptions> = {}): Tandem {
  const plan = sessionsPlan(sessionsConfigSchema.parse(config));
  const settings = { ...runOptions, ...options };
  const common = (signal?: AbortSignal) => ({
    pool: database.pool,
    plan,
    options: settings,
    emit: (event: TandemEvent) => {
      tandem.events.push(event);
      tandem.onEvent(event);
    },
    signal: signal ?? new AbortController().signal,
  });
  const tandem: Tandem = {
    plan,
    options: settings,
    events: [],
    onEvent: () => undefined,
    migrate: ({ stopBefore, signal } = {}) => migrate({ ...common(signal), stopBefore: stopBefore ?? null }),
    async migrateUpTo(step) {
      const place = plan.steps.findIndex((s) => s.name === step);
      const stop = new AbortController();
      const previous = plan.steps[place - 1];
      if (previous === undefined) stop.abort();
      const onEvent = tandem.onEvent;
      tandem.onEvent = (event) => {
        onEvent(event);
        if (event.event === 'step' && event.name === previous?.name && event.state === 'done') stop.abort();
      };
      const stopped = await tandem.migrate({ signal: stop.signal }).then(
        () => false,
        (error: unknown) => {
          if (stop.signal.aborted) return true;
          throw error;
        },
      );
      tandem.onEvent = onEvent;
      if (!stopped) throw new Error(`The run did not stop before ${step}.`);
    },
    rollback: ({ signal, keep = false } = {}) => rollback({ ...common(signal), keep }),
    rollbackFrom: (directory, { signal } = {}) => rollbackFrom({ ...common(signal), directory }),
    finish: ({ withoutWayBack = false } = {}) => finish({ ...common(), withoutWayBack }),
    verify: ({ accept = false } = {}) => verify({ ...common(), accept }),
    status: () => status(database.pool, plan),
  };
  return tandem;
}
