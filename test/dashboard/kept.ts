import type pg from 'pg';
import { installAudit, writeAudit } from '../../plans/sessions/keeper/audit.ts';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { createPool } from '../../src/db/connect.ts';
import { idleSessions, names } from '../plans/sessions/keeper/keeping.ts';
import type { Setup } from '../support/database.ts';

/** What a keeper has noted in a week's work, so that every page has something to show. */
const WEEK = `
  INSERT INTO keeper.samples (series, label, taken_at, value)
  SELECT 'partition_bytes', label, at, greatest(0, size * (1 + 0.002 * n) + 40000 * sin(n / 4.0))
    FROM (VALUES ('active', 4.1e8), ('archived', 9.3e8), ('deleted', 0.6e8)) s (label, size),
         generate_series(0, 167) n, LATERAL (SELECT now() - (167 - n) * interval '1 hour' AS at) t;
  INSERT INTO keeper.samples (series, label, taken_at, value)
  SELECT 'search_seconds', label, now() - (167 - n) * interval '1 hour', base * (1 + 0.3 * abs(sin(n / 5.0 + length(label))))
    FROM (VALUES ('en', 0.009), ('es', 0.011), ('fr', 0.012), ('de', 0.014)) s (label, base), generate_series(0, 167) n;
  INSERT INTO keeper.alerts (name, label, severity, summary, since, firing_at, resolved_at)
  VALUES ('StatisticsStale', '', 'warning', 'The statistics are 3 hours old.', now() - interval '2 days', now() - interval '2 days', now() - interval '47 hours'),
         ('PartitionNearLimit', 'archived', 'warning', 'Partition archived has used 83 % of its limit.', now() - interval '3 hours', now() - interval '2 hours', NULL);
  INSERT INTO keeper.archive_runs (started_at, ended_at, archived) VALUES (now() - interval '1 hour', now() - interval '59 minutes', 0);
  INSERT INTO keeper.drills (host, directory, place, started_at, ended_at, rows, bytes)
  VALUES ('db-1', '/backups/2026-01-01', 'server', now() - interval '1 day', now() - interval '1435 minutes', 640123, 91000000);
  INSERT INTO keeper.backups (host, directory, started_at, ended_at, rows, bytes)
  VALUES ('db-1', '/backups/2026-01-01', now() - interval '5 hours', now() - interval '298 minutes', 640123, 91000000)`;

const REFRESHES = `
  INSERT INTO keeper.stats_refreshes (version, started_at, ended_at, mode, rows)
  SELECT n, at, at + (0.4 + 0.15 * abs(sin(n / 3.0))) * interval '1 s',
         CASE WHEN n % 5 = 3 THEN 'skipped' ELSE 'concurrent' END, CASE WHEN n % 5 = 3 THEN NULL ELSE 3 END
    FROM generate_series(1, 100) n, LATERAL (SELECT now() - (101 - n) * interval '10 minutes' AS at) t`;

/** Ten sessions in each status, as `idleSessions` makes them, on a database that has been kept. */
export const kept: Setup = {
  name: 'dashboard_kept',
  run: async (client) => {
    await idleSessions.run(client);
    const pool = poolOf(client);
    try {
      await installKeeper(pool, names);
      await installAudit(pool);
      await pool.query(WEEK);
      await pool.query(REFRESHES);
      await pool.query('ANALYZE');
      await writeAudit(pool, {
        actor: 'Ada',
        action: 'hold.place',
        subject: 'a session',
        detail: { reason: 'a dispute' },
      });
    } finally {
      await pool.end();
    }
  },
};

function poolOf(client: pg.Client): pg.Pool {
  const { host, port, user, password, database } = client;
  return createPool(`postgres://${user}:${password}@${host}:${port}/${database}`);
}
