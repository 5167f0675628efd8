import type { Pool } from 'pg';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import type { BackupSettings, MonitoringSettings } from '../../plans/sessions/keeper/monitoring-config.ts';
import type { ArchivePolicy } from '../../plans/sessions/keeper/policy.ts';
import type { StatsPolicy } from '../../plans/sessions/keeper/stats-policy.ts';
import { type SessionsNames, sessionsNames } from '../../plans/sessions/names.ts';
import { loadConfig } from './config-file.ts';
import { type PlanOptions, withDatabase } from './connection.ts';

export interface Keeper {
  readonly pool: Pool;
  readonly names: SessionsNames;
  /** What the plan file says of archiving; null where it says nothing, and the table's policy stands. */
  readonly wanted: ArchivePolicy | null;
  /** What it says of the statistics. */
  readonly wantedStats: StatsPolicy | null;
  readonly monitoring: MonitoringSettings;
  /** Null where the plan file asks for none. */
  readonly backups: BackupSettings | null;
}

/** Connects to a migrated database, with the keeper's tables in it. */
export async function withKeeper<T>(options: PlanOptions, work: (keeper: Keeper) => Promise<T>): Promise<T> {
  const config = await loadConfig(options.plan);
  const names = sessionsNames(config);
  return withDatabase(options, { writes: true }, async (pool) => {
    await installKeeper(pool, names);
    const { archiving = null, statistics = null, backups = null, monitoring } = config;
    return work({ pool, names, wanted: archiving, wantedStats: statistics, monitoring, backups });
  });
}
