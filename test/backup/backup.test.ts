import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { readManifest } from '../../src/backup/manifest.ts';
import { createPool } from '../../src/db/connect.ts';
import type { Progress } from '../../src/engine/progress.ts';
import { useDatabase } from '../support/database.ts';
import { failureOf, named, sql, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');

async function sessionsAndMessages(): Promise<void> {
  await sql(
    database,
    `CREATE TABLE public.sessions (id int PRIMARY KEY, title text);
     CREATE TABLE public.messages (id int PRIMARY KEY, session_id int REFERENCES public.sessions, content text);
     INSERT INTO public.sessions VALUES (1, 'one'), (2, NULL);
     INSERT INTO public.messages SELECT i, 1 + i % 2, E'line\\nof ' || i FROM generate_series(1, 50) i`,
  );
}
const both = [named('sessions'), named('messages')];

test('writes the files that the guide names, and a manifest that tells all of them', async () => {
  await sessionsAndMessages();
  const directory = newDirectory();
  const now = () => new Date('2026-02-03T04:05:06.789Z');
  const manifest = await backupTables({ pool: database.pool, tables: both, directory, now });
  expect((await readdir(directory)).toSorted()).toEqual([
    'manifest.json',
    'messages_backup.csv',
    'sessions_backup.csv',
  ]);
  const file = await readFile(join(directory, 'sessions_backup.csv'));
  expect(file.toString()).toBe('id,title\n1,one\n2,\n');
  expect(manifest).toMatchObject({ format: 'tandem-backup', version: 1, created_at: '2026-02-03T04:05:06.789Z' });
  expect(manifest.tables[0]).toEqual({
    schema: 'public',
    name: 'sessions',
    file: 'sessions_backup.csv',
    columns: [
      { name: 'id', type: 'integer' },
      { name: 'title', type: 'text' },
    ],
    rows: 2,
    bytes: file.length,
    sha256: sha256(file),
    csv_bytes: file.length,
    csv_sha256: sha256(file),
    compressed: false,
  });
  expect(manifest.tables[1]).toMatchObject({ name: 'messages', rows: 50 });
  const [server] = await sql(database, "SELECT current_setting('server_version') v, current_database() d");
  expect(manifest).toMatchObject({ server_version: server?.v, database: server?.d });
  expect(await readManifest(directory)).toEqual(manifest);
});

test('nobody but the owner can read the files', async () => {
  await sessionsAndMessages();
  const directory = newDirectory();
  await backupTables({ pool: database.pool, tables: both, directory });
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  for (const file of await readdir(directory)) expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
});

test('gzip holds the same CSV, and the manifest has the hashes of both', async () => {
  await sessionsAndMessages();
  const plain = await backupTables({ pool: database.pool, tables: both, directory: newDirectory() });
  const directory = newDirectory();
  const manifest = await backupTables({ pool: database.pool, tables: both, directory, gzip: true });
  const file = await readFile(join(directory, 'messages_backup.csv.gz'));
  const [, entry] = manifest.tables;
  expect(entry).toMatchObject({ compressed: true, bytes: file.length, sha256: sha256(file), rows: 50 });
  expect(entry).toMatchObject({ csv_bytes: plain.tables[1]?.bytes, csv_sha256: plain.tables[1]?.sha256 });
  expect(sha256(gunzipSync(file))).toBe(entry?.csv_sha256);
  expect(file.length).toBeLessThan(entry?.csv_bytes ?? 0);
});

test('tables of one name in two schemas have two files, and a table named twice has one', async () => {
  await sql(database, 'CREATE SCHEMA auth; CREATE TABLE auth.users (a int); CREATE TABLE public.users (b int)');
  const directory = newDirectory();
  const tables = [named('users'), { schema: 'auth', name: 'users' }, named('users')];
  const manifest = await backupTables({ pool: database.pool, tables, directory });
  expect(manifest.tables.map(({ file }) => file)).toEqual(['public.users_backup.csv', 'auth.users_backup.csv']);
  expect(await readFile(join(directory, 'auth.users_backup.csv'), 'utf8')).toBe('a\n');
});

test('a partitioned table is written with the rows of all partitions, but not beside one of them', async () => {
  await sql(
    database,
    `CREATE TABLE public.p (status text, n int) PARTITION BY LIST (status);
     CREATE TABLE public.p_a PARTITION OF public.p FOR VALUES IN ('a');
     CREATE TABLE public.p_rest PARTITION OF public.p DEFAULT;
     INSERT INTO public.p VALUES ('a', 1), ('b', 2), ('c', 3)`,
  );
  const manifest = await backupTables({ pool: database.pool, tables: [named('p')], directory: newDirectory() });
  expect(manifest.tables[0]?.rows).toBe(3);
  const directory = newDirectory();
  const failure = await failureOf(backupTables({ pool: database.pool, tables: [named('p'), named('p_a')], directory }));
  expect(failure).toMatchObject({ code: 'TD017' });
  expect(failure.message).toContain('public.p_a is a partition of public.p');
});

test('refuses what is not there, what is no table, and a table with heirs, and leaves no directory', async () => {
  await sql(
    database,
    'CREATE TABLE public.a (n int); CREATE TABLE public.heir () INHERITS (public.a); CREATE VIEW public.v AS SELECT 1',
  );
  const directory = newDirectory();
  const attempt = (name: string) => failureOf(backupTables({ pool: database.pool, tables: [named(name)], directory }));
  expect(await attempt('nothing')).toMatchObject({ code: 'TD005', message: 'There is no table public.nothing.' });
  expect(await attempt('v')).toMatchObject({ code: 'TD017', message: 'public.v is no table.' });
  expect(await attempt('a')).toMatchObject({ code: 'TD017' });
  expect(await failureOf(backupTables({ pool: database.pool, tables: [], directory }))).toMatchObject({
    code: 'TD008',
  });
  await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a directory that holds a backup is refused, and stays as it is', async () => {
  await sessionsAndMessages();
  const directory = newDirectory();
  const manifest = await backupTables({ pool: database.pool, tables: both, directory });
  await sql(database, 'DELETE FROM public.messages');
  const failure = await failureOf(backupTables({ pool: database.pool, tables: both, directory }));
  expect(failure).toMatchObject({ code: 'TD040', message: `${directory} already holds a backup.` });
  expect(await readManifest(directory)).toEqual(manifest);
  expect(sha256(await readFile(join(directory, 'messages_backup.csv')))).toBe(manifest.tables[1]?.sha256);
});

test('a file that somebody else wrote is not overwritten', async () => {
  await sessionsAndMessages();
  const directory = newDirectory();
  await mkdir(directory);
  await writeFile(join(directory, 'messages_backup.csv'), 'made by hand');
  await writeFile(join(directory, 'notes.txt'), 'in nobody’s way');
  const failure = await failureOf(backupTables({ pool: database.pool, tables: both, directory }));
  expect(failure).toMatchObject({ code: 'TD040' });
  expect(failure.message).toContain('messages_backup.csv');
  expect((await readdir(directory)).toSorted()).toEqual(['messages_backup.csv', 'notes.txt']);
  await backupTables({ pool: database.pool, tables: [named('sessions')], directory });
  expect(await readFile(join(directory, 'messages_backup.csv'), 'utf8')).toBe('made by hand');
});

test('a path that cannot be written to is named', async () => {
  await sessionsAndMessages();
  const directory = newDirectory();
  await writeFile(directory, 'a file');
  const failure = await failureOf(backupTables({ pool: database.pool, tables: both, directory }));
  expect(failure).toMatchObject({ code: 'TD042', hint: expect.stringContaining('directory') });
  expect(failure.message).toContain(directory);
});

test('a role that policies would filter is refused instead of losing rows', async () => {
  await sessionsAndMessages();
  await sql(
    database,
    `DROP ROLE IF EXISTS tandem_test_reader;
     CREATE ROLE tandem_test_reader;
     GRANT USAGE ON SCHEMA public TO tandem_test_reader;
     GRANT SELECT ON public.sessions TO tandem_test_reader;
     ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;
     CREATE POLICY own ON public.sessions USING (id = 1)`,
  );
  const reader = new URL(database.url);
  reader.searchParams.set('options', '-c role=tandem_test_reader');
  const pool = createPool(reader.href);
  try {
    const directory = newDirectory();
    const failure = await failureOf(backupTables({ pool, tables: [named('sessions')], directory }));
    expect(failure).toMatchObject({ code: 'TD006', detail: expect.stringContaining('row-level security') });
    expect(await readdir(directory)).toEqual([]);
    const noRight = await failureOf(backupTables({ pool, tables: [named('messages')], directory }));
    expect(noRight).toMatchObject({ code: 'TD006' });
  } finally {
    await pool.end();
    await sql(database, 'DROP OWNED BY tandem_test_reader; DROP ROLE tandem_test_reader');
  }
});

test('progress has a total from the start that holds, and ends at the true number', async () => {
  await sql(database, "CREATE TABLE public.t AS SELECT i, repeat('x', 500) FROM generate_series(1, 200000) i");
  const seen: Progress[] = [];
  const onProgress = (progress: Progress) => void seen.push(progress);
  await backupTables({ pool: database.pool, tables: [named('t')], directory: newDirectory(), onProgress });
  expect(seen.at(-1)).toMatchObject({ subject: 'public.t', unit: 'rows', done: 200_000, total: 200_000 });
  for (const { total, done } of seen) {
    // The table was never analyzed: the planner would say 1.7 million.
    expect(total).toBeGreaterThan(160_000);
    expect(total).toBeLessThan(240_000);
    expect(done).toBeLessThanOrEqual(total);
  }
  expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).toSorted((a, b) => a - b));
});
