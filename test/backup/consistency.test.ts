import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { joinSnapshot, withSnapshot } from '../../src/backup/snapshot.ts';
import { createPool } from '../../src/db/connect.ts';
import { useDatabase } from '../support/database.ts';
import { failureOf, named, sql, until, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();

/** Two tables whose values add up to 0, and a writer that keeps moving value from the first to the second. */
async function withTransfers(work: (transfers: () => number) => Promise<void>): Promise<void> {
  await sql(
    database,
    `CREATE TABLE public.debit AS SELECT i AS id, 0 AS value, repeat('x', 400) AS pad FROM generate_series(1, 40000) i;
     CREATE TABLE public.credit AS TABLE public.debit;
     ALTER TABLE public.debit ADD PRIMARY KEY (id);
     ALTER TABLE public.credit ADD PRIMARY KEY (id)`,
  );
  const writer = await database.connect();
  let transfers = 0;
  let running = true;
  const writing = (async () => {
    while (running) {
      const id = 1 + ((transfers * 7919) % 40_000);
      await writer.query('BEGIN');
      await writer.query('UPDATE public.debit SET value = value - 1 WHERE id = $1', [id]);
      await writer.query('UPDATE public.credit SET value = value + 1 WHERE id = $1', [id]);
      await writer.query('COMMIT');
      transfers++;
    }
  })();
  try {
    await work(() => transfers);
  } finally {
    running = false;
    await writing;
  }
}

async function sumOf(directory: string, name: string): Promise<number> {
  const lines = (await readFile(join(directory, `${name}_backup.csv`), 'utf8')).trimEnd().split('\n').slice(1);
  return lines.reduce((sum, line) => sum + Number(line.split(',')[1]), 0);
}

test.each([1, 2])('all files show one moment while another client writes (workers: %i)', async (workers) => {
  await withTransfers(async (transfers) => {
    const directory = newDirectory();
    const before = transfers();
    const tables = [named('debit'), named('credit')];
    await backupTables({ pool: database.pool, tables, directory, workers });
    expect(transfers() - before).toBeGreaterThan(10);
    const [debit, credit] = [await sumOf(directory, 'debit'), await sumOf(directory, 'credit')];
    expect(debit).toBeLessThanOrEqual(0);
    expect(debit + credit).toBe(0);
  });
});

test('tables are copied side by side', async () => {
  await sql(
    database,
    "CREATE TABLE public.a AS SELECT i, repeat('x', 400) FROM generate_series(1, 300000) i; CREATE TABLE public.b AS TABLE public.a",
  );
  const order: string[] = [];
  const onProgress = ({ subject }: { subject: string }) => void order.push(subject);
  await backupTables({ pool: database.pool, tables: [named('a'), named('b')], directory: newDirectory(), onProgress });
  const [first] = order;
  // One after the other, the table that was reported first would not be heard of again after the other.
  expect(order.slice(order.findIndex((subject) => subject !== first))).toContain(first);
});

test('one connection is enough', async () => {
  await sql(
    database,
    'CREATE TABLE public.a AS SELECT 1 n; CREATE TABLE public.b AS SELECT 2 n; CREATE TABLE public.c AS SELECT 3 n',
  );
  const pool = createPool(database.url, { max: 3 });
  const held = [await pool.connect(), await pool.connect()];
  try {
    const tables = [named('a'), named('b'), named('c')];
    const manifest = await backupTables({ pool, tables, directory: newDirectory(), workers: 3 });
    expect(manifest.tables.map(({ rows }) => rows)).toEqual([1, 1, 1]);
  } finally {
    for (const client of held) client.release();
    await pool.end();
  }
});

test('a table that is emptied at the same moment is seen as the rest of the snapshot tells it', async () => {
  await sql(
    database,
    'CREATE TABLE public.archive (n int); CREATE TABLE public.live AS SELECT generate_series(1, 5) n',
  );
  const mover = await database.connect();
  await mover.query('BEGIN');
  await mover.query('INSERT INTO public.archive TABLE public.live');
  await mover.query('TRUNCATE public.live');
  const tables = [named('archive'), named('live')];
  const backup = backupTables({ pool: database.pool, tables, directory: newDirectory() });
  await until(database, "SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.live'::regclass");
  await mover.query('COMMIT');
  // TRUNCATE does not respect snapshots: taken before the lock, this one would show both tables empty.
  expect((await backup).tables.map(({ rows }) => rows)).toEqual([5, 0]);
});

test('a helper gives up rather than wait for somebody who waits for the backup', async () => {
  await sql(database, 'CREATE TABLE public.t (n int)');
  const changer = await database.connect();
  const { signal } = new AbortController();
  await withSnapshot(database.pool, [named('t')], signal, async (_client, snapshot) => {
    const altered = changer.query('ALTER TABLE public.t ADD COLUMN m int');
    await until(database, "SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.t'::regclass");
    const joined = joinSnapshot(database.pool, [named('t')], snapshot, signal, async () => undefined);
    expect(await failureOf(joined)).toMatchObject({ code: 'TD020' });
    altered.catch(() => undefined);
  });
});
