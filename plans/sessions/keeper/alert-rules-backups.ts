import type { AlertRule } from './alert-rules.ts';
import { thresholds as t } from './alert-thresholds.ts';

const MINUTE = 60;
const HOUR = 3600;

const hours = (seconds: number) => `${(seconds / HOUR).toFixed(0)} hours`;

/** Where the keeper makes backups (its interval is not 0): none in time, a small one, none that comes back. */
export const backupRules: readonly AlertRule[] = [
  {
    name: 'TandemBackupOld',
    severity: 'critical',
    holds: 30 * MINUTE,
    expr: `time() - max by (job) (tandem_backup_last_success_timestamp_seconds) > max by (job) (tandem_backup_interval_seconds > 0) + ${t.backupGrace}`,
    summary: 'The newest backup is {{ $value | humanizeDuration }} old',
    find: ({ now, backups, backupSettings }) => {
      if (backupSettings === null) return [];
      const age = (now.getTime() - (backups.lastSuccess?.getTime() ?? 0)) / 1000;
      if (age <= backupSettings.everyHours * HOUR + t.backupGrace) return [];
      const what = backups.lastSuccess === null ? 'There is no backup yet' : `The newest backup is ${hours(age)} old`;
      return [{ label: '', summary: what }];
    },
  },
  {
    name: 'TandemBackupFailed',
    severity: 'warning',
    holds: 0,
    expr: 'max by (job) (tandem_backup_last_failure_timestamp_seconds) > max by (job) (tandem_backup_last_success_timestamp_seconds)',
    summary: 'The last backup failed',
    find: ({ backups: { lastSuccess, lastFailure } }) =>
      lastFailure !== null && (lastSuccess === null || lastFailure > lastSuccess)
        ? [{ label: '', summary: 'The last backup failed' }]
        : [],
  },
  {
    name: 'TandemBackupSmall',
    severity: 'warning',
    holds: 5 * MINUTE,
    expr: `max by (job) (tandem_backup_last_size_bytes) < ${t.backupShare} * max by (job) (quantile_over_time(0.5, tandem_backup_last_size_bytes[14d]))`,
    summary: 'The newest backup has {{ $value | humanize1024 }}B, less than half of what is usual',
    find: ({ backups: { lastBytes, usualBytes } }) =>
      usualBytes !== null && lastBytes < t.backupShare * usualBytes
        ? [{ label: '', summary: `The newest backup has ${lastBytes} bytes; ${usualBytes} are usual` }]
        : [],
  },
  {
    name: 'TandemDrillOld',
    severity: 'warning',
    holds: HOUR,
    expr: `time() - max by (job) (tandem_restore_drill_last_success_timestamp_seconds) > max by (job) (tandem_restore_drill_interval_seconds > 0) + ${t.drillGrace}`,
    summary: 'No backup was restored as a drill for {{ $value | humanizeDuration }}',
    find: ({ now, backups, backupSettings }) => {
      const every = backupSettings?.drillEveryHours ?? null;
      if (every === null) return [];
      const age = (now.getTime() - (backups.lastDrillSuccess?.getTime() ?? 0)) / 1000;
      if (age <= every * HOUR + t.drillGrace) return [];
      const since = backups.lastDrillSuccess === null ? 'yet' : `for ${hours(age)}`;
      return [{ label: '', summary: `No backup was restored as a drill ${since}` }];
    },
  },
  {
    name: 'TandemDrillFailed',
    severity: 'critical',
    holds: 0,
    expr: 'max by (job) (tandem_restore_drill_last_failure_timestamp_seconds) > max by (job) (tandem_restore_drill_last_success_timestamp_seconds)',
    summary: 'The last restore drill failed: the backup does not come back',
    find: ({ backups: { lastDrillSuccess, lastDrillFailure } }) =>
      lastDrillFailure !== null && (lastDrillSuccess === null || lastDrillFailure > lastDrillSuccess)
        ? [{ label: '', summary: 'The last restore drill failed: the backup does not come back' }]
        : [],
  },
];
