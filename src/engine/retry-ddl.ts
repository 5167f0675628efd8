import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { type Client, inTransaction } from '../db/connect.ts';
import { isTransient, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { AttemptAgain } from './attempt-again.ts';
import { setLockAttempt } from './control.ts';
import { DEADLOCK_TIMEOUT, untilNoDeadlockCheckIsDue } from './deadlock-check.ts';
import { TandemError } from './errors.ts';
import type { Emit } from './events.ts';

export interface LockOptions {
  /** Milliseconds that one attempt waits for its locks; what a client of the application may have to wait behind it. */
  readonly lockTimeoutMs: number;
  readonly attempts: number;
  /** The longest pause between two attempts, in milliseconds. */
  readonly maxPauseMs: number;
}

export const defaultLockOptions: LockOptions = { lockTimeoutMs: 200, attempts: 40, maxPauseMs: 2000 };

// Below deadlock_timeout, whatever was asked for: where Tandem and the application wait for each other, Tandem gives up
// before the server looks for a victim.
const LOCK_TIMEOUT = `SELECT pg_catalog.set_config('lock_timeout', least($1::int, greatest(1, ${DEADLOCK_TIMEOUT} / 2))::text, true)`;

/**
 * Runs `work` in a transaction under `SET LOCAL lock_timeout`, again and again with a growing, jittered pause while it
 * does not get its locks. A statement that waits for a lock makes every later one wait behind it: so each attempt is
 * short, and their number bounded. Nobody's backend is ended here.
 *
 * @throws TD020 after the last attempt
 */
export async function withLockRetry<T>(
  pool: Pool,
  purpose: string,
  work: (client: Client, attempt: number) => Promise<T>,
  options: LockOptions & {
    emit?: Emit | undefined;
    signal?: AbortSignal | undefined;
    betweenAttempts?: () => Promise<void>;
  } = defaultLockOptions,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    if (options.signal?.aborted)
      throw new TandemError('TD022', `Stopped before ${purpose}.`, { hint: 'Run the same command again to go on.' });
    try {
      const result = await inTransaction(pool, async (client) => {
        await client.query(LOCK_TIMEOUT, [Math.round(options.lockTimeoutMs)]);
        await untilNoDeadlockCheckIsDue(client, 2 * options.lockTimeoutMs);
        return work(client, attempt);
      });
      if (attempt > 1) await setLockAttempt(pool, null);
      if (attempt > 1)
        options.emit?.({ event: 'lock_attempt', purpose, attempt, attempts: options.attempts, obtained: true });
      return result;
    } catch (error) {
      const state = sqlStateOf(error);
      // Lock waits that ended by giving up, and what a transaction may simply do again.
      const again = error instanceof AttemptAgain || state === SqlState.lockNotAvailable || isTransient(state);
      if (!again) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      await setLockAttempt(pool, { purpose, attempt, attempts: options.attempts, reason });
      options.emit?.({ event: 'lock_attempt', purpose, attempt, attempts: options.attempts, obtained: false, reason });
      if (attempt >= options.attempts) {
        throw new TandemError(
          'TD020',
          `${purpose} did not get its locks in ${attempt} attempts of ${options.lockTimeoutMs} ms.`,
          {
            hint: 'A long transaction holds the table: find it in pg_stat_activity (oldest xact_start), let it end, and run the same command again.',
            detail: reason,
            cause: error,
          },
        );
      }
      await options.betweenAttempts?.();
      const ceiling = Math.min(options.maxPauseMs, 100 * 2 ** Math.min(attempt, 10));
      await sleep(ceiling / 2 + (Math.random() * ceiling) / 2, undefined, { signal: options.signal }).catch(
        () => undefined,
      );
    }
  }
}
