import { expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { restoreBackup } from '../../src/backup/restore.ts';
import { useDatabase } from '../support/database.ts';
import { named, sql, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();
const MEGABYTE = 1024 * 1024;

/** By how much the memory outside of V8's heap, where buffers are, grows at most while `work` runs. Bytes. */
async function peakOfBuffers(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers);
  }, 5);
  await work().finally(() => clearInterval(timer));
  return peak - before;
}

test('memory stays flat, however large the table is', async () => {
  await sql(
    database,
    'CREATE TABLE public.t AS SELECT i, repeat(md5(i::text), 30) AS pad FROM generate_series(1, 250000) i',
  );
  const directory = newDirectory();
  const growth = {
    backup: await peakOfBuffers(() => backupTables({ pool: database.pool, tables: [named('t')], directory })),
    gzip: await peakOfBuffers(() =>
      backupTables({ pool: database.pool, tables: [named('t')], directory: newDirectory(), gzip: true }),
    ),
    restore: 0,
  };
  await sql(database, 'TRUNCATE public.t');
  growth.restore = await peakOfBuffers(() => restoreBackup({ pool: database.pool, directory }));
  // The CSV has 240 MB; what grows is what waits for the garbage collector.
  for (const [work, bytes] of Object.entries(growth)) expect(bytes, work).toBeLessThan(100 * MEGABYTE);
});
