import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { verifyBackup } from '../../src/backup/verify-backup.ts';
import { useDatabase } from '../support/database.ts';
import { failureOf, named, sql } from './fixtures.ts';

const database = useDatabase();
const disk = mkdtempSync(join(tmpdir(), 'tandem-small-disk-'));
const mounted = mountSmallDisk();
if (!mounted) console.error('SKIPPED: this user cannot mount a tmpfs, so a full disk is not tried.');

function mountSmallDisk(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tandem-test', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

afterAll(() => {
  if (mounted) execFileSync('umount', [disk]);
  rmdirSync(disk);
});

test.skipIf(!mounted).each([false, true])(
  'a full disk is named, cleared, and no hindrance once it has space (gzip: %s)',
  async (gzip) => {
    await sql(
      database,
      `CREATE TABLE public.small AS SELECT 1 AS n;
     CREATE TABLE public.large AS SELECT i, md5(i::text) || md5(-i || '') AS pad FROM generate_series(1, 100000) i`,
    );
    const directory = join(disk, `backup-${gzip}`);
    const options = { pool: database.pool, tables: [named('small'), named('large')], directory, gzip, workers: 1 };
    execFileSync('mount', ['-o', 'remount,size=2m', disk]);
    const failure = await failureOf(backupTables(options));
    expect(failure).toMatchObject({ code: 'TD042', hint: expect.stringContaining('free some space') });
    expect(failure.message).toContain(`large_backup.csv${gzip ? '.gz' : ''}`);
    expect(await readdir(directory)).toEqual([]);

    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    await backupTables(options);
    expect((await verifyBackup(directory)).tables.map(({ rows }) => rows)).toEqual([1, 100_000]);
    execFileSync('rm', ['-r', directory]);
  },
);
