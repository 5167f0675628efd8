import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readBackupFigures } from '../../../../plans/sessions/keeper/backup-figures.ts';
import { listBackups, listDrills } from '../../../../plans/sessions/keeper/backup-records.ts';
import { backupTask } from '../../../../plans/sessions/keeper/backup-task.ts';
import { drillTask } from '../../../../plans/sessions/keeper/drill-task.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { type BackupSettings, backupsSchema } from '../../../../plans/sessions/keeper/monitoring-config.ts';
import { prepareDirectory } from '../../../../src/backup/directory.ts';
import { verifyBackup } from '../../../../src/backup/verify-backup.ts';
import type { Queryable } from '../../../../src/db/connect.ts';
import type { KeeperEvent } from '../../../../src/keeper/keeper.ts';
import { acquireLease, assertLease } from '../../../../src/keeper/lease.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, names, never } from './keeping.ts';

const database = useDatabase(idleSessions);
const free = async () => undefined;
let directory: string;
let events: KeeperEvent[];
beforeEach(async () => {
  await installKeeper(database.pool, names);
  directory = await mkdtemp(join(tmpdir(), 'tandem-backups-'));
  events = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

type Fence = (client: Queryable) => Promise<void>;
function settingsOf(more: Partial<BackupSettings> = {}): BackupSettings {
  const settings = backupsSchema.parse({ directory, keep: 2, ...more });
  if (settings === undefined) throw new Error('There are settings.');
  return settings;
}
const backUp = (more: Partial<BackupSettings> = {}, fence: Fence = free, signal = never()) =>
  backupTask({
    pool: database.pool,
    names,
    settings: settingsOf(more),
    log: (event) => events.push(event),
    host: 'here',
  }).run({
    signal,
    fence,
  });
const drill = (more: Partial<BackupSettings> = {}, fence: Fence = free) =>
  drillTask({ pool: database.pool, databaseUrl: database.url, settings: settingsOf(more), host: 'here' }).run({
    signal: never(),
    fence,
  });
/** As if everything had happened so long before. */
const later = (interval: string) =>
  database.pool.query(
    `WITH b AS (UPDATE keeper.backups SET started_at = started_at - $1::interval, ended_at = ended_at - $1::interval)
     UPDATE keeper.drills SET started_at = started_at - $1::interval, ended_at = ended_at - $1::interval`.replaceAll(
      '$1',
      `'${interval}'`,
    ),
  );
const records = async () => (await listBackups(database.pool, 20)).toReversed();
const folders = async () => (await readdir(directory)).sort();

test('a backup is made when the last one is old enough, and noted', async () => {
  expect(await backUp()).toMatch(/^225 rows in .*, 0 old ones removed$/);
  expect(await backUp()).toBeNull();
  const [made] = await records();
  expect(made).toMatchObject({ host: 'here', error: null, rows: 225, removed_at: null });
  const manifest = await verifyBackup(made?.directory ?? '');
  expect(manifest.tables.map((t) => t.file)).toEqual(made?.files);
  expect(manifest.tables.reduce((sum, t) => sum + t.bytes, 0)).toBe(made?.bytes);
  await later('23 hours 59 minutes');
  expect(await backUp()).toBeNull();
  await later('2 minutes');
  expect(await backUp()).not.toBeNull();
});

test('the rotation keeps the newest good ones, and what it did not make', async () => {
  for (const _ of [1, 2, 3, 4]) {
    await backUp();
    await later('25 hours');
    await writeFile(join(directory, 'notes.txt'), 'mine');
  }
  const made = await records();
  expect(made.map((row) => row.removed_at !== null)).toEqual([true, true, false, false]);
  expect(await folders()).toEqual(
    [...made.slice(2).map((row) => row.directory.slice(directory.length + 1)), 'notes.txt'].sort(),
  );
  // A file of somebody's in the next one that goes: it stays, with its folder.
  await writeFile(join(made[2]?.directory ?? '', 'mine.txt'), 'mine');
  await backUp();
  // Something else in the place of a backup is not removed, and said.
  await later('25 hours');
  await appendFile(join(made[3]?.directory ?? '', made[3]?.files[0] ?? ''), 'x');
  await backUp();
  expect(existsSync(join(made[2]?.directory ?? '', 'mine.txt'))).toBe(true);
  expect(existsSync(made[3]?.directory ?? '')).toBe(true);
  expect(events).toMatchObject([
    { event: 'error', message: expect.stringContaining('is not what the keeper put there') },
  ]);
});

test('the last good one stays, however many bad ones are newer', async () => {
  await backUp({ keep: 1 });
  const [good] = await records();
  await later('25 hours');
  // The next ones go missing, or do not come back.
  await backUp({ keep: 5 });
  await rename((await records())[1]?.directory ?? '', join(directory, 'moved'));
  await later('25 hours');
  await backUp({ keep: 5 });
  const third = (await records())[2];
  await database.pool.query(
    `INSERT INTO keeper.drills (backup_id, host, directory, place, ended_at, error) VALUES ($1, 'here', 'd', 'server', now(), 'no')`,
    [third?.id],
  );
  await later('25 hours');
  // With that one there are two that come back: the first is one of them.
  await backUp({ keep: 2 });
  expect((await records()).map((row) => row.removed_at !== null)).toEqual([false, false, false, false]);
  expect(existsSync(good?.directory ?? '')).toBe(true);
  await later('25 hours');
  await backUp({ keep: 2 });
  expect((await records()).map((row) => row.removed_at !== null)).toEqual([true, true, true, false, false]);
  expect(existsSync(good?.directory ?? '')).toBe(false);
  expect(existsSync(join(directory, 'moved'))).toBe(true);
});

test('without another good one, nothing is removed', async () => {
  await backUp({ keep: 1 });
  await later('25 hours');
  await backUp({ keep: 1 });
  await later('25 hours');
  const [, second] = await records();
  await rm(second?.directory ?? '', { recursive: true });
  await database.pool.query('UPDATE keeper.backups SET removed_at = NULL');
  // The first is gone already; the third is the one good one, and stays through the next rotation that it is not enough for.
  await backUp({ keep: 2 });
  const whole = (await records()).filter((row) => existsSync(row.directory));
  expect(whole.map((row) => row.id)).toEqual([3]);
});

test('a table of names in the database cannot have the keeper remove what is not its own', async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'tandem-elsewhere-'));
  await writeFile(join(elsewhere, 'sessions_backup.csv'), 'mine');
  await writeFile(join(directory, 'secret.txt'), 'mine');
  await database.pool.query(
    `INSERT INTO keeper.backups (host, directory, files, started_at, ended_at, bytes, rows, snapshot_at)
     VALUES ('here', $1, '{sessions_backup.csv}', now() - interval '9 days', now(), 1, 1, now()),
            ('here', $2, '{../secret.txt}', now() - interval '9 days', now(), 1, 1, now())`,
    [elsewhere, join(directory, 'x')],
  );
  await backUp({ keep: 1 });
  expect(existsSync(join(elsewhere, 'sessions_backup.csv'))).toBe(true);
  expect(existsSync(join(directory, 'secret.txt'))).toBe(true);
  await rm(elsewhere, { recursive: true });
});

test('a backup that fails leaves nothing, is noted, and is tried again after an hour', async () => {
  await database.pool.query('ALTER TABLE public.messages RENAME TO gone');
  await expect(backUp()).rejects.toThrow();
  expect(await folders()).toEqual([]);
  expect(await records()).toMatchObject([{ error: expect.stringContaining('messages'), bytes: null }]);
  expect(await readBackupFigures(database.pool)).toMatchObject({ lastSuccess: null, lastFailure: expect.any(Date) });
  await database.pool.query('ALTER TABLE public.gone RENAME TO messages');
  expect(await backUp()).toBeNull();
  await later('61 minutes');
  expect(await backUp()).not.toBeNull();
});

test('what a killed keeper left half done is taken away; what it had just finished is noted', async () => {
  await backUp();
  const [made] = await records();
  const half = join(directory, 'app-half');
  await prepareDirectory(half, ['sessions_backup.csv.gz']);
  await writeFile(join(half, 'sessions_backup.csv.gz.part'), 'half');
  await database.pool.query('UPDATE keeper.backups SET ended_at = NULL, bytes = NULL, rows = NULL, snapshot_at = NULL');
  await database.pool.query(
    `INSERT INTO keeper.backups (host, directory, files) VALUES ('here', $1, '{sessions_backup.csv.gz}')`,
    [half],
  );
  await later('25 hours');
  expect(await backUp()).toBeNull();
  expect(existsSync(half)).toBe(false);
  expect(await records()).toMatchObject([
    { error: null, bytes: made?.bytes, rows: 225 },
    { error: 'The keeper ended while it made this backup.' },
  ]);
});

test('who stops the keeper leaves no failure behind', async () => {
  const stop = new AbortController();
  stop.abort();
  await expect(backUp({}, free, stop.signal)).rejects.toMatchObject({ code: 'TD022' });
  expect(await records()).toEqual([]);
  expect(await folders()).toEqual([]);
});

test('a keeper that was taken over from notes no backup, and removes none', async () => {
  const { pool } = database;
  const epoch = (await acquireLease(pool, 'old')) ?? '';
  const fence: Fence = (client) => assertLease(client, epoch);
  await backUp({ keep: 1 }, fence);
  await later('25 hours');
  await backUp({ keep: 5 }, fence);
  await later('25 hours');
  await pool.query("UPDATE keeper.leader SET expires_at = '-infinity'");
  await acquireLease(pool, 'new');
  await expect(backUp({ keep: 1 }, fence)).rejects.toMatchObject({ code: 'TD021' });
  expect(await folders()).toHaveLength(2);
  expect(await records()).toHaveLength(2);
});

test('a drill restores the newest backup aside, and compares; not again before it is time', async () => {
  expect(await drill()).toBeNull();
  await backUp();
  expect(await drill()).toMatch(/^225 rows of .* came back as they were$/);
  expect(await drill()).toBeNull();
  expect(await listDrills(database.pool, 5)).toMatchObject([{ backup_id: 1, place: 'server', rows: 225, error: null }]);
  await later('7 days 1 minute');
  expect(await drill()).not.toBeNull();
  await later('8 days');
  expect(await drill({ drillEveryHours: null })).toBeNull();
});

test('a drill of a damaged backup fails, is noted, and is done again with the next backup', async () => {
  await backUp();
  const [made] = await records();
  await appendFile(join(made?.directory ?? '', made?.files[0] ?? ''), 'x');
  await expect(drill()).rejects.toMatchObject({ code: 'TD041' });
  expect(await readBackupFigures(database.pool)).toMatchObject({
    lastDrillSuccess: null,
    lastDrillFailure: expect.any(Date),
  });
  expect(await drill()).toBeNull();
  await later('25 hours');
  await backUp();
  expect(await drill()).not.toBeNull();
});

test('the scratch database of a drill that was killed is dropped, and no other one', async () => {
  const { pool } = database;
  const { rows } = await pool.query<{ name: string }>('SELECT current_database() AS name');
  const scratch = `tandem_drill_${Date.now().toString(16).padStart(10, '0').slice(-10)}`;
  await pool.query(`CREATE DATABASE ${scratch}`);
  await pool.query(
    `INSERT INTO keeper.drills (host, directory, place, scratch) VALUES ('here', 'd', 'server', $1), ('here', 'd', 'server', $2)`,
    [scratch, rows[0]?.name],
  );
  await drill();
  expect((await pool.query('SELECT FROM pg_database WHERE datname = $1', [scratch])).rowCount).toBe(0);
  expect(await listDrills(pool, 5)).toMatchObject([
    { error: 'The keeper ended during this drill.' },
    { error: expect.any(String) },
  ]);
});

test('a drill in a private server needs no right on this one', async () => {
  await backUp();
  expect(await drill({ drillIn: 'embedded' })).not.toBeNull();
  expect(await listDrills(database.pool, 1)).toMatchObject([{ place: 'embedded', error: null }]);
});
