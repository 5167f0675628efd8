import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { flat } from '../plans/sessions/fixtures.ts';
import { idleSessions, idOf, statusOf } from '../plans/sessions/keeper/keeping.ts';
import { createTestDatabase, useDatabase } from '../support/database.ts';
import { ensureBuilt } from './build.ts';
import { eventsOf, startTandem, tandem } from './tandem.ts';

const database = useDatabase(idleSessions);
beforeAll(ensureBuilt);
const on = (...args: string[]) => tandem(args, { url: database.url });
const json = async (...args: string[]) => JSON.parse((await on(...args)).stdout);

test('archive says what is due, moves it, and undo brings it back', async () => {
  expect(await json('archive', '--dry-run', '--json')).toMatchObject({
    dry_run: true,
    policy: { archiveAfterDays: 90, deleteAfterDays: null, purgeAfterDays: null },
    due: [{ transition: 'archived', sessions: 6 }],
  });
  expect(await statusOf(database.pool, idOf('active', 10))).toBe('active');
  // Nobody can be asked here.
  expect(await on('archive')).toMatchObject({ code: 3, stderr: expect.stringContaining('TD013') });
  const archived = await on('archive', '--yes');
  expect(archived).toMatchObject({ code: 0, stdout: expect.stringContaining('run 1: 6 archived') });
  expect(await statusOf(database.pool, idOf('active', 10))).toBe('archived');
  expect(await json('undo', '--yes', '--json')).toEqual({ run: 1, restored: 6, left: 0, busy: 0, kept: 0, purged: 0 });
  expect(await on('undo', '--yes')).toMatchObject({ code: 3, stderr: expect.stringContaining('no run to undo') });
});

test('a stricter plan file is put into force only by the number of sessions that it moves', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-'));
  const plan = join(directory, 'tandem.config.json');
  await writeFile(plan, JSON.stringify({ archiving: { archiveAfterDays: 9 } }));
  const listed = (await on('archive', '--plan', plan, '--dry-run', '--list')).stdout.trim().split('\n');
  expect(listed.toSorted()).toEqual(
    Array.from({ length: 10 }, (_, i) => `archived ${idOf('active', i + 1)}`).toSorted(),
  );
  for (const args of [
    ['archive', '--yes'],
    ['archive', '--yes', '--affected', '9'],
    ['serve', '--listen', '127.0.0.1:0'],
  ])
    expect(await on(...args, '--plan', plan)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('10 sessions'),
    });
  expect(await on('archive', '--plan', plan, '--yes', '--affected', '10')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('10 archived'),
  });
  await rm(directory, { recursive: true });
});

test('refresh folds and refreshes, and counts every session anew where it is asked to', async () => {
  expect(await json('refresh', '--json')).toMatchObject({ mode: 'concurrent', rows: 3, recount: null });
  await database.pool.query('DELETE FROM private.session_rollup WHERE session_id = $1', [idOf('active', 3)]);
  const recounted = await on('refresh', '--recount');
  expect(recounted).toMatchObject({ code: 0, stdout: expect.stringContaining('1 had wrong figures') });
  expect(recounted.stdout).toContain('session_stats: 3 rows');
  expect(await json('refresh', '--recount', '--json')).toMatchObject({ recount: { sessions: 30, drifted: 0 } });
});

test('pause and throttle hold the keeper back where no run is open', async () => {
  expect(await on('pause')).toMatchObject({ code: 3 });
  await on('hold');
  expect(await on('pause')).toMatchObject({ code: 0, stdout: expect.stringContaining('lets the keeper go on') });
  expect(await on('throttle', 'max-active=20')).toMatchObject({ code: 0 });
  const { rows } = await database.pool.query('SELECT paused, max_active FROM keeper.control');
  expect(rows).toEqual([{ paused: true, max_active: 20 }]);
  expect(await on('resume')).toMatchObject({ code: 0, stdout: 'Going on.\n' });
});

test('hold wants a reason and a session, and release ends it', async () => {
  const id = idOf('active', 10);
  expect(await on('hold', id)).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') });
  expect(await on('hold', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining("no session's id") });
  expect(await on('hold', id, '--reason', 'a dispute')).toMatchObject({ code: 0 });
  expect(await json('hold', '--json')).toMatchObject({ holds: [{ session_id: id, reason: 'a dispute' }] });
  expect(await json('archive', '--yes', '--json')).toMatchObject({ run: { archived: 5 } });
  expect(await on('release', id)).toMatchObject({ code: 0 });
  expect((await on('hold')).stdout).toBe('No session is held.\n');
});

test('serve works until it is told to end, and says so for Prometheus', async () => {
  const serving = await startTandem(['serve', '--listen', '127.0.0.1:0'], { url: database.url });
  await serving.untilPrinted('"task":"archive"');
  await serving.untilPrinted('"task":"refresh"');
  await serving.untilPrinted('"task":"search-words"');
  const [listening] = eventsOf(serving.printed());
  const metrics = await (await fetch(`${listening?.['url']}/metrics`)).text();
  expect(metrics).toContain('tandem_leader 1');
  expect(metrics).toContain('tandem_archive_sessions_total{transition="archived"} 6');
  expect(metrics).toContain('tandem_partition_rows{status="archived"}');
  serving.process.kill('SIGTERM');
  expect(await serving.ended).toMatchObject({ code: 0, stderr: '' });
  const { rows } = await database.pool.query('SELECT holder FROM keeper.leader');
  expect(rows).toEqual([{ holder: null }]);
});

test('before the migration, the keeper refuses', async () => {
  const flatDatabase = await createTestDatabase(flat);
  expect(await tandem(['refresh'], { url: flatDatabase.url })).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('is not partitioned by status yet'),
  });
  await flatDatabase.drop();
});

test('serve may be there before the migration: the keeper begins with the cutover, and rests after a rollback', async () => {
  const flatDatabase = await createTestDatabase(flat);
  const serving = await startTandem(['serve', '--listen', '127.0.0.1:0'], { url: flatDatabase.url });
  await serving.untilPrinted('"event":"listening"');
  const [listening] = eventsOf(serving.printed());
  const phase = async () => Object(await (await fetch(`${listening?.['url']}/api/overview`)).json()).phase;
  expect(await phase()).toBe('none');
  expect(serving.printed()).not.toContain('"leader"');
  expect(await tandem(['migrate', '--yes'], { url: flatDatabase.url })).toMatchObject({ code: 0 });
  await serving.untilPrinted('"event":"leader"');
  expect(await phase()).toBe('baking');
  // While the keeper brings the retired tables up to date, it holds the run for a moment.
  await vi.waitFor(
    async () => expect(await tandem(['rollback', '--yes'], { url: flatDatabase.url })).toMatchObject({ code: 0 }),
    { timeout: 60_000 },
  );
  await serving.untilPrinted('"event":"rolled back"');
  expect(await phase()).toBe('rolled_back');
  serving.process.kill('SIGTERM');
  expect(await serving.ended).toMatchObject({ code: 0 });
  await flatDatabase.drop();
});
