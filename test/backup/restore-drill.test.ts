import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { type DrillOptions, restoreDrill } from '../../src/backup/restore-drill.ts';
import { useDatabase } from '../support/database.ts';
import { everyValue } from './every-value.ts';
import { failureOf, named, sql, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();

async function backUp(options: { gzip?: boolean } = {}): Promise<string> {
  await sql(
    database,
    `${everyValue}
     CREATE SCHEMA shop;
     CREATE TYPE shop.size AS ENUM ('s', 'm');
     CREATE DOMAIN shop.sizes AS shop.size[] CHECK (cardinality(VALUE) < 9);
     CREATE TYPE shop.span AS RANGE (subtype = float8);
     CREATE TABLE shop."Order ""1""" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sizes shop.sizes, span shop.span,
       label text GENERATED ALWAYS AS ('order ' || 'x') STORED);
     INSERT INTO shop."Order ""1""" (sizes, span) SELECT ARRAY['s', 'm']::shop.sizes, shop.span(i, i + 0.5) FROM generate_series(1, 50) i`,
  );
  const directory = newDirectory();
  const tables = [named('every_value'), { schema: 'shop', name: 'Order "1"' }];
  await backupTables({ pool: database.pool, tables, directory, ...options });
  return directory;
}

// The process's own folder for temporary files, so that what is left in it is what a drill left; removed with the test.
let temporary = '';
beforeEach(async () => {
  temporary = newDirectory('temporary');
  await mkdir(temporary);
  vi.stubEnv('TMPDIR', temporary);
});
afterEach(() => vi.unstubAllEnvs());

/** What a drill leaves behind, on the server and in the folder for temporary files. */
async function leftovers(): Promise<unknown[]> {
  const databases = await sql(database, "SELECT datname FROM pg_database WHERE starts_with(datname, 'tandem_drill_')");
  return [...databases, ...(await readdir(temporary)).filter((name) => name.startsWith('tandem-drill-'))];
}

const onServer = (directory: string, more: Partial<DrillOptions> = {}): DrillOptions => ({
  directory,
  place: { kind: 'server', databaseUrl: database.url },
  source: database.pool,
  ...more,
});

describe.each([false, true])('gzip: %s', (gzip) => {
  test('every value comes back, in types that the scratch database copies from the source', async () => {
    const directory = await backUp({ gzip });
    const scratch: string[] = [];
    const drill = await restoreDrill(onServer(directory, { onScratch: (name) => scratch.push(name) }));
    expect(drill.tables.map(({ table, rows }) => [table, rows])).toEqual([
      ['public.every_value', 39],
      ['shop."Order ""1"""', 50],
    ]);
    expect(drill.asText.map(({ type }) => type)).toEqual(expect.arrayContaining(['regclass', 'shop.span']));
    // What it can copy it does: an enum, a composite, a domain over an array of an enum.
    for (const type of ['public.mood', 'public.pair', 'shop.sizes'])
      expect(drill.asText.map((t) => t.type)).not.toContain(type);
    expect(scratch).toHaveLength(1);
    expect(await leftovers()).toEqual([]);
  });
});

test('in a private server, with no source to ask', async () => {
  // The server may run as another user, to whom the folder of this test is closed.
  vi.unstubAllEnvs();
  const directory = await backUp();
  const drill = await restoreDrill({ directory, place: { kind: 'embedded' }, source: null });
  expect(drill.tables.map(({ rows }) => rows)).toEqual([39, 50]);
  expect(drill.asText.map(({ type }) => type)).toContain('public.mood');
});

describe('a damaged backup is refused before anything is made', () => {
  const last = (csv: string) => csv.trimEnd().split('\n').at(-1) ?? '';
  test.each<[string, (csv: string) => string]>([
    ['cut short', (csv) => csv.slice(0, -20)],
    ['altered', (csv) => csv.replace('order x', 'order y')],
    ['reordered', (csv) => csv.replace(`${last(csv)}\n`, '').replace('\n', `\n${last(csv)}\n`)],
  ])('%s', async (_, change) => {
    const directory = await backUp();
    const file = join(directory, 'Order %221%22_backup.csv');
    const csv = await readFile(file, 'utf8');
    expect(change(csv)).not.toBe(csv);
    await writeFile(file, change(csv));
    const scratch: string[] = [];
    const failure = await failureOf(restoreDrill(onServer(directory, { onScratch: (name) => scratch.push(name) })));
    expect(failure).toMatchObject({ code: 'TD041', exitCode: 1, message: expect.stringContaining(file) });
    expect(scratch).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });
});

test('a backup that its manifest vouches for, but no table takes', async () => {
  const directory = await backUp();
  const path = join(directory, 'manifest.json');
  await writeFile(path, (await readFile(path, 'utf8')).replace('"type": "text"', '"type": "integer"'));
  expect(await failureOf(restoreDrill(onServer(directory)))).toMatchObject({ code: 'TD044', exitCode: 1 });
  expect(await leftovers()).toEqual([]);
});

test('a backup that would come back otherwise: the type reads a value as another one', async () => {
  const directory = await backUp();
  const path = join(directory, 'manifest.json');
  const manifest = await readFile(path, 'utf8');
  // '1.5000' as it was backed up; numeric(12,1) reads it without complaint, and writes 1.5.
  await writeFile(path, manifest.replace('"numeric(12,4)"', '"numeric(12,1)"'));
  const failure = await failureOf(restoreDrill(onServer(directory)));
  expect(failure).toMatchObject({ code: 'TD044', message: expect.stringContaining('every_value_backup.csv') });
  expect(await leftovers()).toEqual([]);
});

test('a role that may not create databases is told of --embedded', async () => {
  const directory = await backUp();
  await sql(database, "CREATE ROLE drill_nobody LOGIN PASSWORD 'x'");
  try {
    const url = new URL(database.url);
    url.username = 'drill_nobody';
    url.password = 'x';
    const place = { kind: 'server', databaseUrl: url.href } as const;
    const failure = await failureOf(restoreDrill(onServer(directory, { place })));
    expect(failure).toMatchObject({ code: 'TD006', hint: expect.stringContaining('--embedded') });
  } finally {
    await sql(database, 'DROP ROLE drill_nobody');
  }
});

test('an interrupted drill leaves nothing behind', async () => {
  const directory = await backUp();
  const stop = new AbortController();
  const failure = await restoreDrill(onServer(directory, { onScratch: () => stop.abort(), signal: stop.signal })).then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(Error);
  expect(await leftovers()).toEqual([]);
});
