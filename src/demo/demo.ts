import { setTimeout as wait } from 'node:timers/promises';
import { createPool } from '../db/connect.ts';
import { type LocalServer, startLocalServer } from '../db/local-server.ts';
import { TandemError } from '../engine/errors.ts';
import type { OnProgress } from '../engine/progress.ts';
import { type Clients, startClients } from './clients.ts';
import { compareLedger } from './compare-ledger.ts';
import { type DemoReport, isFlawless, type MigrationResult, type VerificationResult } from './demo-report.ts';
import { createFlatTables } from './flat-tables.ts';
import { abandonIfAborted, unlessAborted } from './interrupt.ts';
import { loadFlatTables } from './load.ts';

/** What a demo goes through, in this order. */
export const demoStages = ['server', 'load', 'before', 'migrate', 'after', 'verify', 'ledger', 'stop'] as const;
export type DemoStage = (typeof demoStages)[number];

/** Within this time clients end what they are doing, once something has failed. */
const HASTY_STOP_MS = 1_000;

export interface DemoOptions {
  readonly sessions: number;
  /** Default: 7.5 for each session. */
  readonly messages?: number;
  readonly clients: number;
  /** Default 1. */
  readonly seed?: number;
  /** For how long the clients write before and after the migration; default 2,000 ms each. */
  readonly settleMs?: number;
  readonly thinkTimeMs?: number;
  readonly migrate: (databaseUrl: string) => Promise<MigrationResult>;
  readonly verify: (databaseUrl: string) => Promise<VerificationResult>;
  readonly onStage?: (stage: DemoStage) => void;
  /** Told of the server before anything is done on it. */
  readonly onServer?: (databaseUrl: string) => Promise<void>;
  /** Told of the clients, who write from then on. */
  readonly onClients?: (clients: Clients) => void;
  /** Once all is compared: the server stays for as long as this takes. */
  readonly stay?: (report: DemoReport) => Promise<void>;
  /** Before the server stops, whatever happened. */
  readonly onEnd?: () => Promise<void>;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
  readonly startServer?: () => Promise<Pick<LocalServer, 'url' | 'version' | 'stop'>>;
}

/**
 * Starts a server of its own, fills it, lets clients write, migrates it under them, and compares in the end. The server
 * is stopped and its files are removed whatever happens.
 *
 * @throws TandemError TD008 for a size that is no whole number of at least 1, TD022 where `signal` is aborted; else whatever the server, the migration or the verification throws.
 */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const started = performance.now();
  assertSize('sessions', options.sessions);
  assertSize('clients', options.clients);
  options.onStage?.('server');
  const server = await (options.startServer ?? startLocalServer)();
  try {
    await options.onServer?.(server.url);
    const found = { ...(await runOn(server, options)), totalMs: performance.now() - started };
    const report = { ok: isFlawless(found), ...found };
    await options.stay?.(report);
    return report;
  } finally {
    options.onStage?.('stop');
    await (options.onEnd?.() ?? Promise.resolve()).finally(() => server.stop());
  }
}

function assertSize(what: string, size: number): void {
  if (Number.isSafeInteger(size) && size > 0) return;
  throw new TandemError('TD008', `The demo needs a whole number of ${what}, at least 1, not ${size}.`);
}

async function runOn(server: { url: string; version: number }, options: DemoOptions) {
  const { sessions, messages = Math.round(sessions * 7.5), clients: clientCount, seed = 1, settleMs = 2_000 } = options;
  const { signal } = options;
  const settle = () => unlessAborted(signal, () => wait(settleMs, undefined, signal ? { signal } : {}));
  const pool = createPool(server.url, { max: 2 });
  let clients: Clients | null = null;
  try {
    options.onStage?.('load');
    const loading = performance.now();
    await unlessAborted(signal, () => createFlatTables(pool));
    await unlessAborted(signal, () => loadFlatTables(pool, { ...options, messages, seed }));
    const loadMs = performance.now() - loading;

    options.onStage?.('before');
    clients = await startClients({ ...options, databaseUrl: server.url, seed });
    options.onClients?.(clients);
    await settle();
    options.onStage?.('migrate');
    clients.setPhase('during');
    const { cutoverAt, ...migrated } = await abandonIfAborted(signal, () => options.migrate(server.url));
    options.onStage?.('after');
    clients.setPhase('after');
    await settle();
    const traffic = await clients.stop();

    options.onStage?.('verify');
    const verification = await abandonIfAborted(signal, () => options.verify(server.url));
    options.onStage?.('ledger');
    const { ledger: written, startedAt } = clients;
    const ledger = await unlessAborted(signal, () => compareLedger(pool, written));
    const migration = {
      ...migrated,
      rowsPerSecond: migrated.elapsedMs > 0 ? (migrated.rows * 1000) / migrated.elapsedMs : 0,
      cutoverAtMs: cutoverAt ? cutoverAt - startedAt : null,
    };
    const serverVersion = server.version;
    return {
      serverVersion,
      seed,
      sessions,
      messages,
      clients: clientCount,
      loadMs,
      migration,
      traffic,
      verification,
      ledger,
    };
  } finally {
    // After a failure the migration may still hold locks on which clients wait: they get no more than a moment.
    await clients?.stop(HASTY_STOP_MS).catch(() => undefined);
    await pool.end();
  }
}
