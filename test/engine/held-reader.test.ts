import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { expect, test, vi } from 'vitest';
import { startClients } from '../../src/demo/clients.ts';
import { compareLedger } from '../../src/demo/compare-ledger.ts';
import { defaultCutoverLimits } from '../../src/move/cutover.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const limits = { ...defaultCutoverLimits, lockTimeoutMs: 400, maxPauseMs: 600, attempts: 4 };

/** What other processes of a busy machine may add to a wait. */
const NOISE_MS = 100;

test.each(['public.messages', 'public.sessions'])(
  'with a reader of %s open throughout, the cutover gives up within its bound, and clients wait no longer than the lock timeout',
  async (read) => {
    const tandem = tandemOn(database, {}, { cutover: limits });
    await tandem.migrate({ stopBefore: 'cutover' });
    const reader = await database.connect();
    await reader.query(`BEGIN; SELECT count(*) FROM ${read}`);
    const clients = await startClients({
      databaseUrl: database.url,
      clients: 4,
      seed: 9,
      thinkTimeMs: 2,
      sessionsPerClient: 20,
    });
    const statements = (count: number) => {
      const enough = clients.ledger.sessions.size + count;
      return vi.waitFor(() => expect(clients.ledger.sessions.size).toBeGreaterThan(enough), { timeout: 60_000 });
    };
    await statements(20);
    const probe = probing(await database.connect());
    let during: number | null = null;
    tandem.onEvent = (event) => {
      if (event.event !== 'step' || event.name !== 'cutover') return;
      if (event.state === 'running') {
        clients.setPhase('during');
        during = performance.now();
      }
      if (event.state === 'failed') clients.setPhase('after');
    };
    const error = await tandem.migrate().catch((thrown: unknown) => thrown);
    const lasted = performance.now() - (during ?? Number.NEGATIVE_INFINITY);
    expect(error).toMatchObject({ code: 'TD020', exitCode: 4 });
    expect(tandem.events.filter((e) => e.event === 'lock_attempt' && !e.obtained)).toHaveLength(limits.attempts);
    expect(lasted).toBeLessThan(limits.attempts * (2 * limits.lockTimeoutMs + limits.maxPauseMs) + 10_000);
    await statements(5);
    const waits = await probe.stop();
    const report = await clients.stop();
    // They were held up, or nothing was tried here; and by no more than one attempt at a time.
    expect(report.latency.during.max).toBeGreaterThan(limits.lockTimeoutMs / 2);
    expect(report.latency.during.p99).toBeLessThan(limits.lockTimeoutMs + report.latency.before.p99 + NOISE_MS);
    // A statement may wait for one attempt at messages and at sessions, and for no second one.
    expect(waits.length).toBeGreaterThanOrEqual(limits.attempts / 2);
    expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(limits.lockTimeoutMs + NOISE_MS);
    expect(report.errors).toEqual({});
    expect((await compareLedger(database.pool, clients.ledger)).differences).toEqual([]);
    await reader.query('COMMIT');
    tandem.onEvent = () => undefined;
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  },
);

/** Reads the table that is locked first, over and over; tells in the end how long it was held up, the shortest first. */
function probing(client: Client): { stop(): Promise<number[]> } {
  const waits: number[] = [];
  let stopped = false;
  const ended = (async () => {
    while (!stopped) {
      const began = performance.now();
      await client.query('SELECT FROM public.messages LIMIT 1');
      const waited = performance.now() - began;
      if (waited > limits.lockTimeoutMs / 2) waits.push(waited);
      await sleep(1);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await ended;
      return waits.toSorted((a, b) => a - b);
    },
  };
}
