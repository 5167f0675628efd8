import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { sessionsPlan } from '../../plans/sessions/plan.ts';
import { parseThrottle, readControl, requestCutover, setPaused, setThrottles } from '../../src/engine/control.ts';
import { TandemError } from '../../src/engine/errors.ts';
import type { TandemEvent } from '../../src/engine/events.ts';
import { migrate } from '../../src/engine/migrate.ts';
import { status } from '../../src/engine/status.ts';
import { useDatabase } from '../support/database.ts';
import { manyRows } from './flat-database.ts';
import { runOptions } from './tandem.ts';

const database = useDatabase(manyRows);
const plan = sessionsPlan(sessionsConfigSchema.parse({}));

/** A run whose events can be awaited one by one. */
function startRun(settings: { stopBefore: 'cutover' | null; waitForCutover?: boolean }) {
  const events: TandemEvent[] = [];
  const waiters = new Set<() => void>();
  const stop = new AbortController();
  const finished = migrate({
    pool: database.pool,
    plan,
    options: { ...runOptions, createAuth: true },
    emit: (event) => {
      events.push(event);
      for (const wake of waiters) wake();
    },
    signal: stop.signal,
    ...settings,
  });
  const seen = (matches: (event: TandemEvent) => boolean) =>
    new Promise<TandemEvent>((resolve, reject) => {
      const look = () => {
        const event = events.find(matches);
        if (!event) return;
        waiters.delete(look);
        resolve(event);
      };
      waiters.add(look);
      finished.catch(reject);
      look();
    });
  return { finished, seen, stop, events };
}

const rowsOf = async (table: string) =>
  (await database.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM public.${table}`)).rows[0]?.n ?? 0;

const waits = (event: TandemEvent) => event.event === 'throttle' && event.reason !== null;

/** A run that waits for its first lock on a live table until `set` is in force: no batch can be ahead of it. */
async function startRunUnder(set: () => Promise<void>) {
  const writer = await database.connect();
  await writer.query('BEGIN; LOCK TABLE public.sessions IN ROW EXCLUSIVE MODE');
  const run = startRun({ stopBefore: 'cutover' });
  await run.seen((event) => event.event === 'lock_attempt');
  await set();
  await writer.query('COMMIT');
  return run;
}

test('a run that is paused says so, copies nothing more, and goes on when it is resumed', async () => {
  const run = await startRunUnder(() => setPaused(database.pool, true));
  expect(await run.seen(waits)).toMatchObject({ reason: 'paused by `tandem pause`' });
  const paused = await status(database.pool, plan);
  expect(paused).toMatchObject({ paused: true, waiting_for: 'paused by `tandem pause`' });
  expect(paused.steps.find((step) => step.name === 'verify-rows')?.state).not.toBe('done');
  await setPaused(database.pool, false);
  expect(await run.finished).toMatchObject({
    phase: 'ready',
    rows: (await rowsOf('sessions')) + (await rowsOf('messages')),
  });
  expect(await status(database.pool, plan)).toMatchObject({ paused: false, waiting_for: null });
});

test.each([
  { throttles: { sql: 'SELECT true' }, reason: /^sql: the throttle query says so$/ },
  { throttles: { sql: "SELECT 'the nightly job'" }, reason: /^sql: the nightly job$/ },
  { throttles: { sql: 'SELECT no_such_thing()' }, reason: /^sql cannot be read: / },
  { throttles: { sql: 'DELETE FROM public.sessions RETURNING true' }, reason: /^sql cannot be read: .*read-only/ },
  {
    throttles: { sql: 'COMMIT; DELETE FROM public.sessions RETURNING true' },
    reason: /^sql cannot be read: .*multiple commands/,
  },
  { throttles: { 'max-active': -1 }, reason: /^max-active: \d+ backends are active, more than -1$/ },
  { throttles: { 'max-wal-rate': -1 }, reason: /^max-wal-rate: / },
  { throttles: { 'max-lag': -1 }, reason: /^max-lag: a standby is 0.0 s behind/ },
])('a run is held back by $throttles, and goes on without it', async ({ throttles, reason }) => {
  const run = await startRunUnder(() => setThrottles(database.pool, throttles));
  const event = await run.seen(waits);
  expect(event.event === 'throttle' ? event.reason : null).toMatch(reason);
  await setThrottles(database.pool, { sql: null, 'max-active': null, 'max-wal-rate': null, 'max-lag': null });
  expect(await run.finished).toMatchObject({ phase: 'ready' });
});

test('a postponed cutover drains while it waits, and cuts over when it is asked to', async () => {
  const run = startRun({ stopBefore: 'cutover', waitForCutover: true });
  await run.seen((event) => event.event === 'note' && event.message.startsWith('Ready.'));
  const sessions = await rowsOf('sessions');
  await database.pool.query("UPDATE public.sessions SET title = 'written while it waits'");
  await run.seen((event) => event.event === 'drained' && event.table === 'public.sessions' && event.taken === sessions);
  await requestCutover(database.pool, true);
  expect(await run.finished).toMatchObject({ phase: 'baking' });
  expect((await readControl(database.pool)).cutover_requested).toBe(false);
  expect(await rowsOf("sessions WHERE title = 'written while it waits'")).toBe(sessions);
});

test('a request that came before the run began does not cut over by itself', async () => {
  await startRun({ stopBefore: 'cutover' }).finished;
  await requestCutover(database.pool, true);
  const run = startRun({ stopBefore: 'cutover', waitForCutover: true });
  await run.seen((event) => event.event === 'note' && event.message.startsWith('Ready.'));
  run.stop.abort();
  await expect(run.finished).rejects.toMatchObject({ code: 'TD022' });
  expect((await status(database.pool, plan)).phase).toBe('ready');
});

test('throttles are read with their units, and anything else is refused', () => {
  expect(parseThrottle('max-lag=1500ms')).toEqual({ 'max-lag': 1.5 });
  expect(parseThrottle('max-wal-rate=64MB')).toEqual({ 'max-wal-rate': 64 * 1024 ** 2 });
  expect(parseThrottle('max-active=off')).toEqual({ 'max-active': null });
  expect(parseThrottle("sql=SELECT a = 'b'")).toEqual({ sql: "SELECT a = 'b'" });
  for (const wrong of [
    'max-lag',
    'max-lag=',
    'max-lag=fast',
    'max-active=3s',
    'max-active=1.5',
    'min-lag=3',
    'max-wal-rate=-1',
  ]) {
    expect(() => parseThrottle(wrong)).toThrow(TandemError);
  }
});
