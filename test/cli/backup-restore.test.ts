import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fewRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { eventShape, failureShape } from './json-shapes.ts';
import { eventsOf, lastEvent, tandem } from './tandem.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a backup and its restore', () => {
  const database = useDatabase(fewRows);
  const rowsOf = async (table: string) => {
    const { rows } = await database.pool.query<{ row: string }>(
      `SELECT t::text AS row FROM public.${table} t ORDER BY 1`,
    );
    return rows.map(({ row }) => row);
  };

  test.each([[[]], [['--gzip', '--workers', '1']]])('bring every row back: %j', async (options) => {
    const directory = join(folder, `round-trip-${options.length}`);
    await database.pool.query(
      `UPDATE public.messages SET content = E'quote " and '' and, comma\\nline\\ttab \\\\N ünïcødé' WHERE id = (SELECT id FROM public.messages LIMIT 1)`,
    );
    const before = [await rowsOf('sessions'), await rowsOf('messages')];
    const backup = await tandem(['backup', directory, '--json', ...options], { url: database.url });
    expect(backup).toMatchObject({ code: 0, stderr: '' });
    const events = eventsOf(backup.stdout);
    const done = events.pop();
    expect(done).toMatchObject({ event: 'done', ok: true, cutover_lock_ms: null });
    expect(done?.manifest).toEqual(JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')));
    const told = events.map((event) => eventShape.parse(event));
    expect(told.at(-1)).toMatchObject({
      event: 'step',
      name: 'backup',
      guide: '1',
      state: 'done',
      detail: '2,300 rows',
    });
    expect(told).toContainEqual(
      expect.objectContaining({ event: 'progress', subject: 'public.messages', done: 2_000 }),
    );

    await database.pool.query('TRUNCATE public.sessions CASCADE');
    const restore = await tandem(['restore', directory, '--yes', '--json'], { url: database.url });
    expect(restore).toMatchObject({ code: 0, stderr: '' });
    expect(lastEvent(restore.stdout)).toMatchObject({ event: 'done', ok: true, manifest: done?.manifest });
    expect([await rowsOf('sessions'), await rowsOf('messages')]).toEqual(before);
  });

  test('say to people what was written, and what was loaded', async () => {
    const directory = join(folder, 'plain');
    const backup = await tandem(['backup', directory], { url: database.url });
    expect(backup.stdout).toMatch(/^done {5}1 {2}Back up the tables into .*plain {2}\d+(\.\d)? s {2}2,300 rows$/m);
    expect(backup.stdout).toMatch(/^ {2}sessions_backup\.csv {2}300 rows {2}\d.* sha256 [0-9a-f]{16}…$/m);
    await database.pool.query('TRUNCATE public.sessions CASCADE');
    const restore = await tandem(['restore', directory, '--yes'], { url: database.url });
    expect(restore.stdout).toMatch(
      /^Restored:\n {2}public\.sessions {2}300 rows\n {2}public\.messages {2}2,000 rows$/m,
    );
  });

  test('are what migrate --backup-dir writes, too', async () => {
    const directory = join(folder, 'by-migrate');
    const args = ['migrate', '--yes', '--stop-before', 'cutover', '--backup-dir', directory, '--gzip'];
    expect((await tandem(args, { url: database.url })).code).toBe(0);
    expect((await readdir(directory)).sort()).toEqual([
      'manifest.json',
      'messages_backup.csv.gz',
      'sessions_backup.csv.gz',
    ]);
  });
});

describe('after finish', () => {
  const database = useDatabase(fewRows);

  test('rollback --from stands on the backup, and swaps only where it is told to', async () => {
    const directory = join(folder, 'only-the-backup');
    const run = (...args: string[]) => tandem([...args, '--yes', '--json'], { url: database.url });
    expect(await run('migrate', '--backup-dir', directory)).toMatchObject({ code: 0 });
    expect(await run('finish')).toMatchObject({ code: 0 });
    const kind = async () =>
      (await database.pool.query("SELECT relkind FROM pg_class WHERE oid = 'public.sessions'::regclass")).rows[0]
        ?.relkind;
    const restored = await run('rollback', '--from', directory);
    expect(restored).toMatchObject({ code: 0, stderr: '' });
    expect(eventsOf(restored.stdout).map((event) => event.event === 'done' || eventShape.parse(event))).toContainEqual(
      expect.objectContaining({ event: 'step', name: 'catch-up', state: 'done', detail: '0 rows differed' }),
    );
    expect(lastEvent(restored.stdout)).toMatchObject({ ok: true, phase: 'baking' });
    expect(await kind()).toBe('p');
    await database.pool.query("UPDATE public.sessions SET title = 'since'");
    expect(lastEvent((await run('rollback', '--from', directory, '--swap')).stdout)).toMatchObject({
      ok: true,
      phase: 'rolled_back',
    });
    expect(await kind()).toBe('r');
    expect((await database.pool.query('SELECT DISTINCT title FROM public.sessions')).rows).toEqual([
      { title: 'since' },
    ]);
    expect(await run('rollback', '--swap')).toMatchObject({ code: 2 });
    expect(await run('rollback', '--from', directory, '--keep')).toMatchObject({ code: 2 });
  });
});

describe('are refused', () => {
  const database = useDatabase(fewRows, { per: 'suite' });
  let directory: string;
  beforeAll(async () => {
    directory = join(folder, 'refused');
    expect((await tandem(['backup', directory], { url: database.url })).code).toBe(0);
  });

  const failing = async (...args: string[]) => {
    const { code, stdout, stderr } = await tandem([...args, '--json'], { url: database.url });
    expect(stderr).not.toMatch(/^\s+at /m);
    return { exit: code, ...failureShape.parse(lastEvent(stdout)) };
  };

  test('where the folder holds a backup', async () => {
    expect(await failing('backup', directory)).toMatchObject({ exit: 3, code: 'TD040' });
  });

  test('where the folder cannot be made', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    expect(await failing('backup', join(file, 'backup'))).toMatchObject({ exit: 4, code: 'TD042' });
  });

  test('where the tables hold rows', async () => {
    expect(await failing('restore', directory, '--yes')).toMatchObject({ exit: 3, code: 'TD043' });
  });

  test('where there is no backup', async () => {
    expect(await failing('restore', join(folder, 'nowhere'), '--yes')).toMatchObject({ exit: 1, code: 'TD041' });
  });

  test('where a file was cut short', async () => {
    await truncate(join(directory, 'messages_backup.csv'), 1_000);
    expect(await failing('restore', directory, '--yes')).toMatchObject({ exit: 1, code: 'TD041' });
  });
});
