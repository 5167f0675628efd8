import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { examine } from '../../../../plans/sessions/keeper/doctor.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { addSessionsMetrics } from '../../../../plans/sessions/keeper/metrics.ts';
import { monitoringTasks } from '../../../../plans/sessions/keeper/monitoring-tasks.ts';
import { refreshStats } from '../../../../plans/sessions/keeper/refresh.ts';
import { sessionsNames } from '../../../../plans/sessions/names.ts';
import { createMetrics } from '../../../../src/keeper/metrics.ts';
import { tandemOn } from '../../../engine/tandem.ts';
import { useDatabase } from '../../../support/database.ts';
import { config, renamed } from '../renamed-tables.ts';
import { never } from './keeping.ts';

const database = useDatabase(renamed);
const settings = sessionsConfigSchema.parse(config);
const names = sessionsNames(settings);

test('tables and columns of other names are measured, sampled, looked at and warned of all the same', async () => {
  const { pool, url } = database;
  await tandemOn(database, config).migrate();
  await installKeeper(pool, names);
  await refreshStats({ pool, names });
  const metrics = createMetrics([]);
  const errors: unknown[] = [];
  const { monitoring } = settings;
  const figures = addSessionsMetrics({
    metrics,
    pool,
    names,
    settings: {
      monitoring: { ...monitoring, partitionLimits: { ...monitoring.partitionLimits, active: 1 } },
      backups: null,
    },
    onError: (error) => errors.push(error),
  });
  await pool.query(`
    ANALYZE "My App"."Chat Rooms";
    UPDATE "My App"."Chat Rooms" SET "State" = 'active', "last seen" = now() - interval '100 days';
    DELETE FROM "My App".lines WHERE line_id = (SELECT min(line_id::text)::uuid FROM "My App".lines);
    TRUNCATE keeper.session_moves`);
  const events: unknown[] = [];
  const tasks = monitoringTasks({
    pool,
    names,
    monitoring: { ...monitoring, partitionLimits: { active: 1, archived: 1, deleted: 1 } },
    backups: null,
    webhook: null,
    databaseUrl: url,
    log: (event) => events.push(event),
    onProbe: figures.probed,
  });
  for (const task of tasks) await task.run({ signal: never(), fence: async () => undefined });

  const { rows } = await pool.query('SELECT series, label, value FROM keeper.samples ORDER BY 1, 2');
  const sampled = (series: string) => rows.filter((row) => row.series === series);
  for (const status of ['active', 'archived', 'deleted'])
    expect(sampled('partition_bytes').find(({ label }) => label === status)?.value).toBeGreaterThan(8192);
  expect(sampled('partition_rows').reduce((sum, { value }) => sum + value, 0)).toBe(60);
  expect(sampled('search_failed').map(({ value }) => value)).toEqual([0, 0, 0, 0]);
  expect(sampled('search_seconds')).toHaveLength(4);
  expect(sampled('stats_refresh_seconds')).toHaveLength(1);
  expect(sampled('dirty_sessions')).toEqual([{ series: 'dirty_sessions', label: '', value: 1 }]);
  const alerts = await pool.query("SELECT label FROM keeper.alerts WHERE name = 'TandemPartitionNearLimit' ORDER BY 1");
  expect(alerts.rows.map(({ label }) => label)).toEqual(['active', 'archived', 'deleted']);

  await figures.collect();
  expect(errors).toEqual([]);
  const text = await metrics.registry.metrics();
  expect(text).toMatch(/^tandem_database_up 1$/m);
  expect(text).toMatch(/^tandem_archive_due_sessions\{transition="archived"\} 60$/m);
  expect(text).toMatch(/^tandem_partition_bytes\{status="active"\} [1-9]\d{4,}$/m);
  expect(text).toMatch(/^tandem_stats_dirty_sessions 1$/m);
  expect(text).toMatch(/^tandem_search_index_pending_pages 0$/m);
  expect(text).toMatch(/^tandem_search_probe_duration_seconds_count\{language="fr"\} 1$/m);
  expect(events.filter((event) => JSON.stringify(event).includes('"error"'))).toEqual([]);

  const checks = await examine(pool, names, { monitoring, backups: null });
  expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
  expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['partitions', 'search', 'statistics']));
});
