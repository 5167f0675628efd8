import { expect, test } from 'vitest';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { inTransaction } from '../../src/db/connect.ts';
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

test('what a keeper still wants to write after another one has taken over is refused, and it leads no more', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  await pool.query('CREATE TABLE public.written (n int)');
  const stop = new AbortController();
  const events: KeeperEvent[] = [];
  let arrive: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const task: Task = {
    name: 'write',
    everyMs: () => 10,
    run: async ({ fence }) => {
      arrive();
      await gate;
      await inTransaction(pool, async (client) => {
        await fence(client);
        await client.query('INSERT INTO public.written VALUES (1)');
      });
      return 'written';
    },
  };
  const metrics = createMetrics([task.name]);
  const log = (event: KeeperEvent) => {
    events.push(event);
    if (event.event === 'lost') stop.abort();
  };
  const keeping = runKeeper({ pool, tasks: [task], metrics, log, signal: stop.signal });
  await arrived;
  await pool.query("UPDATE keeper.leader SET expires_at = '-infinity'");
  expect(await acquireLease(pool, 'other')).not.toBeNull();
  open();
  await keeping;
  expect(events).toContainEqual(expect.objectContaining({ event: 'error', message: 'Another keeper has taken over.' }));
  expect(events.at(-1)).toMatchObject({ event: 'lost' });
  expect((await pool.query('SELECT FROM public.written')).rowCount).toBe(0);
  expect(await metrics.registry.metrics()).toContain('tandem_leader 0');
});

test('a keeper whose server does not answer takes itself for the leader no longer than its lease lasts', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const locker = await database.connect();
  const stop = new AbortController();
  const metrics = createMetrics([]);
  let tell: () => void = () => undefined;
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const log = (event: KeeperEvent) => {
    if (event.event === 'leader') void locker.query('BEGIN; SELECT FROM keeper.leader FOR UPDATE');
    if (event.event === 'lost') tell();
  };
  const task: Task = { name: 'idle', everyMs: () => 60_000, run: async () => null };
  const keeping = runKeeper({ pool, tasks: [task], metrics, log, signal: stop.signal });
  await told;
  expect(await metrics.registry.metrics()).toContain('tandem_leader 0');
  stop.abort();
  await locker.query('ROLLBACK');
  await keeping;
});
