import { existsSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examine } from '../../../../plans/sessions/keeper/doctor.ts';
import { createPool } from '../../../../src/db/connect.ts';
import { type LocalServer, startLocalServer } from '../../../../src/db/local-server.ts';
import { tandem } from '../../../cli/tandem.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, names } from './keeping.ts';

const isInstalled =
  existsSync('/usr/lib/postgresql/15/bin/postgres') && existsSync('/usr/share/postgresql/15/extension/pg_cron.control');
if (!isInstalled) console.warn('Debian’s postgresql-15-cron is not installed: its tests are skipped.');

describe('where the server does not run pg_cron', () => {
  const database = useDatabase(idleSessions);
  test('that is said, with what to do', async () => {
    const url = { url: database.url };
    expect(await tandem(['schedule'], url)).toMatchObject({ code: 2, stderr: expect.stringContaining('--pg-cron') });
    expect(await tandem(['schedule', '--pg-cron'], url)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(
        /^error TD018: The server does not run pg_cron\.\nhint: .*shared_preload_libraries/,
      ),
    });
  });
});

describe.skipIf(!isInstalled)('pg_cron', () => {
  let server: LocalServer;
  const urlOf = (database: string) => new URL(`/${database}`, server.url).href;
  const on = (database: string, ...args: string[]) => tandem(args, { url: urlOf(database) });
  const jobs = async (database: string, ...args: string[]) => {
    const { code, stdout, stderr } = await on(database, 'schedule', '--pg-cron', '--json', ...args);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const { jobs: found }: { jobs: { name: string; change: string }[] } = JSON.parse(stdout);
    return Object.fromEntries(found.map(({ name, change }) => [name, change]));
  };
  const withClient = async <T>(database: string, work: (client: pg.Client) => Promise<T>) => {
    const client = new pg.Client({ connectionString: urlOf(database) });
    await client.connect();
    return work(client).finally(() => client.end());
  };
  const query = (sql: string, database = 'app') =>
    withClient(database, async (client) => (await client.query(sql)).rows);

  beforeAll(async () => {
    server = await startLocalServer({
      binDir: '/usr/lib/postgresql/15/bin',
      settings: {
        shared_preload_libraries: 'pg_cron',
        'cron.database_name': 'app',
        // Its other way is a connection by libpq, which would need a password.
        'cron.use_background_workers': 'on',
        max_worker_processes: '20',
      },
    });
    await query('CREATE DATABASE second', 'postgres');
    await withClient('second', (client) => idleSessions.run(client));
    // The other way round, pg_cron would be in the template by then.
    await query('CREATE DATABASE app TEMPLATE second', 'postgres');
  });
  afterAll(() => server?.stop());

  test('the extension is missing in its database: that is said', async () => {
    expect(await on('app', 'schedule', '--pg-cron')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('CREATE EXTENSION pg_cron there'),
    });
    await query('CREATE EXTENSION pg_cron');
  });

  test('jobs are created once, and mended where they differ; what somebody switched off stays off', async () => {
    const all = ['tandem-archive', 'tandem-refresh-stats', 'tandem-search-words', 'tandem-samples', 'tandem-history'];
    expect(await jobs('app')).toEqual(Object.fromEntries(all.map((name) => [name, 'created'])));
    expect(await jobs('app')).toEqual(Object.fromEntries(all.map((name) => [name, 'unchanged'])));
    await query(`
      UPDATE cron.job SET schedule = '0 0 * * *' WHERE jobname = 'tandem-search-words';
      UPDATE cron.job SET active = false WHERE jobname IN ('tandem-archive', 'tandem-search-words')`);
    await query("SELECT cron.schedule('tandem-of-old', '0 0 1 1 *', 'SELECT 1')");
    expect(await jobs('app')).toMatchObject({
      'tandem-archive': 'unchanged',
      'tandem-search-words': 'altered',
      'tandem-of-old': 'removed',
    });
    expect(await query('SELECT jobname, active FROM cron.job WHERE NOT active ORDER BY 1')).toEqual([
      { jobname: 'tandem-archive', active: false },
      { jobname: 'tandem-search-words', active: false },
    ]);
    await query('UPDATE cron.job SET active = true');
  });

  test('they run', { timeout: 150_000 }, async () => {
    // @reboot: when the server starts, and not at the next full minute.
    await query("UPDATE cron.job SET schedule = '@reboot'");
    await server.restart('fast');
    for (let done = 0; done < 5; await wait(100)) {
      const rows = await query(
        "SELECT DISTINCT jobid FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')",
      );
      done = rows.length;
    }
    expect(
      await query(
        'SELECT DISTINCT j.jobid, j.jobname, d.status FROM cron.job_run_details d JOIN cron.job j USING (jobid) WHERE d.end_time IS NOT NULL ORDER BY 1',
      ),
    ).toEqual(
      ['archive', 'refresh-stats', 'search-words', 'samples', 'history'].map((name) => ({
        jobid: expect.any(String),
        jobname: `tandem-${name}`,
        status: 'succeeded',
      })),
    );
    expect(
      await query('SELECT archived::int, error, note, ended_at IS NOT NULL AS ended FROM keeper.archive_runs'),
    ).toEqual([{ archived: 6, error: null, note: null, ended: true }]);
    expect(
      await query("SELECT DISTINCT series FROM keeper.samples WHERE series <> 'partition_rows' ORDER BY 1"),
    ).toMatchObject(
      ['dirty_sessions', 'partition_bytes', 'search_failed', 'search_seconds'].map((series) => ({ series })),
    );
    expect(await query("SELECT count(*)::int AS n FROM public.session_stats WHERE status = 'archived'")).toEqual([
      { n: 1 },
    ]);
  });

  test('doctor tells how they fare', async () => {
    const pool = createPool(urlOf('app'), { max: 2 });
    const found = async () =>
      Object.fromEntries((await examine(pool, names)).map((c) => [c.name, `${c.state}: ${c.message}`]));
    try {
      expect(await found()).toMatchObject({
        keeper: 'ok: jobs of pg_cron are at work',
        schedule: 'ok: 5 jobs of pg_cron',
      });
      await query(
        "UPDATE cron.job_run_details SET status = 'failed', return_message = 'no luck' WHERE command LIKE 'CALL keeper.archive%'",
      );
      expect(await found()).toMatchObject({ schedule: 'failed: tandem-archive failed: no luck' });
    } finally {
      await pool.end();
    }
  });

  test('for another database than its own, they are kept apart by name', async () => {
    expect(await jobs('second')).toEqual({
      'tandem-archive-second': 'created',
      'tandem-refresh-stats-second': 'created',
      'tandem-search-words-second': 'created',
      'tandem-samples-second': 'created',
    });
    expect(await query("SELECT DISTINCT database FROM cron.job WHERE jobname LIKE '%-second'")).toEqual([
      { database: 'second' },
    ]);
    expect(Object.values(await jobs('second', '--remove'))).toEqual(Array(4).fill('removed'));
    expect(await query('SELECT FROM cron.job')).toHaveLength(5);
  });

  test('and removed', async () => {
    await query(`
      INSERT INTO cron.job_run_details (jobid, runid, command) VALUES (1000000, 1000000, 'of somebody else');
      UPDATE cron.job SET active = false`);
    expect((await on('app', 'schedule', '--pg-cron')).stdout).toContain(
      'Alerts, backups, drills and /metrics are for `tandem serve`',
    );
    expect(Object.values(await jobs('app', '--remove'))).toEqual(Array(5).fill('removed'));
    expect(await query('SELECT FROM cron.job')).toEqual([]);
    expect(await query('SELECT command FROM cron.job_run_details')).toEqual([{ command: 'of somebody else' }]);
    expect((await on('app', 'schedule', '--pg-cron', '--remove')).stdout).toBe('There is no job of Tandem.\n');
  });
});
