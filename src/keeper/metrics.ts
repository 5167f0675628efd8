import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The series of the keeper itself; a plan adds its own to the registry. */
export interface Metrics {
  readonly registry: Registry;
  readonly leader: Gauge;
  ran(task: string, outcome: 'done' | 'nothing to do' | 'failed', elapsedMs: number): void;
}

/** Every series is there before its first event: an alert on a series that does not exist yet never fires. */
export function createMetrics(tasks: readonly string[]): Metrics {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({ name: 'tandem_up', help: 'The keeper runs.', registers }).set(1);
  const leader = new Gauge({
    name: 'tandem_leader',
    help: '1 where this keeper runs the tasks, 0 where it waits for another one to end.',
    registers,
  });
  leader.set(0);
  const runs = new Counter({
    name: 'tandem_task_runs_total',
    help: 'Runs of each task by outcome.',
    labelNames: ['task', 'outcome'],
    registers,
  });
  const lastSuccess = new Gauge({
    name: 'tandem_task_last_success_timestamp_seconds',
    help: 'When a task last ended without an error; 0 where it never did.',
    labelNames: ['task'],
    registers,
  });
  const duration = new Histogram({
    name: 'tandem_task_duration_seconds',
    help: 'How long a run of a task took.',
    labelNames: ['task'],
    buckets: [0.01, 0.1, 1, 10, 60, 600],
    registers,
  });
  const outcomes = { done: 'done', 'nothing to do': 'idle', failed: 'failed' } as const;
  for (const task of tasks) {
    for (const outcome of Object.values(outcomes)) runs.inc({ task, outcome }, 0);
    lastSuccess.set({ task }, 0);
    duration.zero({ task });
  }
  return {
    registry,
    leader,
    ran(task, outcome, elapsedMs) {
      runs.inc({ task, outcome: outcomes[outcome] });
      duration.observe({ task }, elapsedMs / 1000);
      if (outcome !== 'failed') lastSuccess.set({ task }, Date.now() / 1000);
    },
  };
}
