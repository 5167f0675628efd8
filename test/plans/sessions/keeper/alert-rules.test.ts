import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import type { AlertFigures } from '../../../../plans/sessions/keeper/alert-figures.ts';
import { readHistory } from '../../../../plans/sessions/keeper/alert-figures.ts';
import { alertRules, findAlerts } from '../../../../plans/sessions/keeper/alert-rules.ts';
import { readBackupFigures } from '../../../../plans/sessions/keeper/backup-figures.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, names } from './keeping.ts';

const database = useDatabase(idleSessions);
const now = new Date('2026-06-01T12:00:00Z');
const ago = (hours: number) => new Date(now.getTime() - hours * 3_600_000);
const { backups: backupSettings = null } = sessionsConfigSchema.parse({
  backups: { directory: '/backups' },
});
const backups = {
  lastSuccess: ago(25),
  lastFailure: ago(30),
  lastBytes: 100,
  usualBytes: 150,
  lastDrillSuccess: ago(7 * 24),
  lastDrillFailure: ago(8 * 24),
};
const migration = {
  phase: 'finished',
  hasRunner: false,
  progressAt: null,
  tables: [],
  quarantined: 0,
  waitingFor: null,
} as const;
const history = { growth: {}, search: {}, searchFailing: [], refreshSeconds: 29 };
const active = (bytes: number) => [
  { status: 'active', name: 'sessions_active', bytes, rows: 1, limit_bytes: 1000 } as const,
];

/** Nothing is wrong, but nearly. */
const well: AlertFigures = {
  now,
  partitions: active(800),
  overdue: [{ transition: 'archived', sessions: 5, since: ago(23) }],
  moved: { archived: 0, deleted: 0, purged: 0 },
  purgedRows: { sessions: 0, messages: 0, message_feedback: 0 },
  holds: 0,
  waitingFor: null,
  statsAsOf: ago(1.9),
  statsEverySeconds: 60,
  dirtySessions: 0,
  driftedSessions: 0,
  pendingPages: 0,
  backups,
  firing: { warning: 0, critical: 0 },
  migration,
  history: { ...history, search: { de: { lately: 0.2, before: 0.11 }, en: { lately: 0.09, before: 0.01 } } },
  backupSettings,
};
const copying = { ...migration, phase: 'copying', hasRunner: true, progressAt: ago(0.9) } as const;

test('what is nearly wrong is not', () => {
  expect(findAlerts(well)).toEqual([]);
  expect(findAlerts({ ...well, migration: copying })).toEqual([]);
  expect(
    findAlerts({ ...well, migration: { ...copying, hasRunner: false, waitingFor: 'paused by `tandem pause`' } }),
  ).toEqual([]);
  // Somebody else may make the backups.
  const none = {
    ...backups,
    lastSuccess: null,
    lastFailure: null,
    usualBytes: null,
    lastDrillSuccess: null,
    lastDrillFailure: null,
  };
  expect(findAlerts({ ...well, backupSettings: null, backups: none })).toEqual([]);
});

const wrong: readonly (readonly [string, string, Partial<AlertFigures>])[] = [
  ['TandemPartitionNearLimit', 'active', { partitions: active(801) }],
  ['TandemPartitionGrowth', 'active', { history: { ...history, growth: { active: 201 / (7 * 86_400) } } }],
  ['TandemStatisticsStale', '', { statsAsOf: ago(2.1) }],
  ['TandemStatisticsStale', '', { statsAsOf: null }],
  ['TandemStatisticsDrifted', '', { driftedSessions: 1 }],
  ['TandemRefreshSlow', '', { history: { ...history, refreshSeconds: 31 } }],
  ['TandemSearchSlow', 'de', { history: { ...history, search: { de: { lately: 0.23, before: 0.11 } } } }],
  ['TandemSearchFailing', 'fr', { history: { ...history, searchFailing: ['fr'] } }],
  ['TandemArchivingBehind', 'deleted', { overdue: [{ transition: 'deleted', sessions: 5, since: ago(25) }] }],
  ['TandemBackupOld', '', { backups: { ...backups, lastSuccess: ago(26.1) } }],
  ['TandemBackupOld', '', { backups: { ...backups, lastSuccess: null, lastFailure: null } }],
  ['TandemBackupFailed', '', { backups: { ...backups, lastFailure: ago(1) } }],
  ['TandemBackupSmall', '', { backups: { ...backups, usualBytes: 201 } }],
  ['TandemDrillOld', '', { backups: { ...backups, lastDrillSuccess: ago(8 * 24 + 1), lastDrillFailure: null } }],
  ['TandemDrillFailed', '', { backups: { ...backups, lastDrillFailure: ago(1) } }],
  ['TandemMigrationStuck', '', { migration: { ...copying, progressAt: ago(1.1) } }],
  ['TandemMigrationStuck', '', { migration: { ...copying, hasRunner: false } }],
  ['TandemQuarantine', '', { migration: { ...migration, quarantined: 1 } }],
];

test.each(wrong)('%s %s is found', (name, label, figures) => {
  expect(findAlerts({ ...well, ...figures }).map((f) => [f.rule.name, f.label])).toEqual([[name, label]]);
});

test('each alert has such a case, but those that only somebody outside can see', () => {
  const seen = alertRules.filter(({ find }) => find !== null).map(({ name }) => name);
  expect([...new Set(wrong.map(([name]) => name))].sort()).toEqual(seen.sort());
  expect(alertRules.filter(({ find }) => find === null).map(({ name }) => name)).toEqual([
    'TandemNoLeader',
    'TandemTwoLeaders',
    'TandemDatabaseUnreadable',
  ]);
});

test('what only looking back tells is read from the samples and the history', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  await pool.query(`INSERT INTO keeper.samples (series, label, taken_at, value)
    SELECT 'partition_bytes', 'active', now() - n * interval '1 minute', 1000 - n * 60 FROM generate_series(0, 60) n
    UNION ALL SELECT 'search_seconds', 'de', now() - n * interval '30 minutes', CASE WHEN n < 2 THEN 2 ELSE 1 END FROM generate_series(0, 9) n
    UNION ALL SELECT 'search_failed', l, now() - n * interval '1 minute', CASE l WHEN 'fr' THEN 1 ELSE n % 2 END
                FROM generate_series(0, 9) n, unnest('{fr,de}'::text[]) l`);
  await pool.query(`INSERT INTO keeper.stats_refreshes (mode, version, started_at, ended_at)
    VALUES ('concurrent', 0, now() - interval '14 seconds', now() - interval '10 seconds'),
           ('concurrent', 0, now() - interval '2 seconds', now()), ('skipped', 0, now() - interval '1 hour', now())`);
  await pool.query(`INSERT INTO keeper.backups (host, directory, ended_at, bytes)
    SELECT 'h', 'd', now(), b FROM unnest(ARRAY[10, 30, 20, 5]) b`);
  expect(await readHistory(pool)).toEqual({
    growth: { active: expect.closeTo(1, 6) },
    search: { de: { lately: 2, before: 1 } },
    searchFailing: ['fr'],
    refreshSeconds: expect.closeTo(3, 6),
  });
  expect(await readBackupFigures(pool)).toMatchObject({ lastBytes: 5, usualBytes: 20 });
});
