import { setTimeout as wait } from 'node:timers/promises';
import { createPool } from '../db/connect.ts';
import { act } from './actions.ts';
import { type Client, createTally, type Tally } from './client.ts';
import { type Connection, openConnection } from './connection.ts';
import { createLatencyRecorder, type LatencyReport, type Phase } from './latency.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { distributeSessions } from './owned-sessions.ts';
import { createRandom } from './random.ts';

export interface ClientsOptions {
  readonly databaseUrl: string;
  /** How many clients write at the same time, each on a connection of its own. */
  readonly clients: number;
  readonly seed: number;
  /** What a client waits on average between two actions, in ms; default 4. */
  readonly thinkTimeMs?: number;
  /** How many of the sessions that stand already each client writes to; default 300. */
  readonly sessionsPerClient?: number;
}

export interface ClientsReport extends LatencyReport, Readonly<Tally> {}

export interface Clients {
  /** What the clients were told; to be compared once they have stopped. */
  readonly ledger: Ledger;
  /** Wall-clock ms since the epoch at which the report's times begin. */
  readonly startedAt: number;
  setPhase(phase: Phase): void;
  /** What they waited for so far. */
  latency(): LatencyReport;
  /**
   * Lets every client finish what it is doing, and closes the connections. Statements that do not end within
   * `timeoutMs` (default 10,000) are cut off, and count as uncertain. Any further call returns the first one's report.
   */
  stop(timeoutMs?: number): Promise<ClientsReport>;
}

// Far from the streams of generated rows, so that no two draw the same numbers.
const CLIENT_STREAM = 0x6000_0000;

/**
 * Starts clients that use the application's tables as the application does, before, during and after a migration.
 * Resolves once all of them are connected and have read the sessions that they own.
 */
export async function startClients(options: ClientsOptions): Promise<Clients> {
  const ledger = createLedger();
  const tally = createTally();
  const stopping = new AbortController();
  const pool = createPool(options.databaseUrl, { max: 1 });
  const owned = await distributeSessions(pool, ledger, options.clients, options.sessionsPerClient ?? 300).finally(() =>
    pool.end(),
  );

  const latency = createLatencyRecorder();
  const startedAt = Date.now();
  const connections: Connection[] = [];
  const closeAll = () => Promise.all(connections.map((connection) => connection.close()));
  try {
    for (const _ of owned.slices) connections.push(await openConnection(options.databaseUrl, latency));
  } catch (error) {
    await closeAll();
    throw error;
  }
  const running = Promise.all(
    connections.map((connection, i) => {
      const random = createRandom(options.seed, CLIENT_STREAM + i);
      const own = [...(owned.slices[i] ?? [])];
      const client = { connection, random, ledger, tally, users: owned.users, own, lessons: new Map() };
      return keepActing(client, options.thinkTimeMs ?? 4, stopping.signal);
    }),
  );
  // A failure is reported by stop(); until then it must not end the process.
  running.catch(() => undefined);

  let report: Promise<ClientsReport> | null = null;
  async function stop(timeoutMs: number): Promise<ClientsReport> {
    stopping.abort();
    const patience = new AbortController();
    const deadline = wait(timeoutMs, undefined, { signal: patience.signal }).catch(() => undefined);
    try {
      await Promise.race([running, deadline]);
    } finally {
      patience.abort();
      await closeAll();
    }
    await running;
    return { ...latency.report(), ...tally };
  }

  return {
    ledger,
    startedAt,
    setPhase: latency.setPhase,
    latency: latency.report,
    stop(timeoutMs = 10_000) {
      report ??= stop(timeoutMs);
      return report;
    },
  };
}

async function keepActing(client: Client, thinkTimeMs: number, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    await act(client);
    await client.connection.restore(stopping);
    if (thinkTimeMs > 0) await wait(thinkTimeMs * (0.5 + client.random.next()));
  }
}
