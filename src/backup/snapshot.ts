import type { PoolClient } from 'pg';
import { z } from 'zod';
import type { Pool } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteLiteral, quoteName } from '../db/identifier.ts';
import { COPY_SETTINGS, NO_TRANSACTION_TIMEOUT } from './copy-settings.ts';
import { backupFailure } from './failures.ts';
import { inCopyTransaction } from './transaction.ts';

const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';

/**
 * Opens the snapshot that a backup shows, and keeps it open while `work` runs.
 *
 * The locks come first. A snapshot does not protect from TRUNCATE or a rewrite by ALTER TABLE: a table that was emptied
 * after the snapshot and before its lock would be read as empty, or twice.
 *
 * ```sql
 * BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
 * LOCK TABLE "public"."sessions" IN ACCESS SHARE MODE;  -- blocks DROP, TRUNCATE and ALTER, but no reader or writer
 * SELECT pg_export_snapshot();
 * ```
 *
 * @throws TD020 where a table stays locked by another session for 30 seconds
 */
export async function withSnapshot<T>(
  pool: Pool,
  tables: readonly QualifiedName[],
  signal: AbortSignal,
  work: (client: PoolClient, snapshot: string) => Promise<T>,
): Promise<T> {
  return inCopyTransaction(pool, { begin: BEGIN, onFailure: 'close', signal }, async (client) => {
    await client.query(`${COPY_SETTINGS}; SET LOCAL lock_timeout = '30s'`);
    for (const table of tables) await lock(client, table, signal);
    const { rows } = await client.query('SELECT pg_catalog.pg_export_snapshot() AS snapshot');
    const [exported] = z.tuple([z.object({ snapshot: z.string() })]).parse(rows);
    await client.query(NO_TRANSACTION_TIMEOUT);
    return work(client, exported.snapshot);
  });
}

/**
 * Runs `work` on one more connection that sees the same snapshot.
 *
 * It takes all locks at once as well, and gives up soon: where another session already waits for an exclusive lock, one
 * that is asked for later would queue behind it, while it waits for the first connection, which waits for this one.
 */
export async function joinSnapshot(
  pool: Pool,
  tables: readonly QualifiedName[],
  snapshot: string,
  signal: AbortSignal,
  work: (client: PoolClient) => Promise<void>,
): Promise<void> {
  await inCopyTransaction(pool, { begin: BEGIN, onFailure: 'close', signal }, async (client) => {
    await client.query(
      `SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}; ${COPY_SETTINGS}; SET LOCAL lock_timeout = '1s'`,
    );
    for (const table of tables) await lock(client, table, signal);
    await client.query(NO_TRANSACTION_TIMEOUT);
    await work(client);
  });
}

async function lock(client: PoolClient, table: QualifiedName, signal: AbortSignal): Promise<void> {
  try {
    await client.query(`LOCK TABLE ${quoteName(table)} IN ACCESS SHARE MODE`);
  } catch (error) {
    throw backupFailure(error, displayName(table), signal);
  }
}
