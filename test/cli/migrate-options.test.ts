import { describe, expect, test } from 'vitest';
import { readControl } from '../../src/engine/control.ts';
import { fewRows } from '../engine/flat-database.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { contentOf } from './fixtures.ts';
import { inProcess } from './in-process.ts';
import { planShape } from './json-shapes.ts';

const database = useDatabase(fewRows);
const run = (...args: string[]) => inProcess(args, { url: database.url });

describe('migrate --dry-run', () => {
  test('prints what plan prints, and leaves catalog and rows as they were, before a run and while one is suspended', async () => {
    const session = await database.connect();
    for (const suspended of [false, true]) {
      if (suspended) await tandemOn(database).migrateUpTo('drain');
      const before = await contentOf(session);
      const dry = await run('migrate', '--dry-run', '--workers', '3');
      expect(dry).toEqual(await run('plan', '--workers', '3'));
      expect(dry).toMatchObject({ code: 0, stderr: '' });
      expect(dry.stdout).not.toContain('"public"');
      expect(dry.stdout).toContain(suspended ? 'A run is open, and is copying' : 'Nothing blocks the migration');
      const { stdout } = await run('migrate', '--dry-run', '--json');
      expect(planShape.parse(JSON.parse(stdout)).run?.phase ?? null).toBe(suspended ? 'copying' : null);
      expect(await contentOf(session)).toEqual(before);
    }
  });

  test('ends with 1 where a finding blocks', async () => {
    await database.pool.query("UPDATE public.sessions SET level = 'wizard'");
    expect((await run('migrate', '--dry-run')).code).toBe(1);
  });
});

describe('what a run is to mind', () => {
  const settings = async () => {
    const { max_lag, max_wal_rate, max_active, throttle_sql } = await readControl(database.pool);
    return { max_lag, max_wal_rate, max_active, throttle_sql };
  };

  test('stands in tandem.control from its start, and stays where the next command says nothing of it', async () => {
    const upToCutover = ['migrate', '--yes', '--stop-before', 'cutover'];
    const query = 'SELECT false';
    const said = ['--max-lag', '5s', '--max-wal-rate', '1GB', '--max-active', '150', '--throttle-sql', query];
    expect(await run(...upToCutover, ...said)).toMatchObject({ code: 0 });
    const first = { max_lag: 5, max_wal_rate: 1024 ** 3, max_active: 150, throttle_sql: query };
    expect(await settings()).toEqual(first);
    expect(await run(...upToCutover, '--max-active', 'off', '--max-lag', '1500ms')).toMatchObject({ code: 0 });
    expect(await settings()).toEqual({ ...first, max_active: null, max_lag: 1.5 });
  });

  test('holds the run back before its first batch', async () => {
    const stop = new AbortController();
    const { code, stdout } = await inProcess(['migrate', '--yes', '--throttle-sql', "SELECT 'the nightly job'"], {
      url: database.url,
      stop,
      onLine: (line) => {
        if (line.includes('the nightly job')) stop.abort();
      },
    });
    expect(code).toBe(4);
    expect(stdout).toContain('waiting: sql: the nightly job');
    expect((await tandemOn(database).status()).tables).toMatchObject([{ copied: 0 }, { copied: 0 }]);
  });

  test.each([
    ['--max-lag', 'soon', 'max-lag'],
    ['--max-wal-rate', '3 bananas', 'max-wal-rate'],
    ['--max-active', '1.5', 'max-active'],
  ])('%s %s is refused before anything is done', async (option, value, key) => {
    const { code, stderr } = await run('migrate', '--yes', option, value);
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^error TD008: \`${value}\` is no value for ${key}\\.\nhint: `));
    expect((await database.pool.query("SELECT to_regnamespace('tandem') AS there")).rows).toEqual([{ there: null }]);
  });
});

test('cutover --terminate-blockers is refused where a run waits that was not told so, and the run waits on', async () => {
  const stop = new AbortController();
  let ready = () => {};
  const waits = new Promise<void>((resolve) => {
    ready = resolve;
  });
  const waiting = inProcess(['migrate', '--yes', '--stop-before', 'cutover', '--wait'], {
    url: database.url,
    stop,
    onLine: (line) => {
      if (line.includes('Ready. Draining')) ready();
    },
  });
  await waits;
  const { code, stderr } = await run('cutover', '--yes', '--terminate-blockers');
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error TD008: A run is at work that swaps the names by itself/);
  expect((await readControl(database.pool)).cutover_requested).toBe(false);
  stop.abort();
  expect((await waiting).code).toBe(4);
});
