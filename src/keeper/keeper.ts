import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { acquireLease, assertLease, RENEW_MS, releaseLease, renewLease } from './lease.ts';
import type { Metrics } from './metrics.ts';
import type { Task } from './task.ts';

/** One line of the log. */
export type KeeperEvent = { readonly event: string } & Readonly<Record<string, unknown>>;

export interface KeeperOptions {
  readonly pool: Pool;
  readonly tasks: readonly Task[];
  readonly metrics: Metrics;
  readonly log: (event: KeeperEvent) => void;
  readonly signal: AbortSignal;
}

const pause = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal }).catch(() => undefined);

/**
 * Waits for the lease, runs the tasks while it has it, and waits again where it loses it; until the signal. A task that
 * fails is logged, counted, and tried again when it is due the next time: the others go on.
 */
export async function runKeeper(options: KeeperOptions): Promise<void> {
  const { pool, metrics, log, signal } = options;
  const holder = `${hostname()}/${process.pid}/${randomBytes(3).toString('hex')}`;
  while (!signal.aborted) {
    const epoch = await acquireLease(pool, holder).catch((error: unknown) => {
      log({ event: 'error', task: 'lease', message: messageOf(error) });
      return null;
    });
    if (epoch === null) {
      await pause(RENEW_MS, signal);
      continue;
    }
    log({ event: 'leader', epoch, holder });
    metrics.leader.set(1);
    await lead(options, epoch);
    metrics.leader.set(0);
  }
}

async function lead(options: KeeperOptions, epoch: string): Promise<void> {
  const { pool, tasks, log, signal } = options;
  const lost = new AbortController();
  const ended = AbortSignal.any([signal, lost.signal]);
  const renewing = renewUntil(options, epoch, ended, () => lost.abort());
  await Promise.all(tasks.map((task) => repeat(options, task, epoch, ended)));
  await renewing;
  if (lost.signal.aborted) return log({ event: 'lost', epoch });
  await releaseLease(pool, epoch).catch((error: unknown) =>
    log({ event: 'error', task: 'lease', message: messageOf(error) }),
  );
}

/** The lease lapses by itself where the server is away for longer than it lasts: then another one may have it. */
async function renewUntil({ pool, log }: KeeperOptions, epoch: string, ended: AbortSignal, onLoss: () => void) {
  while (!ended.aborted) {
    await pause(RENEW_MS, ended);
    if (ended.aborted) return;
    const kept = await renewLease(pool, epoch).catch((error: unknown) => {
      log({ event: 'error', task: 'lease', message: messageOf(error) });
      return true;
    });
    if (!kept) onLoss();
  }
}

async function repeat({ metrics, log }: KeeperOptions, task: Task, epoch: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const startedAt = performance.now();
    let outcome: 'done' | 'nothing to do' | 'failed' = 'done';
    try {
      const did = await task.run({ signal, fence: (client) => assertLease(client, epoch) });
      if (did === null) outcome = 'nothing to do';
      else log({ event: 'task', task: task.name, did, elapsed_ms: Math.round(performance.now() - startedAt) });
    } catch (error) {
      if (signal.aborted) return;
      outcome = 'failed';
      log({ event: 'error', task: task.name, message: messageOf(error) });
    }
    const elapsedMs = performance.now() - startedAt;
    const nextMs = task.everyMs(elapsedMs);
    metrics.ran(task.name, outcome, elapsedMs, nextMs);
    await pause(nextMs, signal);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
