import type { Pool } from 'pg';
import type { Client } from './connect.ts';

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
  let cancelling: Promise<unknown> | null = null;
  const cancel = () => {
    // Where it cannot be told, the statement goes on to its end, and the run stops then.
    cancelling = pool.query('SELECT pg_catalog.pg_cancel_backend($1)', [rows[0]?.pid]).catch(() => undefined);
  };
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    return await work();
  } finally {
    signal.removeEventListener('abort', cancel);
    // The next statement on this connection is somebody else's.
    await cancelling;
  }
}
