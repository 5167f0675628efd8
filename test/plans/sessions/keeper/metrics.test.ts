import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { placeHold } from '../../../../plans/sessions/keeper/holds.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { addSessionsMetrics } from '../../../../plans/sessions/keeper/metrics.ts';
import { probeSearch } from '../../../../plans/sessions/keeper/search-probe.ts';
import { metricDefinitions, withMetrics } from '../../../../src/cli/metrics-reference.ts';
import { createPool } from '../../../../src/db/connect.ts';
import { packageRoot } from '../../../../src/db/sql-file.ts';
import { createMetrics } from '../../../../src/keeper/metrics.ts';
import { useDatabase } from '../../../support/database.ts';
import { prometheusPath, promtool } from '../../../support/promtool.ts';
import { flat } from '../fixtures.ts';
import { idleSessions, idOf, names, run } from './keeping.ts';

const database = useDatabase(idleSessions);
const flatDatabase = useDatabase(flat);
const { monitoring } = sessionsConfigSchema.parse({
  monitoring: { partitionLimits: { active: '10MB', archived: 5_000_000 } },
});

function figuresOf(pool = database.pool) {
  const metrics = createMetrics(['archive']);
  const errors: unknown[] = [];
  const figures = addSessionsMetrics({
    metrics,
    pool,
    names,
    settings: { monitoring, backups: null },
    onError: (error) => errors.push(error),
  });
  const read = async () => {
    await figures.collect();
    return metrics.registry.metrics();
  };
  return { metrics, figures, errors, read };
}

/** The lines of the series, without comments, by their name with labels. */
function seriesOf(text: string): Map<string, number> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, name, value] = /^([^#\s]\S*) (\S+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
}

/** A series of each metric and of each value of its labels that is known; of a histogram, its count. */
const documented = metricDefinitions.flatMap(({ name, type, labels = {} }) => {
  const sets = Object.entries(labels).reduce<string[][]>(
    (all, [label, values]) =>
      all.flatMap((set) => (values ?? ['archive']).map((value) => [...set, `${label}="${value}"`])),
    [[]],
  );
  const series = type === 'histogram' ? `${name}_count` : name;
  return sets.map((set) => (set.length === 0 ? series : `${series}{${set.join(',')}}`));
});

test('docs/metrics.md says what the code says; if not: npm run generate', () => {
  const document = readFileSync(join(packageRoot(), 'docs/metrics.md'), 'utf8');
  expect(document).toBe(withMetrics(document));
});

test('every documented series is there before its first event, and no other', async () => {
  await installKeeper(database.pool, names);
  const { read, errors } = figuresOf();
  const found = [...seriesOf(await read()).keys()].filter((name) => !/_(bucket|sum)[{ ]|_sum$/.test(name));
  expect(found.sort()).toEqual([...documented].sort());
  expect(errors).toEqual([]);
});

test('before the migration and before the keeper, the same series are there', async () => {
  for (const pool of [flatDatabase.pool, database.pool]) {
    const { read, errors } = figuresOf(pool);
    const series = seriesOf(await read());
    expect([...series.keys()]).toEqual(expect.arrayContaining(documented));
    expect(series.get('tandem_migration_phase{phase="none"}')).toBe(pool === flatDatabase.pool ? 1 : 0);
    expect(errors).toEqual([]);
  }
});

test.skipIf(prometheusPath === null)('promtool finds nothing to say against them', async () => {
  await installKeeper(database.pool, names);
  expect(await promtool(['check', 'metrics'], await figuresOf().read())).toEqual({ code: 0, output: '' });
});

test('what happens in the database is told, whoever did it', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const { read, figures } = figuresOf();
  const before = seriesOf(await read());
  expect(before.get('tandem_archive_due_sessions{transition="archived"}')).toBe(6);
  // The oldest was last used 200 days ago, and so is due for 110.
  const due = before.get('tandem_archive_oldest_due_timestamp_seconds{transition="archived"}') ?? 0;
  expect((Date.now() / 1000 - due) / 86_400).toBeCloseTo(110, 1);
  expect(before.get('tandem_partition_limit_bytes{status="active"}')).toBe(10 * 1024 ** 2);
  expect(before.get('tandem_partition_limit_bytes{status="archived"}')).toBe(5_000_000);

  await placeHold(pool, idOf('active', 10), 'a dispute');
  await run(pool, { purgeAfterDays: 150 });
  await pool.query('ANALYZE public.sessions');
  await pool.query("UPDATE keeper.control SET waiting_for = 'max-active: 30 backends are active, more than 20'");
  await pool.query(`INSERT INTO keeper.backups (host, directory, started_at, ended_at, bytes, error)
    VALUES ('h', 'd', to_timestamp(1000), now(), 77, NULL), ('h', 'd', to_timestamp(2000), now(), NULL, 'full')`);
  await pool.query(
    `INSERT INTO keeper.drills (host, directory, place, started_at, ended_at) VALUES ('h', 'd', 'server', to_timestamp(3000), now())`,
  );
  for (const probe of await probeSearch(pool, names)) figures.probed(probe);
  const after = seriesOf(await read());
  const said = (name: string) => after.get(name);
  expect({
    holds: said('tandem_session_holds'),
    archived: said('tandem_archive_sessions_total{transition="archived"}'),
    purged: said('tandem_purged_rows_total{table="sessions"}'),
    messages: said('tandem_purged_rows_total{table="messages"}'),
    rows: said('tandem_partition_rows{status="active"}'),
    backup: said('tandem_backup_last_success_timestamp_seconds'),
    size: said('tandem_backup_last_size_bytes'),
    failure: said('tandem_backup_last_failure_timestamp_seconds'),
    drill: said('tandem_restore_drill_last_success_timestamp_seconds'),
    probes: said('tandem_search_probe_duration_seconds_count{language="de"}'),
    pending: said('tandem_search_index_pending_pages'),
    throttled: said('tandem_throttled{work="archiving",reason="max-active"}'),
    paused: said('tandem_throttled{work="archiving",reason="paused"}'),
    up: said('tandem_database_up'),
  }).toEqual({
    holds: 1,
    archived: 5,
    purged: 3,
    messages: 27,
    rows: 5,
    backup: 1000,
    size: 77,
    failure: 2000,
    drill: 3000,
    probes: 1,
    pending: 0,
    throttled: 1,
    paused: 0,
    up: 1,
  });
});

test('refreshes that ended since the keeper began are observed once', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const refreshed = () =>
    pool.query(`INSERT INTO keeper.stats_refreshes (mode, version, started_at, ended_at)
      VALUES ('concurrent', 0, clock_timestamp() - interval '2 seconds', clock_timestamp()), ('skipped', 0, now(), clock_timestamp())`);
  await refreshed();
  const { read } = figuresOf();
  expect(seriesOf(await read()).get('tandem_stats_refresh_duration_seconds_count')).toBe(0);
  await refreshed();
  const series = seriesOf(await read());
  expect(series.get('tandem_stats_refresh_duration_seconds_count')).toBe(1);
  expect(series.get('tandem_stats_refresh_duration_seconds_sum')).toBeCloseTo(2, 1);
  expect(seriesOf(await read()).get('tandem_stats_refresh_duration_seconds_count')).toBe(1);
});

test('pages that wait in the text index are counted where the extension is there to do it', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const { read } = figuresOf();
  const pending = async () => seriesOf(await read()).get('tandem_search_index_pending_pages');
  await pool.query('ALTER INDEX public.messages_content_search_idx SET (fastupdate = on)');
  expect(await pending()).toBeNaN();
  await pool.query('CREATE SCHEMA ext; CREATE EXTENSION pgstattuple SCHEMA ext');
  await pool.query(
    `INSERT INTO public.messages (session_id, user_id, content) SELECT id, user_id, 'ein Haus' FROM public.sessions LIMIT 3`,
  );
  expect(await pending()).toBeGreaterThan(0);
});

test('where the database is away, its figures are unknown, and the keeper says so', async () => {
  await installKeeper(database.pool, names);
  const pool = createPool(database.url, { max: 2 });
  const { read, errors } = figuresOf(pool);
  await read();
  await pool.end();
  const series = seriesOf(await read());
  expect(series.get('tandem_database_up')).toBe(0);
  expect(series.get('tandem_up')).toBe(1);
  expect(series.get('tandem_partition_bytes{status="active"}')).toBeNaN();
  expect(series.get('tandem_backup_last_success_timestamp_seconds')).toBeNaN();
  expect(errors).toHaveLength(1);
});

test('a probe that fails is a failure and no time', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  await pool.query('DROP FUNCTION public.search_messages');
  const { read, figures } = figuresOf();
  for (const probe of await probeSearch(pool, names)) figures.probed(probe);
  const series = seriesOf(await read());
  expect(series.get('tandem_search_probe_failures_total{language="fr"}')).toBe(1);
  expect(series.get('tandem_search_probe_duration_seconds_count{language="fr"}')).toBe(0);
});
