import { spawn } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { verifyBackup } from '../../src/backup/verify-backup.ts';
import { useDatabase } from '../support/database.ts';
import { failureOf, named, sql, until, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();

const smallAndLarge = [named('small'), named('large')];
async function makeSmallAndLarge(): Promise<void> {
  await sql(
    database,
    `CREATE TABLE public.small AS SELECT 1 AS n;
     CREATE TABLE public.large AS SELECT i, repeat(md5(i::text), 15) AS pad FROM generate_series(1, 250000) i`,
  );
}

test('the signal ends it at once, and nothing is left, neither files nor sessions', async () => {
  await makeSmallAndLarge();
  const directory = newDirectory();
  const controller = new AbortController();
  const onProgress = ({ subject }: { subject: string }) => void (subject === 'public.large' && controller.abort());
  const began = Date.now();
  const options = { pool: database.pool, tables: smallAndLarge, directory, onProgress, signal: controller.signal };
  expect(await failureOf(backupTables(options))).toMatchObject({ code: 'TD022' });
  expect(Date.now() - began).toBeLessThan(5_000);
  expect(await readdir(directory)).toEqual([]);
  expect(await failureOf(verifyBackup(directory))).toMatchObject({ code: 'TD041' });
  // Its connections went with it; the pool goes on with new ones, and so does a rerun.
  expect((await backupTables({ pool: database.pool, tables: smallAndLarge, directory })).tables[1]?.rows).toBe(250_000);
});

test('a signal that fired before does nothing', async () => {
  await makeSmallAndLarge();
  const options = {
    pool: database.pool,
    tables: smallAndLarge,
    directory: newDirectory(),
    signal: AbortSignal.abort(),
  };
  expect(await failureOf(backupTables(options))).toMatchObject({ code: 'TD022' });
});

test('a connection that is lost on the way is TD021, and nothing is left', async () => {
  await makeSmallAndLarge();
  const directory = newDirectory();
  const admin = await database.connect();
  let ended: Promise<unknown> | null = null;
  const onProgress = () => {
    ended ??= admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tandem'",
    );
  };
  const failure = await failureOf(
    backupTables({ pool: database.pool, tables: [named('large')], directory, onProgress }),
  );
  expect(failure).toMatchObject({ code: 'TD021' });
  await ended;
  expect(await readdir(directory)).toEqual([]);
});

test('what a killed backup left is replaced by the next one, files of other tables too', async () => {
  await makeSmallAndLarge();
  const directory = newDirectory();
  const script = fileURLToPath(new URL('./run-backup.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'jiti/register', script, database.url, directory], {
    stdio: 'inherit',
  });
  const exited = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  const part = join(directory, 'large_backup.csv.part');
  while (child.exitCode === null && ((await stat(part).catch(() => null))?.size ?? 0) < 1_000_000) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  child.kill('SIGKILL');
  expect(await exited).toBe('SIGKILL');
  expect(await readdir(directory)).toContain('unfinished.json');
  expect(await readdir(directory)).toContain('large_backup.csv.part');
  expect(await failureOf(verifyBackup(directory))).toMatchObject({ code: 'TD041' });

  await writeFile(join(directory, 'small_backup.csv'), 'as if the killed one had finished this file');
  await backupTables({ pool: database.pool, tables: [named('large')], directory, gzip: true });
  expect((await readdir(directory)).toSorted()).toEqual(['large_backup.csv.gz', 'manifest.json']);
  expect((await verifyBackup(directory)).tables[0]?.rows).toBe(250_000);
});

test('a mark that Tandem did not write is no licence to replace files', async () => {
  await makeSmallAndLarge();
  const directory = newDirectory('.');
  await writeFile(join(directory, 'unfinished.json'), '{"files": ["small_backup.csv"]}');
  await writeFile(join(directory, 'small_backup.csv'), 'mine');
  const failure = await failureOf(backupTables({ pool: database.pool, tables: smallAndLarge, directory }));
  expect(failure).toMatchObject({ code: 'TD040' });
  expect(await readFile(join(directory, 'small_backup.csv'), 'utf8')).toBe('mine');
});

test('the wait for a lock ends with the signal', async () => {
  await makeSmallAndLarge();
  const holder = await database.connect();
  await holder.query('BEGIN; LOCK TABLE public.small IN ACCESS EXCLUSIVE MODE');
  const controller = new AbortController();
  const { signal } = controller;
  const backup = failureOf(
    backupTables({ pool: database.pool, tables: smallAndLarge, directory: newDirectory(), signal }),
  );
  await until(database, "SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.small'::regclass");
  controller.abort();
  expect(await backup).toMatchObject({ code: 'TD022' });
  await holder.query('ROLLBACK');
});
