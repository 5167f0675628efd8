import { phases } from '../../../src/engine/events.ts';
import type { MetricDefinition } from '../../../src/keeper/metric-set.ts';
import { statuses } from './partitions.ts';

export const languages = ['en', 'es', 'fr', 'de'] as const;
export const transitionNames = ['archived', 'deleted', 'purged'] as const;
export const purgedTables = ['sessions', 'messages', 'message_feedback'] as const;
export const movedTables = ['sessions', 'messages'] as const;
export const severities = ['warning', 'critical'] as const;
export const throttledWork = ['migration', 'archiving'] as const;
export const throttleReasons = ['paused', 'max-lag', 'max-wal-rate', 'max-active', 'sql'] as const;

/** The series of the plan `sessions`. */
export const sessionsMetricDefinitions = {
  partitionBytes: {
    type: 'gauge',
    name: 'tandem_partition_bytes',
    help: 'Size of a partition of sessions with its indexes',
    labels: { status: statuses },
    of: 'database',
  },
  partitionLimit: {
    type: 'gauge',
    name: 'tandem_partition_limit_bytes',
    help: 'How large it may become: monitoring.partitionLimits of the plan file',
    labels: { status: statuses },
    of: 'database',
  },
  partitionRows: {
    type: 'gauge',
    name: 'tandem_partition_rows',
    help: 'Rows of a partition of sessions, as of the last ANALYZE',
    labels: { status: statuses },
    of: 'database',
  },
  moved: {
    type: 'counter',
    name: 'tandem_archive_sessions_total',
    help: 'Sessions that archiving moved on, by what became of them',
    labels: { transition: transitionNames },
    of: 'database',
  },
  due: {
    type: 'gauge',
    name: 'tandem_archive_due_sessions',
    help: 'Sessions that the next run of archiving would move on; counted once a minute at most',
    labels: { transition: transitionNames },
    of: 'database',
  },
  oldestDue: {
    type: 'gauge',
    name: 'tandem_archive_oldest_due_timestamp_seconds',
    help: 'Since when the one is due that has waited for longest; 0 where none is due',
    labels: { transition: transitionNames },
    of: 'database',
  },
  holds: { type: 'gauge', name: 'tandem_session_holds', help: 'Sessions that are held', of: 'database' },
  purged: {
    type: 'counter',
    name: 'tandem_purged_rows_total',
    help: 'Rows that purging deleted for good',
    labels: { table: purgedTables },
    of: 'database',
  },
  statsSnapshot: {
    type: 'gauge',
    name: 'tandem_stats_snapshot_timestamp_seconds',
    help: 'As of when session_stats is up to date; 0 where it was never refreshed',
    of: 'database',
  },
  statsRefresh: {
    type: 'histogram',
    name: 'tandem_stats_refresh_duration_seconds',
    help: 'How long refreshes of session_stats took, whoever ran them, since this keeper began',
    buckets: [0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
    of: 'database',
  },
  statsInterval: {
    type: 'gauge',
    name: 'tandem_stats_refresh_interval_seconds',
    help: 'How often session_stats is looked at, where a refresh costs little',
    of: 'database',
  },
  dirty: {
    type: 'gauge',
    name: 'tandem_stats_dirty_sessions',
    help: 'Sessions whose changes are not in session_stats yet',
    of: 'database',
  },
  drifted: {
    type: 'gauge',
    name: 'tandem_stats_drifted_sessions',
    help: 'Sessions whose figures the last recount found wrong, and put right',
    of: 'database',
  },
  probe: {
    type: 'histogram',
    name: 'tandem_search_probe_duration_seconds',
    help: 'How long the probe of the search took, a query in each language',
    labels: { language: languages },
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    of: 'keeper',
  },
  probeFailures: {
    type: 'counter',
    name: 'tandem_search_probe_failures_total',
    help: 'Probes of the search that failed',
    labels: { language: languages },
    of: 'keeper',
  },
  pendingPages: {
    type: 'gauge',
    name: 'tandem_search_index_pending_pages',
    help: 'Pages of messages_content_search_idx that wait to be merged: 0 with fastupdate off, as the plan makes it; NaN where it is on and the extension pgstattuple is not there, or may not be used',
    of: 'database',
  },
  backupSuccess: {
    type: 'gauge',
    name: 'tandem_backup_last_success_timestamp_seconds',
    help: 'When the newest backup of the keeper began that it finished; 0 where there is none',
    of: 'database',
  },
  backupFailure: {
    type: 'gauge',
    name: 'tandem_backup_last_failure_timestamp_seconds',
    help: 'When the last backup began that failed; 0 where none did',
    of: 'database',
  },
  backupSize: {
    type: 'gauge',
    name: 'tandem_backup_last_size_bytes',
    help: 'Size of the files of the newest finished backup',
    of: 'database',
  },
  backupInterval: {
    type: 'gauge',
    name: 'tandem_backup_interval_seconds',
    help: 'How often a backup is made: backups.everyHours of the plan file; 0 where the keeper makes none',
    of: 'database',
  },
  drillSuccess: {
    type: 'gauge',
    name: 'tandem_restore_drill_last_success_timestamp_seconds',
    help: 'When the last restore drill began that ended well; 0 where none did',
    of: 'database',
  },
  drillFailure: {
    type: 'gauge',
    name: 'tandem_restore_drill_last_failure_timestamp_seconds',
    help: 'When the last restore drill began that failed; 0 where none did',
    of: 'database',
  },
  drillInterval: {
    type: 'gauge',
    name: 'tandem_restore_drill_interval_seconds',
    help: 'How often a backup is drilled: backups.drillEveryHours of the plan file; 0 where never',
    of: 'database',
  },
  phase: {
    type: 'gauge',
    name: 'tandem_migration_phase',
    help: '1 for the phase that the migration is in; `none` before there was one',
    labels: { phase: phases },
    of: 'database',
  },
  runner: {
    type: 'gauge',
    name: 'tandem_migration_runner',
    help: '1 while a command works on the migration',
    of: 'database',
  },
  progress: {
    type: 'gauge',
    name: 'tandem_migration_progress_timestamp_seconds',
    help: 'When the open migration last finished a batch or a step; 0 where none is open',
    of: 'database',
  },
  copied: {
    type: 'gauge',
    name: 'tandem_migration_copied_rows',
    help: 'Rows that the open migration has copied',
    labels: { table: movedTables },
    of: 'database',
  },
  lag: {
    type: 'gauge',
    name: 'tandem_migration_lag_rows',
    help: 'Changes that the open migration has not applied yet, counted up to a million',
    labels: { table: movedTables },
    of: 'database',
  },
  quarantined: {
    type: 'gauge',
    name: 'tandem_migration_quarantined_rows',
    help: 'Rows that the open migration set aside, because the new shape cannot hold them',
    of: 'database',
  },
  throttled: {
    type: 'gauge',
    name: 'tandem_throttled',
    help: '1 while the migration, or archiving, is held back for this reason',
    labels: { work: throttledWork, reason: throttleReasons },
    of: 'database',
  },
  firing: {
    type: 'gauge',
    name: 'tandem_alerts_firing',
    help: 'Conditions of the built-in alerting that hold',
    labels: { severity: severities },
    of: 'database',
  },
} as const satisfies Record<string, MetricDefinition>;
