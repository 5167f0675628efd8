import { resolve } from 'node:path';
import type { PoolClient } from 'pg';
import type { Pool } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import type { OnProgress } from '../engine/progress.ts';
import { copyIn, loadFailure } from './copy-in.ts';
import { COPY_SETTINGS, NO_TRANSACTION_TIMEOUT } from './copy-settings.ts';
import { commonFailure } from './failures.ts';
import { foreignKeysBetween, type LoadOrder, loadOrder } from './load-order.ts';
import type { Manifest, ManifestTable } from './manifest.ts';
import { advanceOwnedSequences } from './owned-sequences.ts';
import { progressMeter } from './progress-meter.ts';
import { assertEmpty, assertRowCount, restoreTargets, type Target } from './restore-targets.ts';
import { inCopyTransaction } from './transaction.ts';
import { disableUserTriggers } from './user-triggers.ts';
import { verifyBackup } from './verify-backup.ts';
import { findWholeTables, type WholeTable } from './whole-tables.ts';

export interface RestoreOptions {
  readonly pool: Pool;
  readonly directory: string;
  /** Only these tables of the backup. Default: all. */
  readonly tables?: readonly QualifiedName[] | undefined;
  /** Bytes of CSV, whose totals are known: first each file as it is checked, then each table as it is loaded. */
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loads a backup into tables that are there and empty: all of it in one transaction, or nothing. The files are checked
 * to the last byte before the database is touched. Returns the manifest, with the tables that were restored.
 *
 * Users' triggers do not fire, foreign keys are checked, identity and serial columns go on after the highest value.
 *
 * @throws TD041 for a damaged backup; TD005, TD044 for a table that is missing or has not its columns; TD043 for one that
 * holds rows; TD044 for rows that the server refuses; TD006 without the rights of the tables' owner
 * @throws TD020, TD021, TD022 for a table that stays locked, a lost connection, the signal
 */
export async function restoreBackup(options: RestoreOptions): Promise<Manifest> {
  const { pool, tables, onProgress, signal } = options;
  const directory = resolve(options.directory);
  const manifest = await verifyBackup(directory, { tables, onProgress, signal });
  try {
    await inCopyTransaction(pool, { begin: 'BEGIN', onFailure: 'rollback', signal }, async (client) => {
      await client.query(`${COPY_SETTINGS}; SET LOCAL lock_timeout = '10s'`);
      await client.query(NO_TRANSACTION_TIMEOUT);
      await noticeLostClient(client);
      await lockTables(client, await inLoadOrder(client, await findWholeTables(client, manifest.tables)), signal);
      // What was read before the locks may have changed meanwhile, the foreign keys among it.
      await loadTables(client, manifest.tables, { directory, onProgress, signal });
    });
  } catch (error) {
    throw commonFailure(error, 'the restore', signal) ?? loadFailure(error, null);
  }
  return manifest;
}

/**
 * Loads files of a backup that was checked into the tables that the entries name, in the caller's transaction, which has
 * the settings of COPY_SETTINGS, and in which nobody else can write to them.
 */
export async function loadTables(
  client: PoolClient,
  entries: readonly ManifestTable[],
  options: LoadOptions,
): Promise<void> {
  await load(client, await inLoadOrder(client, await restoreTargets(client, entries)), options);
}

async function inLoadOrder<T extends WholeTable>(client: PoolClient, tables: readonly T[]): Promise<LoadOrder<T>> {
  return loadOrder(tables, await foreignKeysBetween(client, tables));
}

/** Referencing tables first, which is the order in which an application that inserts rows locks them. */
async function lockTables(client: PoolClient, order: LoadOrder<WholeTable>, signal: AbortSignal | undefined) {
  for (const { name } of order.tables.toReversed()) {
    try {
      await client.query(`LOCK TABLE ${quoteName(name)} IN SHARE ROW EXCLUSIVE MODE`);
    } catch (error) {
      throw commonFailure(error, displayName(name), signal) ?? error;
    }
  }
}

export type LoadOptions = Pick<RestoreOptions, 'directory' | 'onProgress' | 'signal'>;

async function load(client: PoolClient, order: LoadOrder<Target>, { directory, onProgress, signal }: LoadOptions) {
  const oids = order.tables.map(({ oid }) => oid);
  await assertEmpty(client, order.tables);
  const enableTriggers = await disableUserTriggers(client, oids);
  if (order.deferred) await client.query('SET CONSTRAINTS ALL DEFERRED');
  for (const target of order.tables) {
    const { entry } = target;
    const meter = progressMeter(onProgress, { subject: displayName(entry), unit: 'bytes', total: entry.csv_bytes });
    await copyIn(client, { directory, entry, target, meter, signal });
  }
  await checkDeferred(client, signal);
  await enableTriggers();
  for (const target of order.tables) await assertRowCount(client, target);
  await advanceOwnedSequences(client, oids);
}

/** Checks what a table declares as deferred now: ALTER TABLE refuses a table that has checks pending. */
async function checkDeferred(client: PoolClient, signal: AbortSignal | undefined): Promise<void> {
  try {
    await client.query('SET CONSTRAINTS ALL IMMEDIATE');
  } catch (error) {
    throw commonFailure(error, 'the restore', signal) ?? loadFailure(error, null);
  }
}

/** Has the server end the statement that it works on when this process is gone. Not every platform can. */
async function noticeLostClient(client: PoolClient): Promise<void> {
  await client.query('SAVEPOINT before_setting');
  await client
    .query("SET LOCAL client_connection_check_interval = '2s'")
    .catch(() => client.query('ROLLBACK TO before_setting'));
  await client.query('RELEASE before_setting');
}
