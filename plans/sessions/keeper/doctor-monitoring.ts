import type { Pool } from 'pg';
import type { SessionsNames } from '../names.ts';
import { readHistory } from './alert-figures.ts';
import { type FoundAlert, findAlerts, runbookOf } from './alert-rules.ts';
import type { Check } from './doctor.ts';
import { createFigureReader } from './figures.ts';
import type { BackupSettings, MonitoringSettings } from './monitoring-config.ts';

export interface WatchedSettings {
  readonly monitoring: MonitoringSettings;
  readonly backups: BackupSettings | null;
}

/** What the alerts look at and no other check of the doctor's does, by the first word of their names. */
const SUBJECTS = {
  partitions: /^TandemPartition/,
  search: /^TandemSearch/,
  backups: /^TandemBackup/,
  drills: /^TandemDrill/,
};

/** The conditions of the alerts as they are now, however long they hold. */
export async function watchedChecks(pool: Pool, names: SessionsNames, settings: WatchedSettings): Promise<Check[]> {
  const { monitoring, backups } = settings;
  const { keeper, migration } = await createFigureReader(pool, names, monitoring.partitionLimits).read();
  if (keeper === null) return [];
  const history = await readHistory(pool);
  const found = findAlerts({ ...keeper, migration, history, backupSettings: backups });
  const well: Record<keyof typeof SUBJECTS, string> = {
    partitions: 'all are below their limits',
    search: Object.keys(history.search).length === 0 ? 'it was never probed' : 'as quick as last week',
    backups: backups === null ? 'the keeper makes none' : ageOf(keeper.now, keeper.backups.lastSuccess),
    drills:
      backups?.drillEveryHours == null ? 'the keeper does none' : ageOf(keeper.now, keeper.backups.lastDrillSuccess),
  };
  return [
    ...subjects.map((subject) =>
      check(
        subject,
        well[subject],
        found.filter(({ rule }) => SUBJECTS[subject].test(rule.name)),
      ),
    ),
    await webhook(pool),
  ];
}

const subjects = ['partitions', 'search', 'backups', 'drills'] as const satisfies (keyof typeof SUBJECTS)[];

function check(name: string, well: string, found: readonly FoundAlert[]): Check {
  const [first] = found;
  if (first === undefined) return { name, state: 'ok', message: well, hint: null };
  return {
    name,
    state: found.some(({ rule }) => rule.severity === 'critical') ? 'failed' : 'warning',
    message: found.map(({ summary }) => summary).join('; '),
    hint: `See ${runbookOf(first.rule.name)}.`,
  };
}

function ageOf(now: Date, at: Date | null): string {
  return at === null
    ? 'none yet'
    : `the last one is ${((now.getTime() - at.getTime()) / 3_600_000).toFixed(1)} hours old`;
}

/** An alert that nobody is told of is none. */
async function webhook(pool: Pool): Promise<Check> {
  const { rows } = await pool.query<{ untold: number; error: string | null }>(
    `SELECT count(*)::float8 AS untold, max(last_error) AS error FROM keeper.alerts
      WHERE last_error IS NOT NULL AND resolved_at IS NULL AND notified_at IS NULL`,
  );
  const { untold = 0, error = null } = rows[0] ?? {};
  if (untold === 0) return { name: 'alerts', state: 'ok', message: 'none is untold', hint: null };
  return {
    name: 'alerts',
    state: 'warning',
    message: `the webhook did not take ${untold} of them: ${error}`,
    hint: 'Check TANDEM_WEBHOOK_URL, or monitoring.webhook.url of the plan file.',
  };
}
