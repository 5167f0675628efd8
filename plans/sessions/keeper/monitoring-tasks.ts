import type { Pool } from 'pg';
import { describeUrl, inTransaction } from '../../../src/db/connect.ts';
import type { KeeperEvent } from '../../../src/keeper/keeper.ts';
import type { Task } from '../../../src/keeper/task.ts';
import type { SessionsNames } from '../names.ts';
import { readHistory } from './alert-figures.ts';
import { findAlerts } from './alert-rules.ts';
import { backupTask } from './backup-task.ts';
import { drillTask } from './drill-task.ts';
import { createFigureReader } from './figures.ts';
import type { BackupSettings, MonitoringSettings } from './monitoring-config.ts';
import { notifyWebhook, type Webhook } from './notify.ts';
import { recordAlerts } from './record-alerts.ts';
import { type Sample, sampleFigures, thinSamples, writeSamples } from './samples.ts';
import { type Probe, probeSearch } from './search-probe.ts';

const ALERTS_EVERY_MS = 30_000;
const THIN_EVERY_MS = 3_600_000;

export interface MonitoringOptions {
  readonly pool: Pool;
  readonly names: SessionsNames;
  readonly monitoring: MonitoringSettings;
  readonly backups: BackupSettings | null;
  /** Null: alerts stand in the log and in keeper.alerts only. */
  readonly webhook: Webhook | null;
  readonly databaseUrl: string;
  readonly log: (event: KeeperEvent) => void;
  /** Told of each probe of the search. */
  readonly onProbe: (probe: Probe) => void;
}

/** Notes figures, tells what is wrong, makes backups and tries them. */
export function monitoringTasks(options: MonitoringOptions): Task[] {
  const { pool, names, backups: settings, databaseUrl, log } = options;
  return [
    samplesTask(options),
    alertsTask(options),
    ...(settings === null
      ? []
      : [backupTask({ pool, names, settings, log }), drillTask({ pool, databaseUrl, settings })]),
  ];
}

function samplesTask(options: MonitoringOptions): Task {
  const { pool, names, monitoring, onProbe, log } = options;
  let thinnedAt = Number.NEGATIVE_INFINITY;
  return {
    name: 'samples',
    everyMs: () => monitoring.sampleEverySeconds * 1000,
    run: async ({ fence }) => {
      const probes = await probeSearch(pool, names);
      for (const probe of probes) {
        onProbe(probe);
        if (probe.error !== null)
          log({ event: 'error', task: 'samples', language: probe.language, message: probe.error.message });
      }
      await inTransaction(pool, async (client) => {
        await fence(client);
        await sampleFigures(client);
        await writeSamples(client, probes.flatMap(probeSamples));
        if (performance.now() - thinnedAt < THIN_EVERY_MS) return;
        await thinSamples(client);
        thinnedAt = performance.now();
      });
      // Nothing that a log needs each minute.
      return null;
    },
  };
}

function probeSamples({ language, seconds, error }: Probe): Sample[] {
  const failed: Sample = { series: 'search_failed', label: language, value: error === null ? 0 : 1 };
  return error === null ? [{ series: 'search_seconds', label: language, value: seconds }, failed] : [failed];
}

function alertsTask(options: MonitoringOptions): Task {
  const { pool, names, monitoring, backups, webhook, databaseUrl, log } = options;
  // As a message may say it.
  const database = describeUrl(databaseUrl);
  const reader = createFigureReader(pool, names, monitoring.partitionLimits);
  return {
    name: 'alerts',
    everyMs: () => ALERTS_EVERY_MS,
    run: async ({ fence, signal }) => {
      const { keeper, migration } = await reader.read();
      if (keeper === null) return null;
      const history = await readHistory(pool);
      const found = findAlerts({ ...keeper, migration, history, backupSettings: backups });
      const changes = await inTransaction(pool, async (client) => {
        await fence(client);
        return recordAlerts(client, found);
      });
      for (const change of changes) log({ event: 'alert', ...change });
      if (webhook === null) return null;
      const { sent, failed } = await notifyWebhook({ pool, webhook, database, fence, signal });
      if (failed > 0)
        log({
          event: 'error',
          task: 'alerts',
          message: `The webhook did not take ${failed} of ${sent + failed} messages.`,
        });
      return sent === 0 ? null : `${sent} sent`;
    },
  };
}
