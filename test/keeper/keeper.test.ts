import { expect, test } from 'vitest';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { type KeeperEvent, runKeeper } from '../../src/keeper/keeper.ts';
import { acquireLease, releaseLease } from '../../src/keeper/lease.ts';
import { createMetrics } from '../../src/keeper/metrics.ts';
import type { Task } from '../../src/keeper/task.ts';
import { idleSessions, names } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase(idleSessions);

/** Runs a keeper until its task has been run so often. */
async function keep(runs: number, work: (n: number) => Promise<string | null>) {
  const stop = new AbortController();
  const events: KeeperEvent[] = [];
  let n = 0;
  const task: Task = {
    name: 'count',
    everyMs: () => 1,
    run: async () => {
      n += 1;
      if (n >= runs) stop.abort();
      return work(n);
    },
  };
  const metrics = createMetrics([task.name]);
  await runKeeper({ pool: database.pool, tasks: [task], metrics, log: (e) => events.push(e), signal: stop.signal });
  return { events, metrics: await metrics.registry.metrics() };
}

test('a task that fails is told and counted, and run again; the lease is given up in the end', async () => {
  await installKeeper(database.pool, names);
  const { events, metrics } = await keep(4, async (n) => {
    if (n === 2) throw new Error('no luck');
    return n === 3 ? null : `run ${n}`;
  });
  expect(events).toMatchObject([
    { event: 'leader' },
    { event: 'task', task: 'count', did: 'run 1' },
    { event: 'error', task: 'count', message: 'no luck' },
    { event: 'task', did: 'run 4' },
  ]);
  expect(metrics).toContain('tandem_task_runs_total{task="count",outcome="failed"} 1');
  expect(metrics).toContain('tandem_task_runs_total{task="count",outcome="idle"} 1');
  expect(await acquireLease(database.pool, 'next')).not.toBeNull();
});

test('while another keeper has the lease, no task is run', async () => {
  await installKeeper(database.pool, names);
  const other = (await acquireLease(database.pool, 'other')) ?? '';
  const stop = new AbortController();
  const events: KeeperEvent[] = [];
  const metrics = createMetrics([]);
  const waiting = runKeeper({
    pool: database.pool,
    tasks: [],
    metrics,
    log: (e) => events.push(e),
    signal: stop.signal,
  });
  // It has asked once, and been told no: only then is the lease given up, and the keeper told to end.
  await database.pool.query('SELECT');
  stop.abort();
  await waiting;
  expect(events).toEqual([]);
  await releaseLease(database.pool, other);
});
