import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Client } from './connect.ts';

/** A cancellation that comes between two statements is none: it is sent again until the work has ended. */
const AGAIN_MS = 500;

/**
 * Runs `work` on a client; where `signal` is aborted meanwhile, the statement at hand is cancelled on the server, and
 * `work` fails with 57014. For statements that may take long and that lose nothing but time: in a transaction of theirs.
 */
export async function cancelledBy<T>(
  pool: Pool,
  client: Client,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  signal.throwIfAborted();
  const ended = new AbortController();
  let cancelling: Promise<void> = Promise.resolve();
  const cancel = async () => {
    while (!ended.signal.aborted) {
      // Where it cannot be told, the statement goes on to its end, and the run stops then.
      await pool.query('SELECT pg_catalog.pg_cancel_backend($1)', [rows[0]?.pid]).catch(() => undefined);
      await sleep(AGAIN_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  };
  const onAbort = () => {
    cancelling = cancel();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await work();
  } finally {
    ended.abort();
    signal.removeEventListener('abort', onAbort);
    // The next statement on this connection is somebody else's.
    await cancelling;
  }
}
