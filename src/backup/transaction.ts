import type { PoolClient } from 'pg';
import type { Pool } from '../db/connect.ts';

export interface CopyTransaction {
  readonly begin: string;
  /**
   * How a failed transaction ends. `rollback` has its locks gone when the error is thrown. `close` ends the connection:
   * in the middle of a COPY that sends rows, no statement can be sent, ROLLBACK no more than any other.
   */
  readonly onFailure: 'rollback' | 'close';
  /** Closes the connection at once, even while a statement is under way. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs `work` in one transaction on one connection of the pool, and commits. */
export async function inCopyTransaction<T>(
  pool: Pool,
  { begin, onFailure, signal }: CopyTransaction,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const client = await pool.connect();
  const ignore = () => undefined;
  // Without a listener, a connection that is lost between two statements would end the process.
  client.on('error', ignore);
  const close = () => void client.end().catch(ignore);
  signal?.addEventListener('abort', close);
  let usable = false;
  try {
    signal?.throwIfAborted();
    await client.query(begin);
    const result = await work(client);
    await client.query('COMMIT');
    usable = true;
    return result;
  } catch (error) {
    if (onFailure === 'rollback' && !signal?.aborted)
      usable = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
    throw error;
  } finally {
    signal?.removeEventListener('abort', close);
    client.release(!usable);
    if (usable) client.off('error', ignore);
  }
}
