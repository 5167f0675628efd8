import { describe, expect, test } from 'vitest';
import { fewRows, manyRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { eventShape, failureShape, migratedShape, statusShape, verifyShape } from './json-shapes.ts';
import { eventsOf, lastEvent, startTandem, tandem } from './tandem.ts';

const UNDONE_CODES = { verify: 'TD012', rollback: 'TD012', finish: 'TD012', cutover: 'TD012' };

describe('a run from the first command to the last', () => {
  const database = useDatabase(fewRows, { per: 'suite' });
  const run = (...args: string[]) => tandem(args, { url: database.url });
  const status = async () => statusShape.parse(JSON.parse((await run('status', '--json')).stdout));

  test('before it, there is nothing to verify, to go back from or to finish', async () => {
    expect(await status()).toMatchObject({ phase: 'none', steps: [], tables: [], holder: null });
    for (const [command, code] of Object.entries(UNDONE_CODES)) {
      const ended = await run(command, ...(command === 'verify' ? [] : ['--yes']), '--json');
      expect(ended.code).toBe(3);
      expect(failureShape.parse(lastEvent(ended.stdout))).toMatchObject({ code, cutover_lock_ms: null });
      expect(ended.stderr).toContain(`error ${code}: `);
    }
  });

  test('migrate --stop-before cutover does all but the swap', async () => {
    const { code, stdout, stderr } = await run('migrate', '--yes', '--json', '--stop-before', 'cutover');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const events = eventsOf(stdout);
    expect(migratedShape.parse(events.pop())).toMatchObject({ phase: 'ready', rows: 2_300, cutover_lock_ms: null });
    const told = events.map((event) => eventShape.parse(event));
    expect(told.flatMap((event) => (event.event === 'phase' ? [event.phase] : []))).toEqual([
      'copying',
      'draining',
      'ready',
    ]);
    expect(
      told.filter((event) => event.event === 'verified').map(({ rows, differences }) => [rows, differences]),
    ).toEqual([
      [300, 0],
      [2_000, 0],
    ]);
  });

  test('status tells phase, steps and tables', async () => {
    const { phase, steps, tables, cutover_at } = await status();
    expect({ phase, cutover_at }).toEqual({ phase: 'ready', cutover_at: null });
    expect(steps.find(({ name }) => name === 'enums')).toMatchObject({ guide: '2, 3', state: 'done' });
    expect(steps.find(({ name }) => name === 'cutover')).toMatchObject({ state: 'pending', elapsed_ms: null });
    expect(tables.map(({ source, rows, copied, lag }) => [source, rows, copied, lag])).toEqual([
      ['public.sessions', 300, 300, 0],
      ['public.messages', 2_000, 2_000, 0],
    ]);
    const shown = await run('status');
    expect(shown.stdout).toMatch(/^plan sessions {3}phase ready$/m);
    expect(shown.stdout).toMatch(/^ {2}✔ 2, 3 +Create the enums {2}/m);
    expect(shown.stdout).toMatch(/^ {2}public\.messages {2}100 % of 2,000 rows copied, 0 changes waiting$/m);
  });

  test('verify names table, key and column of a difference, and ends with 1', async () => {
    const good = await run('verify', '--json');
    expect(good.code).toBe(0);
    const document = verifyShape.parse(JSON.parse(good.stdout));
    expect(document).toMatchObject({ ok: true, phase: 'ready', findings: [] });
    expect(document.tables.map(({ table, rows, differences }) => [table, rows, differences])).toEqual([
      ['public.sessions', 300, []],
      ['public.messages', 2_000, []],
    ]);
    expect(Object.values(document.tables[0]?.partitions ?? {}).reduce((sum, rows) => sum + rows, 0)).toBe(300);

    const { rows } = await database.pool.query<{ id: string; title: string }>(
      'SELECT id, title FROM public.sessions ORDER BY id LIMIT 1',
    );
    const [{ id, title }] = [rows[0] ?? { id: '', title: '' }];
    const retitle = (to: string) =>
      database.pool.query('UPDATE tandem.sessions_partitioned SET title = $2 WHERE id = $1', [id, to]);
    await retitle('spoilt');
    const bad = await run('verify', '--json');
    expect(bad.code).toBe(1);
    const spoilt = verifyShape.parse(JSON.parse(bad.stdout));
    expect(spoilt.ok).toBe(false);
    expect(spoilt.tables[0]?.differences).toEqual([{ key: id, kind: 'changed', columns: ['title'] }]);
    expect(spoilt.findings[0]).toMatchObject({ severity: 'blocks', subject: 'public.sessions' });
    const shown = await run('verify');
    expect(shown.code).toBe(1);
    expect(shown.stdout).toContain(`blocks   public.sessions: row ${id} differs in title`);
    expect(shown.stdout).toMatch(/Not everything holds\.\n$/);

    const refused = await run('migrate', '--yes', '--json');
    expect(refused.code).toBe(1);
    expect(failureShape.parse(lastEvent(refused.stdout))).toMatchObject({ code: 'TD030', cutover_lock_ms: null });
    await retitle(title);
    expect((await run('verify')).stdout).toMatch(/Everything holds\.\n$/);
  });

  test('migrate swaps the names, and tells for how long it held the locks', async () => {
    const { code, stdout } = await run('migrate', '--yes', '--json');
    expect(code).toBe(0);
    const events = eventsOf(stdout);
    const done = migratedShape.parse(events.pop());
    expect(done).toMatchObject({ phase: 'baking', rows: 2_300 });
    expect(done.cutover_lock_ms).toBeGreaterThan(0);
    const cutover = events.map((event) => eventShape.parse(event)).find((event) => event.event === 'cutover');
    expect(cutover).toMatchObject({ direction: 'forward', lock_ms: done.cutover_lock_ms });
    const { phase, cutover_at, cutover_lock_ms } = await status();
    expect({ phase, done: cutover_at !== null }).toEqual({ phase: 'baking', done: true });
    expect(Math.abs((cutover_lock_ms ?? 0) - (done.cutover_lock_ms ?? 0))).toBeLessThan(0.1);
    expect((await run('verify')).code).toBe(0);
  });

  test('migrate once more has nothing left to do, and still knows the lock time', async () => {
    const { code, stdout } = await run('migrate', '--yes', '--json');
    expect(code).toBe(0);
    expect(migratedShape.parse(lastEvent(stdout)).cutover_lock_ms).toBeGreaterThan(0);
    const plain = await run('migrate', '--yes');
    expect(plain.stdout).toMatch(/^Migrated: 2,300 rows in .* locks held .* ms\./m);
    expect(plain.stdout).toMatch(/^done +5 +Swap the names {2}done before$/m);
  });

  test('rollback goes back to the flat tables', async () => {
    const { code, stdout } = await run('rollback', '--yes', '--json');
    expect(code).toBe(0);
    const events = eventsOf(stdout);
    const done = events.pop();
    expect(done).toMatchObject({ event: 'done', ok: true, phase: 'rolled_back' });
    expect(done?.cutover_lock_ms).toBeGreaterThan(0);
    const told = events.map((event) => eventShape.parse(event));
    expect(told).toContainEqual(expect.objectContaining({ event: 'cutover', direction: 'back' }));
    expect(told).toContainEqual(expect.objectContaining({ event: 'step', name: 'copy', state: 'reverted' }));
    expect((await status()).phase).toBe('rolled_back');
    expect((await run('rollback', '--yes')).code).toBe(3);
  });

  test('after another migrate, finish drops the old tables', async () => {
    expect((await run('migrate', '--yes')).code).toBe(0);
    const { code, stdout } = await run('finish', '--yes', '--json');
    expect(code).toBe(0);
    expect(lastEvent(stdout)).toEqual({ event: 'done', ok: true, cutover_lock_ms: null, phase: 'finished' });
    const { rows } = await database.pool.query("SELECT to_regnamespace('tandem') AS there");
    expect(rows).toEqual([{ there: null }]);
    expect((await status()).phase).toBe('finished');
    const verified = await run('verify', '--json');
    expect(verified.code).toBe(0);
    expect(verifyShape.parse(JSON.parse(verified.stdout))).toMatchObject({ ok: true, phase: 'finished', tables: [] });
    expect((await run('finish', '--yes')).code).toBe(3);
    expect((await run('migrate', '--yes')).stderr).toContain('TD012');
  });
});

describe('a run that is refused', () => {
  const database = useDatabase(fewRows);

  test('tells what blocks it, with a hint, and changes nothing', async () => {
    await database.pool.query(
      "UPDATE public.sessions SET status = 'open' WHERE id = (SELECT id FROM public.sessions LIMIT 1)",
    );
    const { code, stdout, stderr } = await tandem(['migrate', '--yes', '--json'], { url: database.url });
    expect(code).toBe(3);
    const events = eventsOf(stdout);
    expect(failureShape.parse(events.pop())).toMatchObject({
      code: 'TD011',
      detail: expect.stringMatching(/^public\.sessions: 1 row has a status that does not fit \('open'\)/),
    });
    expect(events).toEqual([expect.objectContaining({ event: 'finding', severity: 'blocks' })]);
    expect(stderr).toMatch(/^error TD011: 1 finding blocks the migration; nothing was changed\.$/m);
    const { rows } = await database.pool.query("SELECT to_regnamespace('tandem') AS there");
    expect(rows).toEqual([{ there: null }]);
  });

  test('names the other runner', async () => {
    expect((await tandem(['migrate', '--yes', '--stop-before', 'cutover'], { url: database.url })).code).toBe(0);
    const other = await database.connect();
    await other.query(`SELECT pg_advisory_lock(${0x74616e64}, 1);
      INSERT INTO tandem.runner (command, host, pid, backend_pid) VALUES ('migrate', 'db-7', 4711, pg_backend_pid())`);
    const refused = await tandem(['migrate', '--yes', '--json'], { url: database.url });
    expect(refused.code).toBe(3);
    expect(failureShape.parse(lastEvent(refused.stdout))).toMatchObject({
      code: 'TD010',
      message: expect.stringMatching(/`tandem migrate` on db-7 \(pid 4711, since /),
    });
    const { stdout } = await tandem(['status'], { url: database.url });
    expect(stdout).toMatch(/^held by `tandem migrate` on db-7, pid 4711, since /m);
  });
});

describe('a run that is told to stop', () => {
  const database = useDatabase(manyRows);
  const COPYING = '"name":"copy","guide":"5","title":"Copy the rows","state":"running"';

  test.each(['SIGINT', 'SIGTERM'] as const)('by %s says how to go on, and does', async (signal) => {
    const running = await startTandem(['migrate', '--yes', '--json', '--workers', '1'], { url: database.url });
    await running.untilPrinted(COPYING);
    running.process.kill(signal);
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(4);
    const failure = failureShape.parse(lastEvent(stdout));
    expect(failure).toMatchObject({ code: 'TD022', cutover_lock_ms: null });
    expect(stderr).toBe(
      `Stopping at the next batch; Ctrl-C again stops at once.\nstopped TD022: ${failure.message}\nhint: Run the same command again to go on.\n`,
    );
    const again = await tandem(['migrate', '--yes', '--json'], { url: database.url });
    expect(again.code).toBe(0);
    const { rows } = await database.pool.query<{ rows: number }>(
      'SELECT (SELECT count(*) FROM public.sessions)::int + (SELECT count(*) FROM public.messages)::int AS rows',
    );
    expect(migratedShape.parse(lastEvent(again.stdout))).toMatchObject({ phase: 'baking', rows: rows[0]?.rows });
    expect((await tandem(['verify'], { url: database.url })).code).toBe(0);
  });

  test('twice ends at once, with a last line all the same, and goes on later', async () => {
    // Held before its next batch, it would not come to a stop by itself for long.
    const blocker = await database.connect();
    const running = await startTandem(['migrate', '--yes', '--json'], { url: database.url });
    await running.untilPrinted('"name":"enums"');
    await blocker.query('BEGIN; LOCK TABLE public.messages IN ACCESS EXCLUSIVE MODE').catch(() => undefined);
    running.process.kill('SIGINT');
    running.process.kill('SIGTERM');
    running.process.kill('SIGINT');
    const { code, stdout, stderr } = await running.ended;
    await blocker.query('ROLLBACK');
    expect(code).toBe(4);
    expect(failureShape.parse(lastEvent(stdout)).code).toBe('TD022');
    expect(stderr).toMatch(/Run the same command again/);
    expect((await tandem(['migrate', '--yes'], { url: database.url })).code).toBe(0);
  });

  test('status --watch is ended by Ctrl-C, and that is no failure', async () => {
    const watching = await startTandem(['status', '--watch', '--json'], { url: database.url });
    await watching.untilPrinted('}\n');
    watching.process.kill('SIGINT');
    const { code, stdout, stderr } = await watching.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const line of stdout.trimEnd().split('\n')) expect(statusShape.parse(JSON.parse(line)).phase).toBe('none');
  });
});
