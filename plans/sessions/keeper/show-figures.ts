import { phases } from '../../../src/engine/events.ts';
import type { MetricSet } from '../../../src/keeper/metric-set.ts';
import type { Figures, KeeperFigures } from './figures.ts';
import {
  movedTables,
  purgedTables,
  type sessionsMetricDefinitions,
  severities,
  type throttledWork,
  throttleReasons,
  transitionNames,
} from './metric-definitions.ts';
import type { MigrationFigures } from './migration-figures.ts';
import type { BackupSettings, MonitoringSettings } from './monitoring-config.ts';
import { statuses } from './partitions.ts';

export type SessionsMetricSet = MetricSet<typeof sessionsMetricDefinitions>;

export interface MetricsSettings {
  readonly monitoring: MonitoringSettings;
  /** Null: the keeper makes none. */
  readonly backups: BackupSettings | null;
}

const HOUR = 3600;
const seconds = (date: Date | null) => (date === null ? 0 : date.getTime() / 1000);

/** Puts the figures of the database into the series. */
export function showFigures(set: SessionsMetricSet, { keeper, migration }: Figures, settings: MetricsSettings): void {
  showSettings(set, settings);
  showMigration(set, migration);
  if (keeper !== null) showKeeper(set, keeper);
}

function showSettings(set: SessionsMetricSet, { monitoring, backups }: MetricsSettings): void {
  for (const status of statuses) set.partitionLimit.set({ status }, monitoring.partitionLimits[status]);
  set.backupInterval.set((backups?.everyHours ?? 0) * HOUR);
  set.drillInterval.set((backups?.drillEveryHours ?? 0) * HOUR);
}

function showKeeper(set: SessionsMetricSet, keeper: KeeperFigures): void {
  for (const { status, bytes, rows } of keeper.partitions) {
    set.partitionBytes.set({ status }, bytes);
    set.partitionRows.set({ status }, rows ?? 0);
  }
  set.moved.reset();
  for (const transition of transitionNames) {
    const due = keeper.overdue.find((d) => d.transition === transition);
    set.due.set({ transition }, due?.sessions ?? 0);
    set.oldestDue.set({ transition }, seconds(due?.since ?? null));
    set.moved.inc({ transition }, keeper.moved[transition]);
  }
  set.purged.reset();
  for (const table of purgedTables) set.purged.inc({ table }, keeper.purgedRows[table]);
  set.holds.set(keeper.holds);
  set.statsSnapshot.set(seconds(keeper.statsAsOf));
  set.statsInterval.set(keeper.statsEverySeconds);
  set.dirty.set(keeper.dirtySessions);
  set.drifted.set(keeper.driftedSessions);
  set.pendingPages.set(keeper.pendingPages ?? Number.NaN);
  set.backupSuccess.set(seconds(keeper.backups.lastSuccess));
  set.backupFailure.set(seconds(keeper.backups.lastFailure));
  set.backupSize.set(keeper.backups.lastBytes);
  set.drillSuccess.set(seconds(keeper.backups.lastDrillSuccess));
  set.drillFailure.set(seconds(keeper.backups.lastDrillFailure));
  showThrottle(set, 'archiving', keeper.waitingFor);
  for (const severity of severities) set.firing.set({ severity }, keeper.firing[severity]);
}

function showMigration(set: SessionsMetricSet, migration: MigrationFigures): void {
  for (const phase of phases) set.phase.set({ phase }, phase === migration.phase ? 1 : 0);
  set.runner.set(migration.hasRunner ? 1 : 0);
  set.progress.set(seconds(migration.progressAt));
  for (const table of movedTables) {
    const figures = migration.tables.find((t) => t.table === table);
    set.copied.set({ table }, figures?.copied ?? 0);
    set.lag.set({ table }, figures?.lag ?? 0);
  }
  set.quarantined.set(migration.quarantined);
  showThrottle(set, 'migration', migration.waitingFor);
}

function showThrottle(set: SessionsMetricSet, work: (typeof throttledWork)[number], waitingFor: string | null): void {
  for (const reason of throttleReasons) set.throttled.set({ work, reason }, waitingFor?.startsWith(reason) ? 1 : 0);
}
