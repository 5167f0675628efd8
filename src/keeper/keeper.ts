import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { ASK_MS, acquireLease, assertLease, LEASE_MS, RENEW_MS, releaseLease, renewLease } from './lease.ts';
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
    let askedAt = performance.now();
    const epoch = await acquireLease(pool, holder).catch((error: unknown) => {
      log({ event: 'error', task: 'lease', message: messageOf(error) });
      return null;
    });
    if (epoch === null) {
      await pause(ASK_MS, signal);
      continue;
    }
    // It may have waited for a transaction of the last one's, for longer than the lease is good from when it was asked for.
    if (performance.now() - askedAt > RENEW_MS) {
      askedAt = performance.now();
      if (!(await renewLease(pool, epoch).catch(() => false))) continue;
    }
    log({ event: 'leader', epoch, holder });
    metrics.leader.set(1);
    await lead(options, epoch, askedAt);
    metrics.leader.set(0);
  }
}

async function lead(options: KeeperOptions, epoch: string, askedAt: number): Promise<void> {
  const { pool, tasks, metrics, log, signal } = options;
  const lost = new AbortController();
  const ended = AbortSignal.any([signal, lost.signal]);
  const renewing = renewUntil(options, { epoch, askedAt }, ended, () => {
    // The tasks may take a while to notice, or wait for a server that does not answer.
    metrics.leader.set(0);
    lost.abort();
  });
  await Promise.all(tasks.map((task) => repeat(options, task, epoch, ended)));
  await renewing;
  if (lost.signal.aborted) return log({ event: 'lost', epoch });
  await releaseLease(pool, epoch).catch((error: unknown) =>
    log({ event: 'error', task: 'lease', message: messageOf(error) }),
  );
}

/**
 * The lease lapses by itself where the server is away for longer than it lasts, or does not answer: then another one may
 * have it. Its time is counted from before the question, so that it ends here no later than there.
 */
async function renewUntil(
  { pool, log }: KeeperOptions,
  lease: { readonly epoch: string; readonly askedAt: number },
  ended: AbortSignal,
  onLoss: () => void,
) {
  let { askedAt } = lease;
  while (!ended.aborted) {
    await pause(RENEW_MS, ended);
    if (ended.aborted) return;
    const asked = performance.now();
    const answer = renewLease(pool, lease.epoch).catch((error: unknown) => {
      log({ event: 'error', task: 'lease', message: messageOf(error) });
      return null;
    });
    const lapse = pause(Math.max(0, askedAt + LEASE_MS - asked), ended).then(() => false);
    const kept = await Promise.race([answer, lapse]);
    if (kept === true) askedAt = asked;
    else if (kept === false && !ended.aborted) onLoss();
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
