import { randomUUID } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import { TandemError } from '../engine/errors.ts';
import { describeUrl } from './connect.ts';

/** On Supabase's hosts, the port of the pooler that shares connections between transactions. */
const SUPABASE_TRANSACTION_PORT = '6543';

/**
 * Before a connection is made: what a session is told there would be told to somebody else's.
 *
 * @throws TD014
 */
export function assertNoPoolerPort(databaseUrl: string): void {
  try {
    const { hostname, port } = new URL(databaseUrl);
    if (port !== SUPABASE_TRANSACTION_PORT || !/(^|\.)supabase\.(com|co)$/i.test(hostname)) return;
  } catch {
    // No URL: `createPool` says so.
    return;
  }
  throw transactionPooler(databaseUrl);
}

/**
 * A run's lock, `search_path` and limits belong to a session. Two connections are told apart: one leaves a mark in its
 * session, the other begins a transaction, and so takes any backend that is idle. Where that has the mark, or the first
 * has lost it, a pooler stands between.
 *
 * @throws TD014
 */
export async function assertOwnSessions(pool: Pool, databaseUrl: string): Promise<void> {
  const first = await pool.connect();
  let second: PoolClient | null = null;
  let shared = false;
  let failed = true;
  try {
    const mark = randomUUID();
    await first.query("SELECT pg_catalog.set_config('tandem.session', $1, false)", [mark]);
    // Where the role may have one connection only, nothing can be told.
    second = await pool.connect().catch(() => null);
    if (second === null) {
      failed = false;
      return;
    }
    await second.query('BEGIN');
    shared = (await markOf(second)) === mark || (await markOf(first)) !== mark;
    await second.query('COMMIT');
    // What was set on backends that are other clients' too goes back to what it was.
    if (shared) for (const client of [first, second]) await client.query('RESET ALL');
    failed = false;
  } finally {
    second?.release(shared || failed);
    first.release(shared || failed);
  }
  if (shared) throw transactionPooler(databaseUrl);
}

async function markOf(client: PoolClient): Promise<string | null> {
  const { rows } = await client.query<{ mark: string | null }>(
    "SELECT pg_catalog.current_setting('tandem.session', true) AS mark",
  );
  return rows[0]?.mark ?? null;
}

function transactionPooler(databaseUrl: string): TandemError {
  return new TandemError(
    'TD014',
    `${describeUrl(databaseUrl)} is a pooler that gives a connection away after each transaction.`,
    {
      hint: 'Give the server’s own address, or a pooler’s in session mode: on Supabase port 5432 of the same host.',
    },
  );
}
