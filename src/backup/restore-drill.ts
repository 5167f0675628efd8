import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createPool, inTransaction, type Pool } from '../db/connect.ts';
import { displayName, quoteIdent, quoteName } from '../db/identifier.ts';
import { startLocalServer } from '../db/local-server.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { OnProgress } from '../engine/progress.ts';
import { backupTables } from './backup.ts';
import { type AsText, drillTypes } from './drill-types.ts';
import { type Manifest, type ManifestTable, writeManifest } from './manifest.ts';
import { restoreBackup } from './restore.ts';
import { verifyBackup } from './verify-backup.ts';

export interface DrillOptions {
  readonly directory: string;
  /** `server`: a scratch database beside the one of this URL; `embedded`: a private server that ends with the drill. */
  readonly place: { readonly kind: 'server'; readonly databaseUrl: string } | { readonly kind: 'embedded' };
  /** Where types are copied from that a scratch database does not have; null: such columns are drilled as text. */
  readonly source: Pool | null;
  readonly onProgress?: OnProgress | undefined;
  /** Told the name of the scratch database once it is there, and awaited: only a process that is killed leaves it behind. */
  readonly onScratch?: ((name: string) => unknown) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DrilledTable {
  readonly table: string;
  readonly file: string;
  readonly rows: number;
  /** Of CSV. */
  readonly bytes: number;
  readonly restoreMs: number;
  readonly compareMs: number;
}

export interface Drill {
  readonly manifest: Manifest;
  readonly tables: readonly DrilledTable[];
  readonly asText: readonly AsText[];
}

/**
 * Proves that a backup can be restored: loads it into a scratch database with the same code as a restore, backs the
 * restored tables up again, and compares that with the manifest, byte for byte. The scratch database is dropped, or the
 * private server ended, whatever happens.
 *
 * The scratch tables have the columns of the backup and nothing else: keys, checks and triggers are not drilled.
 *
 * @throws TD041 for a damaged backup, before anything is made; TD006 without CREATEDB; TD044 for rows that are refused, or
 * that come back otherwise; TD022 where the signal fired
 */
export async function restoreDrill(options: DrillOptions): Promise<Drill> {
  const directory = resolve(options.directory);
  const { signal, onProgress } = options;
  const manifest = await verifyBackup(directory, { onProgress, signal });
  return withScratch(options, async (scratch) => {
    const workplace = await mkdtemp(join(tmpdir(), 'tandem-drill-'));
    try {
      const { drilled, asText } = await createTables(scratch, options.source, manifest);
      // The same files under a manifest that speaks of the scratch tables' types.
      for (const { file } of drilled.tables) await symlink(join(directory, file), join(workplace, file));
      const { format: _format, version: _version, ...content } = drilled;
      await writeManifest(workplace, content);
      const tables: DrilledTable[] = [];
      for (const entry of drilled.tables) {
        signal?.throwIfAborted();
        const restoredAt = performance.now();
        await restoreBackup({ pool: scratch, directory: workplace, tables: [entry], onProgress, signal });
        const comparedAt = performance.now();
        await compareAgain(scratch, entry, join(workplace, 'again'), options);
        tables.push({
          table: displayName(entry),
          file: entry.file,
          rows: entry.rows,
          bytes: entry.csv_bytes,
          restoreMs: Math.round(comparedAt - restoredAt),
          compareMs: Math.round(performance.now() - comparedAt),
        });
      }
      return { manifest, tables, asText };
    } finally {
      await rm(workplace, { recursive: true, force: true });
    }
  });
}

/** Makes the tables of the manifest in the scratch database; returns the manifest with the types that they got. */
async function createTables(
  pool: Pool,
  source: Pool | null,
  manifest: Manifest,
): Promise<{ drilled: Manifest; asText: AsText[] }> {
  const types = [...new Set(manifest.tables.flatMap((table) => table.columns.map(({ type }) => type)))];
  return inTransaction(pool, async (client) => {
    const known = await drillTypes(client, source, types);
    const tables = manifest.tables.map((table) => ({
      ...table,
      columns: table.columns.map(({ name, type }) => ({ name, type: known.get(type)?.type ?? 'text' })),
    }));
    for (const { columns, ...table } of tables) {
      const definitions = columns.map(({ name, type }) => `${quoteIdent(name)} ${type}`).join(', ');
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdent(table.schema)}`);
      await client.query(`CREATE TABLE ${quoteName(table)} (${definitions})`);
    }
    return { drilled: { ...manifest, tables }, asText: [...known.values()].flatMap((t) => t.asText ?? []) };
  });
}

/** Backs the restored table up again, compressed to spare the disk: what is compared is the CSV, which is the same. */
async function compareAgain(
  pool: Pool,
  entry: ManifestTable,
  directory: string,
  { onProgress, signal }: DrillOptions,
): Promise<void> {
  const again = await backupTables({ pool, tables: [entry], directory, gzip: true, workers: 1, onProgress, signal });
  await rm(directory, { recursive: true, force: true });
  const [found] = again.tables;
  if (found?.csv_sha256 === entry.csv_sha256 && found.rows === entry.rows) return;
  throw new TandemError('TD044', `${entry.file} was restored, but does not come back as it was.`, {
    hint: 'Keep the backup, and do not rely on it before this is explained: another version or locale of the server may write a value otherwise.',
    detail: `${entry.rows} rows, sha256 ${entry.csv_sha256}; restored ${found?.rows} rows, sha256 ${found?.csv_sha256}`,
  });
}

async function withScratch<T>(options: DrillOptions, work: (pool: Pool) => Promise<T>): Promise<T> {
  if (options.place.kind === 'embedded') {
    const server = await startLocalServer();
    return finallyDo(
      () => withPool(server.url, work),
      () => server.stop(),
    );
  }
  const { databaseUrl } = options.place;
  const name = `tandem_drill_${randomBytes(5).toString('hex')}`;
  // A connection of its own: CREATE and DROP DATABASE want neither a transaction nor a busy pool.
  return withPool(databaseUrl, async (admin) => {
    await createDatabase(admin, name);
    const url = new URL(databaseUrl);
    url.pathname = `/${name}`;
    return finallyDo(
      async () => {
        await options.onScratch?.(name);
        return withPool(url.href, work);
      },
      () => admin.query(`DROP DATABASE IF EXISTS ${quoteIdent(name)} WITH (FORCE)`),
    );
  });
}

async function createDatabase(admin: Pool, name: string): Promise<void> {
  try {
    await admin.query(`CREATE DATABASE ${quoteIdent(name)} TEMPLATE template0 ENCODING 'UTF8'`);
  } catch (error) {
    if (sqlStateOf(error) !== SqlState.insufficientPrivilege) throw error;
    throw new TandemError('TD006', 'The role may not create a database to drill in.', {
      hint: 'Grant it CREATEDB, or drill in a private server with --embedded.',
      cause: error,
    });
  }
}

async function withPool<T>(url: string, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = createPool(url, { max: 3 });
  return finallyDo(
    () => work(pool),
    () => pool.end(),
  );
}

/** `try … finally`, in which the error of the work is told, and not that of tidying up after it. */
async function finallyDo<T>(work: () => Promise<T>, tidy: () => Promise<unknown>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await tidy().catch(() => undefined);
    throw error;
  }
  await tidy();
  return result;
}
