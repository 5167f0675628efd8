import { hostname } from 'node:os';
import type { Pool, PoolClient } from 'pg';
import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { setLockAttempt } from './control.ts';
import { TandemError } from './errors.ts';
import { upgradeState } from './run-state.ts';

/** Advisory lock key (two int4: "tand", 1) of the one runner that a database may have. */
const LOCK = [0x74616e64, 1];

const holderRow = z.object({
  command: z.string(),
  host: z.string(),
  pid: z.number(),
  backend_pid: z.number(),
  since: z.date(),
});
export type Holder = z.infer<typeof holderRow>;

/**
 * Holds the run while `work` runs: a session-level advisory lock, which PostgreSQL frees when the holder's connection
 * ends, however it ends. A second runner is refused and told who the first one is.
 *
 * Where that happens while the work goes on, another runner may begin: `lost` tells the work to stop.
 *
 * @throws TD010 with host, pid and time of the holder; TD021 where the work stopped because the lock was lost
 */
export async function withRunnerLock<T>(
  pool: Pool,
  command: string,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  const lost = new AbortController();
  const onLoss = () => lost.abort();
  client.once('error', onLoss);
  client.once('end', onLoss);
  try {
    const { rows } = await client.query<{ locked: boolean }>(
      'SELECT pg_catalog.pg_try_advisory_lock($1, $2) AS locked',
      LOCK,
    );
    if (rows[0]?.locked !== true) throw await refusal(client);
    await upgradeState(client);
    await client.query(
      `INSERT INTO tandem.runner (command, host, pid, backend_pid) VALUES ($1, $2, $3, pg_catalog.pg_backend_pid())
       ON CONFLICT (singleton) DO UPDATE SET command = EXCLUDED.command, host = EXCLUDED.host, pid = EXCLUDED.pid,
         backend_pid = EXCLUDED.backend_pid, since = now()`,
      [command, hostname(), process.pid],
    );
    await setLockAttempt(client, null);
    return await work(lost.signal);
  } catch (error) {
    if (!lost.signal.aborted) throw error;
    throw new TandemError('TD021', 'The connection that holds the run was lost.', {
      hint: 'Run the same command again when the server answers: it goes on where it stopped.',
      ...(error instanceof Error ? { detail: error.message } : {}),
      cause: error,
    });
  } finally {
    client.off('error', onLoss);
    client.off('end', onLoss);
    await release(client);
  }
}

/** The current holder, or null where no live session holds the lock. */
export async function currentHolder(client: Queryable): Promise<Holder | null> {
  const { rows } = await client.query(
    `SELECT r.command, r.host, r.pid, r.backend_pid, r.since FROM tandem.runner r
      WHERE EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.classid = $1::oid AND l.objid = $2::oid
                       AND l.pid = r.backend_pid AND l.granted
                       AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))`,
    LOCK,
  );
  return rows[0] === undefined ? null : holderRow.parse(rows[0]);
}

async function refusal(client: PoolClient): Promise<TandemError> {
  const holder = await currentHolder(client);
  const who = holder
    ? `\`tandem ${holder.command}\` on ${holder.host} (pid ${holder.pid}, since ${holder.since.toISOString()})`
    : 'another process that is just starting';
  return new TandemError('TD010', `This database is being worked on by ${who}.`, {
    hint: 'Wait for it to end, or stop it there; `tandem status --watch` follows it from here.',
  });
}

async function release(client: PoolClient): Promise<void> {
  try {
    await client
      .query('DELETE FROM tandem.runner WHERE backend_pid = pg_catalog.pg_backend_pid()')
      .catch(ignoreMissing);
    await client.query('SELECT pg_catalog.pg_advisory_unlock($1, $2)', LOCK);
    client.release();
  } catch (error) {
    // The connection is gone, and the lock with it; what the work threw is the error to report.
    client.release(error instanceof Error ? error : true);
  }
}

/** `finish` has dropped the schema, name plate included. */
function ignoreMissing(error: unknown): void {
  if (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    (error.code === '42P01' || error.code === '3F000')
  )
    return;
  throw error;
}
