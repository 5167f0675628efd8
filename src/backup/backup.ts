import { resolve } from 'node:path';
import type { Pool } from '../db/connect.ts';
import { type QualifiedName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { OnProgress } from '../engine/progress.ts';
import { discardUnfinished, markFinished, prepareDirectory } from './directory.ts';
import { backupFailure } from './failures.ts';
import { backupFileNames } from './file-names.ts';
import { type Manifest, sealed, writeManifest } from './manifest.ts';
import { findWholeTables } from './whole-tables.ts';
import { writeTables } from './write-tables.ts';

const DEFAULT_WORKERS = 4;

export interface BackupOptions {
  readonly pool: Pool;
  readonly tables: readonly QualifiedName[];
  /** Made where it is not there; must hold no backup. */
  readonly directory: string;
  /** Compress: `sessions_backup.csv.gz`. Default: no. */
  readonly gzip?: boolean | undefined;
  /** Connections that copy at once, at most one for each table; fewer where no more are to be had. Default: 4. */
  readonly workers?: number | undefined;
  /** Rows of each table, of a total that is within a few percent; the last event of a table has its true number. */
  readonly onProgress?: OnProgress | undefined;
  /** JSON for the manifest that says how the tables are made again: see `Definitions` of src/engine/definitions.ts. */
  readonly definitions?: Parameters<typeof sealed>[0] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly now?: (() => Date) | undefined;
}

/**
 * Writes each table as CSV into the directory, all of them in one snapshot, and `manifest.json` last. Readers and writers
 * of the tables go on meanwhile. A backup that fails takes its files away; what a killed one left, the next run replaces.
 *
 * ```sql
 * COPY (SELECT * FROM "public"."sessions") TO STDOUT WITH (FORMAT csv, HEADER)  -- sessions_backup.csv
 * ```
 *
 * @throws TD005, TD017 for what is no table that can be backed up; TD006 where the role cannot see all of its rows
 * @throws TD040 where the directory holds a backup; TD042 where it cannot be written to
 * @throws TD020, TD021, TD022 for a table that stays locked, a lost connection, the signal
 */
export async function backupTables(options: BackupOptions): Promise<Manifest> {
  const { pool, gzip = false, workers = DEFAULT_WORKERS, onProgress, signal, now = () => new Date() } = options;
  const tables = [...new Map(options.tables.map((table) => [quoteName(table), table])).values()];
  if (tables.length === 0) throw new TandemError('TD008', 'No table is named to back up.');
  const directory = resolve(options.directory);
  const files = backupFileNames(tables, gzip);
  try {
    // Before the directory is touched: a name that is wrong should leave no trace.
    await findWholeTables(pool, tables);
    await prepareDirectory(directory, files);
  } catch (error) {
    throw backupFailure(error, directory, signal);
  }
  try {
    const named = tables.map((table, at) => ({ table, file: files[at] ?? '' }));
    const content = await writeTables({ pool, tables: named, directory, gzip, workers, onProgress, signal, now });
    signal?.throwIfAborted();
    const { definitions } = options;
    const manifest = await writeManifest(directory, {
      ...content,
      ...(definitions === undefined ? {} : { definitions: sealed(definitions) }),
    });
    await markFinished(directory);
    return manifest;
  } catch (error) {
    await discardUnfinished(directory, files);
    throw backupFailure(error, directory, signal);
  }
}
