import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../db/connect.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { AttemptAgain } from './attempt-again.ts';

/** SQL for the server's deadlock_timeout in milliseconds. */
export const DEADLOCK_TIMEOUT = "(SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout')";

// A session looks for a deadlock once, when it has waited for deadlock_timeout: waitstart tells when that will be.
const CHECK_DUE = `SELECT FROM pg_catalog.pg_locks l CROSS JOIN (SELECT ${DEADLOCK_TIMEOUT} AS ms) t
   WHERE NOT l.granted AND l.pid <> pg_catalog.pg_backend_pid()
     AND l.waitstart > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => t.ms / 1000.0)
     AND l.waitstart < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => greatest(t.ms - $1::int, 0) / 1000.0)
   LIMIT 1`;

/** Time for what comes between a look at the waiting sessions and a wait of Tandem's own. */
const SLACK_MS = 100;
const LOOKS = 40;
const LOOK_MS = 50;

/**
 * To be called before Tandem waits for a lock while it holds another. A session that has been waiting for long is about
 * to look for a deadlock; if it found one in which Tandem had a part, the server would end the application's transaction,
 * though Tandem gives up in a moment. So nobody may be due within the time that Tandem waits. Who begins to wait later is
 * due after that.
 *
 * @throws AttemptAgain where somebody is due at every look
 */
export async function untilNoDeadlockCheckIsDue(client: Client, waitMs: number, looks = LOOKS): Promise<void> {
  for (let look = 1; await isDue(client, waitMs); look++) {
    if (look >= looks)
      throw new AttemptAgain('a session has been waiting for a lock, and is about to look for a deadlock');
    await sleep(LOOK_MS);
  }
}

async function isDue(client: Client, waitMs: number): Promise<boolean> {
  const { rowCount } = await client.query(CHECK_DUE, [Math.ceil(waitMs + SLACK_MS)]);
  return rowCount !== null && rowCount > 0;
}

/** Takes locks one after the other, within a time in which nobody looks for a deadlock. */
export interface LockWindow {
  take(statements: readonly string[]): Promise<void>;
}

/** Waits until nobody is about to look for a deadlock. From then on, all locks are to be had within twice the time of one. */
export async function openLockWindow(client: Client, lockTimeoutMs: number): Promise<LockWindow> {
  const { rows } = await client.query<{ ms: number }>(`SELECT ${DEADLOCK_TIMEOUT} AS ms`);
  const within = Math.max(1, Math.min(2 * lockTimeoutMs, (rows[0]?.ms ?? 0) * 0.8 - SLACK_MS));
  await untilNoDeadlockCheckIsDue(client, within);
  const end = performance.now() + within;
  return {
    async take(statements) {
      for (const sql of statements) {
        const left = Math.ceil(end - performance.now());
        if (left <= 0) throw new AttemptAgain('the locks were not to be had in time');
        // One statement may wait for several locks (partitions), each with a timeout of its own.
        await client.query(`SET LOCAL statement_timeout = ${left}`);
        try {
          await client.query(sql);
        } catch (error) {
          if (sqlStateOf(error) !== SqlState.queryCanceled || performance.now() < end) throw error;
          throw new AttemptAgain('the locks were not to be had in time', { cause: error });
        }
      }
    },
  };
}
