import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { monitoringTasks } from '../../../../plans/sessions/keeper/monitoring-tasks.ts';
import { refreshStats } from '../../../../plans/sessions/keeper/refresh.ts';
import { readSamples, thinSamples, writeSamples } from '../../../../plans/sessions/keeper/samples.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, names, never } from './keeping.ts';

const database = useDatabase(idleSessions);

test('samples are read by stretches of time, with the greatest value of each', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  await installKeeper(pool, names);
  await pool.query(`INSERT INTO keeper.samples SELECT 'partition_bytes', status, now() - n * interval '1 minute', n
    FROM unnest('{active,archived}'::text[]) status, generate_series(1, 60) n`);
  await writeSamples(pool, [{ series: 'dirty_sessions', label: '', value: 7 }]);
  const since = new Date(Date.now() - 60 * 60_000);
  const points = await readSamples(pool, 'partition_bytes', since, 6);
  expect(points.filter((p) => p.label === 'active').length).toBeLessThanOrEqual(7);
  expect(points.map((p) => p.at.getTime())).toEqual(points.map((p) => p.at.getTime()).sort((a, b) => a - b));
  expect(Math.max(...points.map((p) => p.value))).toBeGreaterThanOrEqual(59);
  expect(await readSamples(pool, 'dirty_sessions', since)).toMatchObject([{ label: '', value: 7 }]);
});

test('after a day one sample an hour is left, after 30 days none', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  await pool.query(`INSERT INTO keeper.samples (series, taken_at, value)
    SELECT 'dirty_sessions', at, 1 FROM generate_series(date_trunc('hour', now()) - interval '31 days', now(), '10 minutes') at`);
  await thinSamples(pool);
  const { rows } = await pool.query(`SELECT
    count(*) FILTER (WHERE taken_at < now() - interval '30 days')::int AS old,
    max(n) FILTER (WHERE hour < now() - interval '26 hours')::int AS day_before,
    max(n) FILTER (WHERE hour BETWEEN now() - interval '22 hours' AND now() - interval '1 hour')::int AS today,
    count(DISTINCT hour)::int AS hours
    FROM (SELECT taken_at, date_trunc('hour', taken_at) AS hour, count(*) OVER (PARTITION BY date_trunc('hour', taken_at)) AS n
            FROM keeper.samples) s`);
  expect(rows[0]).toMatchObject({ old: 0, day_before: 1, today: 6 });
  expect(rows[0].hours).toBeGreaterThanOrEqual(30 * 24);
});

test('the database takes the same samples by itself that `tandem serve` takes; a probe that fails is one', async () => {
  const { pool, url } = database;
  await installKeeper(pool, names);
  await pool.query('ANALYZE public.sessions');
  await refreshStats({ pool, names, force: true });
  const taken = async () => {
    const { rows } = await pool.query(
      `DELETE FROM keeper.samples RETURNING series, label, CASE WHEN series <> 'search_seconds' THEN value END AS value`,
    );
    return rows.toSorted((a, b) => `${a.series} ${a.label}`.localeCompare(`${b.series} ${b.label}`));
  };
  const { monitoring } = sessionsConfigSchema.parse({});
  const [task] = monitoringTasks({
    ...{ pool, names, monitoring, backups: null, webhook: null, databaseUrl: url },
    ...{ log: () => undefined, onProbe: () => undefined },
  });
  await task?.run({ signal: never(), fence: async () => undefined });
  const served = await taken();
  expect(served).toHaveLength(3 + 3 + 4 + 4 + 1 + 1);
  await pool.query('SELECT keeper.take_samples()');
  expect(await taken()).toEqual(served);

  await pool.query('ALTER FUNCTION public.search_messages RENAME TO elsewhere');
  await pool.query('SELECT keeper.take_samples()');
  const failed = await taken();
  expect(
    failed.filter(({ series }) => series.startsWith('search')).map(({ series, value }) => [series, value]),
  ).toEqual(Array(4).fill(['search_failed', 1]));
});
