import type { Pool } from 'pg';
import type { SessionsConfig } from '../../plans/sessions/config.ts';
import { addSessionsMetrics } from '../../plans/sessions/keeper/metrics.ts';
import { monitoringTasks } from '../../plans/sessions/keeper/monitoring-tasks.ts';
import { defaultTaskSettings, keeperTasks } from '../../plans/sessions/keeper/tasks.ts';
import { sessionsNames } from '../../plans/sessions/names.ts';
import type { Plan } from '../engine/step.ts';
import { type KeeperEvent, messageOf } from '../keeper/keeper.ts';
import { createMetrics } from '../keeper/metrics.ts';
import { createDashboard, type DashboardOptions } from '../server/dashboard.ts';
import { environmentOf } from '../server/environment.ts';
import { assertGuarded, startHttp } from '../server/http.ts';
import type { ListenAddress } from '../server/listen.ts';
import { runOptions } from './connection.ts';
import { keepWhileMigrated } from './keep-while-migrated.ts';
import { webhookOf } from './webhook.ts';

export interface ServingOptions {
  readonly pool: Pool;
  readonly databaseUrl: string;
  readonly plan: Plan;
  readonly config: SessionsConfig;
  readonly readOnly: boolean;
  readonly listen: ListenAddress;
  readonly allowedHosts: readonly string[];
  /** How many sessions a stricter policy of the plan file may move, as somebody confirmed it. */
  readonly affected: number;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (event: KeeperEvent) => void;
  readonly clients?: DashboardOptions['clients'];
}

export interface Serving {
  readonly url: string;
  /** Runs the keeper's tasks from the cutover on, until the signal; where it only reads, nothing but waits. */
  keep(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Dashboard, figures and keeper over one database. @throws TD008 for an address that cannot be listened at */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const { pool, databaseUrl, plan, config, readOnly, listen, allowedHosts, env, log } = options;
  const { monitoring, backups = null } = config;
  const token = env['TANDEM_TOKEN'] || null;
  // Before anything is made in the database.
  assertGuarded({ listen, token, allowedHosts });
  const names = sessionsNames(config);
  const watching = monitoringTasks({
    pool,
    names,
    monitoring,
    backups,
    webhook: webhookOf(monitoring, env),
    databaseUrl,
    log,
    onProbe: (probe) => figures.probed(probe),
  });
  const tasks = readOnly ? [] : [...keeperTasks(pool, names, defaultTaskSettings), ...watching];
  const metrics = createMetrics(tasks.map(({ name }) => name));
  const figures = addSessionsMetrics({
    metrics,
    pool,
    names,
    settings: { monitoring, backups },
    onError: (error) => log({ event: 'error', task: 'metrics', message: messageOf(error) }),
  });
  const dashboard = await createDashboard({
    pool,
    plan,
    config,
    options: runOptions({}),
    database: await databaseName(pool),
    environment: environmentOf(env['TANDEM_ENVIRONMENT'] || config.environment, databaseUrl),
    readOnly,
    ...(options.clients && { clients: options.clients }),
  });
  const http = await startHttp({
    listen,
    token,
    allowedHosts,
    dashboard: dashboard.mount,
    metrics: async () => {
      await figures.collect();
      return metrics.registry.metrics();
    },
    ready: async () => {
      await pool.query('SELECT');
    },
  });
  return {
    url: http.url,
    keep: (signal) =>
      tasks.length > 0
        ? keepWhileMigrated({ pool, names, config, affected: options.affected, tasks, metrics, log, signal })
        : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
    close: async () => {
      await dashboard.close();
      await http.close();
    },
  };
}

async function databaseName(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ name: string }>('SELECT pg_catalog.current_database() AS name');
  return rows[0]?.name ?? '';
}
