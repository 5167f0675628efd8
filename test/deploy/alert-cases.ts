/**
 * Series in promtool's notation, from 1970 on, and when the alert is asked for. A sample is a minute; where that is
 * half a day later or more, ten minutes.
 */
export interface AlertCase {
  readonly name: string;
  readonly at: string;
  readonly series: Readonly<Record<string, string>>;
  /** Labels beside job and severity with which it fires; null: it is silent. */
  readonly fires: Readonly<Record<string, string>> | null;
}

const J = 'job="app"';
const twice = (
  name: string,
  at: string,
  series: (firing: boolean) => Record<string, string>,
  labels = {},
): AlertCase[] => [true, false].map((firing) => ({ name, at, series: series(firing), fires: firing ? labels : null }));

/** A histogram. */
const took = (name: string, labels: string, sum: string, count: string) => ({
  [`${name}_sum{${labels}}`]: sum,
  [`${name}_count{${labels}}`]: count,
});
const probe = (sum: string, count: string) =>
  took('tandem_search_probe_duration_seconds', `${J},language="de"`, sum, count);

export const alertCases: readonly AlertCase[] = [
  ...twice(
    'TandemPartitionNearLimit',
    '20m',
    (firing) => ({
      [`tandem_partition_bytes{${J},status="active"}`]: `${firing ? 81 : 79}x30`,
      [`tandem_partition_limit_bytes{${J},status="active"}`]: '100x30',
    }),
    { status: 'active' },
  ),
  ...twice(
    'TandemPartitionGrowth',
    '12h',
    (firing) => ({
      // 10,080 minutes are a week.
      [`tandem_partition_bytes{${J},status="archived"}`]: `0+${firing ? 100 : 90}x72`,
      [`tandem_partition_limit_bytes{${J},status="archived"}`]: '100000x72',
    }),
    { status: 'archived' },
  ),
  ...twice('TandemStatisticsStale', '3h', (firing) => ({
    [`tandem_stats_snapshot_timestamp_seconds{${J}}`]: firing ? '0x180' : '0+60x180',
  })),
  ...twice('TandemStatisticsDrifted', '20m', (firing) => ({
    [`tandem_stats_drifted_sessions{${J}}`]: firing ? '0x10 3x20' : '3x10 0x20',
  })),
  ...twice('TandemRefreshSlow', '2h', (firing) => ({
    ...took('tandem_stats_refresh_duration_seconds', J, `0+${firing ? 31 : 29}x120`, '0+1x120'),
    [`tandem_stats_refresh_interval_seconds{${J}}`]: '60x120',
  })),
  ...twice('TandemSearchSlow', '36h', (firing) => probe(`0+2x200 400+${firing ? 9 : 3}x20`, '0+10x220'), {
    language: 'de',
  }),
  // A search that is quick enough may take three times as long.
  { name: 'TandemSearchSlow', at: '36h', series: probe('0+0.2x200 40+0.9x20', '0+10x220'), fires: null },
  ...twice(
    'TandemSearchFailing',
    '30m',
    (firing) => ({
      ...probe('0x40', firing ? '0x40' : '0+1x40'),
      [`tandem_search_probe_failures_total{${J},language="de"}`]: '0+1x40',
    }),
    { language: 'de' },
  ),
  ...twice(
    'TandemArchivingBehind',
    '30h',
    (firing) => ({
      // Due since a minute after 1970 began, or as of half an hour ago all the time.
      [`tandem_archive_oldest_due_timestamp_seconds{${J},transition="archived"}`]: firing ? '60x180' : '0 0+600x180',
    }),
    { transition: 'archived' },
  ),
  // Nothing is due.
  {
    name: 'TandemArchivingBehind',
    at: '30h',
    series: { [`tandem_archive_oldest_due_timestamp_seconds{${J},transition="archived"}`]: '0x180' },
    fires: null,
  },
  ...twice('TandemNoLeader', '10m', (firing) => ({
    [`tandem_leader{${J},instance="a"}`]: '0x10',
    [`tandem_leader{${J},instance="b"}`]: `${firing ? 0 : 1}x10`,
  })),
  // The keepers are gone altogether, and with them the name of their job.
  { name: 'TandemNoLeader', at: '10m', series: { 'up{job="app"}': '0x10' }, fires: { job: '' } },
  ...twice('TandemTwoLeaders', '10m', (firing) => ({
    [`tandem_leader{${J},instance="a"}`]: '1x10',
    [`tandem_leader{${J},instance="b"}`]: `${firing ? 1 : 0}x10`,
  })),
  ...twice('TandemDatabaseUnreadable', '10m', (firing) => ({
    [`tandem_database_up{${J},instance="a"}`]: '0x10',
    [`tandem_database_up{${J},instance="b"}`]: `${firing ? 0 : 1}x10`,
  })),
  ...twice('TandemBackupOld', '27h', (firing) => ({
    [`tandem_backup_last_success_timestamp_seconds{${J}}`]: `${firing ? 0 : 7200}x162`,
    [`tandem_backup_interval_seconds{${J}}`]: '86400x162',
  })),
  // The keeper makes no backups: somebody else may.
  {
    name: 'TandemBackupOld',
    at: '27h',
    series: {
      [`tandem_backup_last_success_timestamp_seconds{${J}}`]: '0x162',
      [`tandem_backup_interval_seconds{${J}}`]: '0x162',
    },
    fires: null,
  },
  ...twice('TandemBackupFailed', '5m', (firing) => ({
    [`tandem_backup_last_failure_timestamp_seconds{${J}}`]: `${firing ? 200 : 100}x10`,
    [`tandem_backup_last_success_timestamp_seconds{${J}}`]: '150x10',
  })),
  ...twice('TandemBackupSmall', '18h', (firing) => ({
    [`tandem_backup_last_size_bytes{${J}}`]: `1000x100 ${firing ? 400 : 600}x20`,
  })),
  ...twice('TandemDrillOld', '200h', (firing) => ({
    [`tandem_restore_drill_last_success_timestamp_seconds{${J}}`]: `${firing ? 3600 : 86400}x1300`,
    [`tandem_restore_drill_interval_seconds{${J}}`]: '604800x1300',
  })),
  ...twice('TandemDrillFailed', '5m', (firing) => ({
    [`tandem_restore_drill_last_failure_timestamp_seconds{${J}}`]: `${firing ? 200 : 100}x10`,
    [`tandem_restore_drill_last_success_timestamp_seconds{${J}}`]: '150x10',
  })),
  ...twice('TandemMigrationStuck', '2h', (firing) => ({
    [`tandem_migration_phase{${J},phase="copying"}`]: '1x120',
    [`tandem_migration_runner{${J}}`]: '1x120',
    [`tandem_migration_progress_timestamp_seconds{${J}}`]: firing ? '0x120' : '0+60x120',
  })),
  // No command works on it; and somebody said that it should wait.
  ...twice('TandemMigrationStuck', '2h', (firing) => ({
    [`tandem_migration_phase{${J},phase="draining"}`]: '1x120',
    [`tandem_migration_runner{${J}}`]: '0x120',
    [`tandem_migration_progress_timestamp_seconds{${J}}`]: '0+60x120',
    [`tandem_throttled{${J},work="migration",reason="paused"}`]: `${firing ? 0 : 1}x120`,
  })),
  ...twice('TandemQuarantine', '10m', (firing) => ({
    [`tandem_migration_quarantined_rows{${J}}`]: `${firing ? 3 : 0}x10`,
  })),
];
