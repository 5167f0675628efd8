import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from 'pg';
import { createPool } from '../src/db/connect.ts';
import { startClients } from '../src/demo/clients.ts';
import { compareLedger } from '../src/demo/compare-ledger.ts';
import type { Databases } from './databases.ts';
import { median, medianRatio } from './measure.ts';
import { openContext, runUntilReady, stepNamed } from './open-run.ts';
import type { Section } from './report.ts';

const CLIENTS = 8;
/** For how long the clients write before, between and after two swaps. */
const BETWEEN_MS = 1_500;

interface Locks {
  readonly forward: number[];
  readonly back: number[];
  readonly attempts: number[];
  readonly stalls: number[];
}

/**
 * Swaps the names there and back again, under clients that write all the time; what they were told is compared with the
 * tables in the end. How long the locks are held must not depend on the size of the tables: a small and a large
 * database take turns.
 */
export async function measureCutover(
  databases: Databases,
  names: { small: string; large: string },
  repetitions: number,
): Promise<Section> {
  const small = await openDatabase(databases, names.small);
  const large = await openDatabase(databases, names.large);
  try {
    for (let round = 0; round < repetitions; round++) {
      await swapUnderClients(small, round);
      await swapUnderClients(large, round);
    }
  } finally {
    await small.pool.end();
    await large.pool.end();
  }
  return {
    goals: [
      ...[small, large].map(({ sessions, locks }) => ({
        what: `locks held at cutover, ${sessions} sessions, ${CLIENTS} clients`,
        measured: median(locks.forward),
        limit: 100,
        unit: 'ms' as const,
        detail: `median; all: ${list(locks.forward)}`,
      })),
      {
        what: `the same, ${large.sessions} : ${small.sessions} sessions`,
        measured: medianRatio(large.locks.forward, small.locks.forward),
        limit: 1.5,
        unit: '×',
        detail: 'median of the quotients, measured in turns',
      },
    ],
    figures: [small, large].flatMap(({ sessions, locks }) => [
      { what: `locks held at rollback, ${sessions} sessions, median`, measured: median(locks.back), unit: 'ms' },
      { what: `attempts that a swap took, ${sessions} sessions, mean`, measured: mean(locks.attempts), unit: '' },
      { what: `longest stall of a client, ${sessions} sessions, median`, measured: median(locks.stalls), unit: 'ms' },
    ]),
  };
}

const list = (values: readonly number[]) => values.map((value) => Math.round(value)).join(', ');
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

interface OpenDatabase {
  readonly url: string;
  readonly pool: Pool;
  readonly sessions: string;
  readonly locks: Locks;
}

async function openDatabase(databases: Databases, name: string): Promise<OpenDatabase> {
  const url = databases.urlOf(name);
  const pool = createPool(url, { max: 8 });
  await runUntilReady(pool);
  const { rows } = await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM public.sessions');
  const sessions = (rows[0]?.n ?? 0).toLocaleString('en');
  return { url, pool, sessions, locks: { forward: [], back: [], attempts: [], stalls: [] } };
}

async function swapUnderClients({ url, pool, locks }: OpenDatabase, seed: number): Promise<void> {
  const context = await openContext(pool, (event) => {
    if (event.event !== 'cutover') return;
    locks[event.direction].push(event.lock_ms);
    locks.attempts.push(event.attempts);
  });
  const step = stepNamed('cutover');
  const clients = await startClients({ databaseUrl: url, clients: CLIENTS, seed });
  try {
    await wait(BETWEEN_MS);
    await step.apply(context);
    await wait(BETWEEN_MS);
    if (typeof step.revert === 'function') await step.revert(context);
    await wait(BETWEEN_MS);
  } catch (error) {
    await clients.stop(1_000).catch(() => undefined);
    throw error;
  }
  const traffic = await clients.stop();
  locks.stalls.push(traffic.longestStall?.ms ?? Number.NaN);
  const { differences } = await compareLedger(pool, clients.ledger);
  if (differences.length > 0) throw new Error(`Writes were lost: ${differences.slice(0, 5).join('; ')}`);
}
