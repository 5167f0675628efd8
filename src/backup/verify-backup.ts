import { resolve } from 'node:path';
import { Writable } from 'node:stream';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { OnProgress } from '../engine/progress.ts';
import { commonFailure } from './failures.ts';
import { type Manifest, type ManifestTable, readManifest } from './manifest.ts';
import { progressMeter } from './progress-meter.ts';
import { readBack } from './read-back.ts';

export interface VerifyOptions {
  /** Only the files of these tables. Default: all of the backup. */
  readonly tables?: readonly QualifiedName[] | undefined;
  /** Bytes of CSV, whose totals are known. */
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads every file of a backup to its end and compares it with the manifest: size, sha256 of the file and of the CSV,
 * number of rows. Needs no database. Returns the manifest, with the tables that were asked for.
 *
 * @throws TD041, naming the first file that is missing, cut short, altered or reordered, or an unfinished backup
 * @throws TD008 for a table that the backup does not hold; TD022 where the signal fired
 */
export async function verifyBackup(directory: string, options: VerifyOptions = {}): Promise<Manifest> {
  const path = resolve(directory);
  const manifest = await readManifest(path);
  const tables = chosenTables(manifest, options.tables);
  for (const table of tables) {
    const meter = progressMeter(options.onProgress, { subject: table.file, unit: 'bytes', total: table.csv_bytes });
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    try {
      await readBack(path, table, () => [nowhere], { meter, signal: options.signal });
    } catch (error) {
      throw commonFailure(error, table.file, options.signal) ?? error;
    }
  }
  return { ...manifest, tables };
}

function chosenTables(manifest: Manifest, chosen: readonly QualifiedName[] | undefined): ManifestTable[] {
  if (!chosen) return manifest.tables;
  const wanted = new Set(chosen.map(quoteName));
  const tables = manifest.tables.filter((table) => wanted.delete(quoteName(table)));
  const [missing] = chosen.filter((table) => wanted.has(quoteName(table)));
  if (!missing && tables.length > 0) return tables;
  throw new TandemError('TD008', missing ? `The backup does not hold ${displayName(missing)}.` : 'No table is named.', {
    hint: `It holds ${manifest.tables.map(displayName).join(', ')}.`,
  });
}
