import { createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { PoolClient } from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { OnProgress } from '../engine/progress.ts';
import { PRIVATE_FILE, partOf } from './atomic-file.ts';
import { ByteDigest } from './byte-digest.ts';
import { CsvRows } from './csv-rows.ts';
import { backupFailure, writeFailure } from './failures.ts';
import type { ManifestTable } from './manifest.ts';
import { progressMeter } from './progress-meter.ts';
import type { TableSize } from './table-size.ts';
import { tap } from './tap.ts';

export interface CopyOut {
  readonly table: QualifiedName;
  readonly directory: string;
  readonly file: string;
  readonly gzip: boolean;
  readonly size: TableSize;
  readonly onProgress?: OnProgress | undefined;
  readonly signal: AbortSignal;
}

export type WrittenFile = Pick<ManifestTable, 'rows' | 'bytes' | 'sha256' | 'csv_bytes' | 'csv_sha256'>;

/**
 * Streams one table into one file, `COPY (SELECT * FROM "public"."sessions") TO STDOUT WITH (FORMAT csv, HEADER)`: the
 * bytes that psql's `\copy` writes. The file has its name only when it is complete and on disk.
 *
 * @throws TD042 where the file cannot be written; TD006, TD021, TD022 as their names say
 */
export async function copyOut(client: PoolClient, copy: CopyOut): Promise<WrittenFile> {
  const path = join(copy.directory, copy.file);
  const csv = new CsvRows();
  const csvDigest = new ByteDigest();
  const fileDigest = new ByteDigest();
  const meter = progressMeter(copy.onProgress, {
    subject: displayName(copy.table),
    unit: 'rows',
    total: copy.size.estimatedRows,
  });
  const count = tap((chunk) => {
    csv.push(chunk);
    csvDigest.push(chunk);
    meter.advance(csv.rows);
  });
  // Opened with `wx`: what is there already belongs to somebody else.
  const file = createWriteStream(partOf(path), { flags: 'wx', mode: PRIVATE_FILE, flush: true });
  const source = client.query(
    copyTo(`COPY (SELECT * FROM ${quoteName(copy.table)}) TO STDOUT WITH (FORMAT csv, HEADER)`),
  );
  // It may fail once more after the pipeline has ended, when its connection is closed.
  source.on('error', () => undefined);
  try {
    const compress = copy.gzip ? [createGzip(), tap((chunk) => fileDigest.push(chunk))] : [];
    await pipeline([source, count, ...compress, file], { signal: copy.signal });
    await rename(partOf(path), path);
  } catch (error) {
    if (copy.signal.aborted) throw backupFailure(error, displayName(copy.table), copy.signal);
    throw writeFailure(error, path) ?? backupFailure(error, displayName(copy.table), copy.signal);
  }
  await assertServerCounted(client, source, csv, copy.table);
  meter.finish(csv.rows);
  const csvPart = { csv_bytes: csvDigest.bytes, csv_sha256: csvDigest.sha256() };
  const filePart = copy.gzip
    ? { bytes: fileDigest.bytes, sha256: fileDigest.sha256() }
    : { bytes: csvPart.csv_bytes, sha256: csvPart.csv_sha256 };
  return { rows: csv.rows, ...filePart, ...csvPart };
}

/** Two counts that were made apart: by the server, and of the records in the file. */
async function assertServerCounted(
  client: PoolClient,
  source: ReturnType<typeof copyTo>,
  csv: CsvRows,
  table: QualifiedName,
): Promise<void> {
  // The server's count comes after the last row; an answer to the next statement means that it has come.
  await client.query('SELECT');
  if (csv.complete && source.rowCount === csv.rows) return;
  throw new TandemError(
    'TD099',
    `The server sent ${source.rowCount} rows of ${displayName(table)}; the file has ${csv.rows}.`,
  );
}
