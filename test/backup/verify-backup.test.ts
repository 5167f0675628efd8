import { createHash } from 'node:crypto';
import { copyFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { restoreBackup } from '../../src/backup/restore.ts';
import { verifyBackup } from '../../src/backup/verify-backup.ts';
import { useDatabase } from '../support/database.ts';
import { failureOf, named, sql, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();

async function backUp(gzip: boolean): Promise<{ directory: string; file: string }> {
  await sql(
    database,
    `CREATE TABLE public.words AS SELECT i, 'word ' || i AS word FROM generate_series(10, 99) i;
     CREATE TABLE public.other AS TABLE public.words`,
  );
  const directory = newDirectory();
  await backupTables({ pool: database.pool, tables: [named('words'), named('other')], directory, gzip });
  return { directory, file: join(directory, `words_backup.csv${gzip ? '.gz' : ''}`) };
}

/** Refused by the check, and by a restore before it touches a table: they are not even there to restore into. */
async function expectRefused(directory: string, file: string, message: RegExp): Promise<void> {
  const failure = await failureOf(verifyBackup(directory));
  expect(failure).toMatchObject({ code: 'TD041', message: expect.stringMatching(message) });
  expect(failure.message).toContain(file);
  expect(failure.hint).toBeTruthy();
  await sql(database, 'DROP TABLE public.words, public.other');
  expect(await failureOf(restoreBackup({ pool: database.pool, directory }))).toMatchObject({ code: 'TD041' });
}

describe.each([false, true])('gzip: %s', (gzip) => {
  async function rewrite(file: string, change: (csv: string) => string): Promise<void> {
    const content = await readFile(file);
    const csv = change((gzip ? gunzipSync(content) : content).toString());
    await writeFile(file, gzip ? gzipSync(csv) : csv);
  }

  test('a whole backup passes', async () => {
    const { directory } = await backUp(gzip);
    const manifest = await verifyBackup(directory);
    expect(manifest.tables.map(({ name, rows }) => [name, rows])).toEqual([
      ['words', 90],
      ['other', 90],
    ]);
    expect((await verifyBackup(directory, { tables: [named('other')] })).tables).toHaveLength(1);
    expect(await failureOf(verifyBackup(directory, { tables: [named('no')] }))).toMatchObject({ code: 'TD008' });
  });

  test('a file that is cut short', async () => {
    const { directory, file } = await backUp(gzip);
    await truncate(file, (await readFile(file)).length - 8);
    await expectRefused(directory, file, /cut short/);
  });

  test('a file that has a byte more', async () => {
    const { directory, file } = await backUp(gzip);
    await writeFile(file, '\n', { flag: 'a' });
    await expectRefused(directory, file, /altered/);
  });

  test('a file with one value changed', async () => {
    const { directory, file } = await backUp(gzip);
    await rewrite(file, (csv) => csv.replace('word 42', 'word 24'));
    await expectRefused(directory, file, /altered/);
  });

  test('a file whose rows changed places', async () => {
    const { directory, file } = await backUp(gzip);
    await rewrite(file, (csv) => csv.replace('10,word 10\n11,word 11\n', '11,word 11\n10,word 10\n'));
    await expectRefused(directory, file, /altered/);
  });

  test('a file with a flipped bit', async () => {
    const { directory, file } = await backUp(gzip);
    const content = await readFile(file);
    content.writeUInt8(content.readUInt8(content.length >> 1) ^ 4, content.length >> 1);
    await writeFile(file, content);
    await expectRefused(directory, file, /altered/);
  });

  test('a file that is missing', async () => {
    const { directory, file } = await backUp(gzip);
    await rm(file);
    await expectRefused(directory, file, /missing/);
  });

  test('a NUL character, even where the manifest vouches for it', async () => {
    const { directory, file } = await backUp(gzip);
    await rewrite(file, (csv) => csv.replace('word 12', 'word\u000012'));
    await vouchFor(directory, file, gzip);
    await expectRefused(directory, file, /NUL character in line 4/);
  });

  test('a row less, even where the manifest vouches for the bytes', async () => {
    const { directory, file } = await backUp(gzip);
    await rewrite(file, (csv) => csv.replace('12,word 12\n', ''));
    await vouchFor(directory, file, gzip);
    await expectRefused(directory, file, /has 89 rows/);
  });
});

/** Rewrites size and hashes in the manifest to what the file has now. */
async function vouchFor(directory: string, file: string, gzip: boolean): Promise<void> {
  const manifestPath = join(directory, 'manifest.json');
  const manifest = JSON.parse(await readFile(manifestPath, 'utf8'));
  const content = await readFile(file);
  const csv = gzip ? gunzipSync(content) : content;
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  Object.assign(manifest.tables[0], { bytes: content.length, sha256: sha256(content) });
  Object.assign(manifest.tables[0], { csv_bytes: csv.length, csv_sha256: sha256(csv) });
  await writeFile(manifestPath, JSON.stringify(manifest));
}

describe('the manifest', () => {
  async function withManifest(change: (text: string) => string): Promise<{ directory: string; path: string }> {
    const { directory } = await backUp(false);
    const path = join(directory, 'manifest.json');
    await writeFile(path, change(await readFile(path, 'utf8')));
    return { directory, path };
  }

  test.each<[string, (text: string) => string, RegExp]>([
    ['cut short', (text) => text.slice(0, 200), /no JSON/],
    ['without a field', (text) => text.replace(/"rows": 90,/, ''), /not a manifest/],
    ['of a later format', (text) => text.replace('"version": 1', '"version": 2'), /format version 2/],
    ['that leads out of the directory', (text) => text.replace('words_backup', '../words_backup'), /not a manifest/],
  ])('%s is refused', async (_, change, message) => {
    const { directory, path } = await withManifest(change);
    await expectRefused(directory, path, message);
  });

  test('two files that changed places are refused', async () => {
    const { directory, file } = await backUp(false);
    await sql(database, "INSERT INTO public.other VALUES (100, 'one more')");
    const second = newDirectory();
    await backupTables({ pool: database.pool, tables: [named('words'), named('other')], directory: second });
    await copyFile(join(second, 'other_backup.csv'), file);
    await expectRefused(directory, file, /altered/);
  });

  test('a directory without one holds no backup', async () => {
    expect(await failureOf(verifyBackup(newDirectory()))).toMatchObject({
      code: 'TD041',
      message: expect.stringContaining('no finished backup'),
    });
  });
});
