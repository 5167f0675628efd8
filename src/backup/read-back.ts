import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { TandemError } from '../engine/errors.ts';
import { ByteDigest } from './byte-digest.ts';
import { CsvRows } from './csv-rows.ts';
import { errnoOf } from './failures.ts';
import type { ManifestTable } from './manifest.ts';
import type { ProgressMeter } from './progress-meter.ts';
import { tap } from './tap.ts';

export interface ReadBack {
  readonly meter: ProgressMeter;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Streams the CSV of one file of a backup into the streams of `into`, and then makes sure that every byte was the one that the manifest
 * vouches for. Whoever acts on the bytes can only rely on them once this has returned.
 *
 * `into` is called when the bytes are about to flow: a stream that fails before anything listens to it would be waited for
 * without end.
 *
 * @throws TD041, naming the file, where it is missing, cut short, altered or not readable. What `into` throws passes.
 */
export async function readBack(
  directory: string,
  table: ManifestTable,
  into: () => readonly Writable[],
  options: ReadBack,
) {
  const path = join(directory, table.file);
  await assertSize(path, table.bytes);
  const fileDigest = new ByteDigest();
  const csvDigest = new ByteDigest();
  const csv = new CsvRows();
  const look = tap((chunk) => {
    csv.push(chunk);
    csvDigest.push(chunk);
    options.meter.advance(csvDigest.bytes);
  });
  const decompress = table.compressed ? [tap((chunk) => fileDigest.push(chunk)), createGunzip()] : [];
  try {
    await pipeline([createReadStream(path, { highWaterMark: 256 * 1024 }), ...decompress, look, ...into()], {
      signal: options.signal,
    });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno?.startsWith('Z_')) throw damaged(path, 'is altered: it cannot be decompressed', error);
    if (errno === 'EIO' || errno === 'EACCES' || errno === 'ENOENT')
      throw damaged(path, `cannot be read (${errno})`, error);
    throw error;
  }
  if (csv.nulLine !== null) {
    throw damaged(path, `has a NUL character in line ${csv.nulLine}, which no text of PostgreSQL can hold`);
  }
  const csvSha256 = csvDigest.sha256();
  if ((table.compressed ? fileDigest.sha256() : csvSha256) !== table.sha256 || csvSha256 !== table.csv_sha256) {
    throw damaged(path, 'is altered: its content is not what was written (its sha256 differs from the manifest)');
  }
  if (!csv.complete || csv.rows !== table.rows || csvDigest.bytes !== table.csv_bytes) {
    throw damaged(path, `has ${csv.rows} rows in ${csvDigest.bytes} bytes of CSV, not what the manifest says`);
  }
  options.meter.finish(csvDigest.bytes);
}

async function assertSize(path: string, bytes: number): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw damaged(path, errnoOf(error) === 'ENOENT' ? 'is missing' : `cannot be read (${errnoOf(error)})`, error);
  });
  if (!found.isFile()) throw damaged(path, 'is no file');
  if (found.size < bytes) throw damaged(path, `is cut short: ${found.size} of ${bytes} bytes`);
  if (found.size > bytes) throw damaged(path, `is altered: ${found.size} bytes where ${bytes} were written`);
}

function damaged(path: string, why: string, cause?: unknown): TandemError {
  return new TandemError('TD041', `${path} ${why}.`, {
    hint: 'Take this file from another copy of the backup.',
    ...(cause === undefined ? {} : { cause }),
  });
}
