import { Registry } from 'prom-client';
import { type MetricDefinition, type MetricSet, registerMetrics } from './metric-set.ts';

const outcomes = { done: 'done', 'nothing to do': 'idle', failed: 'failed' } as const;

/** The series of the keeper itself; `tasks`: the names that there are. */
export function keeperMetricDefinitions(tasks: readonly string[] | null) {
  return {
    up: { type: 'gauge', name: 'tandem_up', help: 'The keeper runs', of: 'keeper' },
    databaseUp: {
      type: 'gauge',
      name: 'tandem_database_up',
      help: 'The figures of the database could be read just now; where not, they are NaN',
      of: 'keeper',
    },
    leader: {
      type: 'gauge',
      name: 'tandem_leader',
      help: '1 where this keeper runs the tasks, 0 where it waits for another one to end',
      of: 'keeper',
    },
    runs: {
      type: 'counter',
      name: 'tandem_task_runs_total',
      help: 'Runs of each task by outcome: done, idle (nothing to do), failed',
      labels: { task: tasks, outcome: Object.values(outcomes) },
      of: 'keeper',
    },
    lastSuccess: {
      type: 'gauge',
      name: 'tandem_task_last_success_timestamp_seconds',
      help: 'When a task last ended without an error, since this keeper began; 0 where it never did',
      labels: { task: tasks },
      of: 'keeper',
    },
    duration: {
      type: 'histogram',
      name: 'tandem_task_duration_seconds',
      help: 'How long a run of a task took',
      labels: { task: tasks },
      buckets: [0.01, 0.1, 1, 10, 60, 600],
      of: 'keeper',
    },
    interval: {
      type: 'gauge',
      name: 'tandem_task_interval_seconds',
      help: 'How long the task waits from the end of its last run to its next one',
      labels: { task: tasks },
      of: 'keeper',
    },
  } as const satisfies Record<string, MetricDefinition>;
}

/** The keeper's own figures; a plan adds its own to the registry. */
export interface Metrics extends Pick<MetricSet<ReturnType<typeof keeperMetricDefinitions>>, 'leader' | 'databaseUp'> {
  readonly registry: Registry;
  ran(task: string, outcome: keyof typeof outcomes, elapsedMs: number, nextMs: number): void;
}

export function createMetrics(tasks: readonly string[]): Metrics {
  const registry = new Registry();
  const { up, databaseUp, leader, runs, lastSuccess, duration, interval } = registerMetrics(
    registry,
    keeperMetricDefinitions(tasks),
  );
  up.set(1);
  return {
    registry,
    leader,
    databaseUp,
    ran(task, outcome, elapsedMs, nextMs) {
      runs.inc({ task, outcome: outcomes[outcome] });
      duration.observe({ task }, elapsedMs / 1000);
      interval.set({ task }, nextMs / 1000);
      if (outcome !== 'failed') lastSuccess.set({ task }, Date.now() / 1000);
    },
  };
}
