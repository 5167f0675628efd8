import type { Command } from 'commander';
import type { Pool } from 'pg';
import { addSessionsMetrics } from '../../../plans/sessions/keeper/metrics.ts';
import { monitoringTasks } from '../../../plans/sessions/keeper/monitoring-tasks.ts';
import { defaultTaskSettings, keeperTasks } from '../../../plans/sessions/keeper/tasks.ts';
import { sessionsNames } from '../../../plans/sessions/names.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type KeeperEvent, messageOf } from '../../keeper/keeper.ts';
import { createMetrics } from '../../keeper/metrics.ts';
import { createDashboard } from '../../server/dashboard.ts';
import { environmentOf } from '../../server/environment.ts';
import { startHttp } from '../../server/http.ts';
import { parseListen } from '../../server/listen.ts';
import { loadConfig } from '../config-file.ts';
import { type PlanOptions, runOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { keepWhileMigrated } from '../keep-while-migrated.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { webhookOf } from '../webhook.ts';
import { affectedOption } from './archive.ts';

const LISTEN = '127.0.0.1:9787';

export function serveCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('serve'))
    .summary('keep the result healthy')
    .description(
      'Stay, and keep the result healthy: archive idle sessions, refresh session_stats, bring the retired tables up to date while a migration bakes; serve the dashboard, /metrics for Prometheus, /healthz and /readyz. May be started before the migration, and then shows it. Several may run: one works, the others wait for its lease to end. Writes JSON, one event a line.',
    )
    .option('--listen <address>', 'host:port; beyond this machine, TANDEM_TOKEN must be set', LISTEN)
    .option('--allow-host <names...>', 'names under which it may be asked beside this machine’s own')
    .addOption(affectedOption())
    .option('--read-only', 'run no task, refuse every change, only serve');
  withExamples(command, [
    ['tandem serve'],
    ['tandem serve --listen 127.0.0.1:9000 --read-only', 'figures, and nothing else'],
  ]).action((options: PlanOptions & { listen: string; allowHost?: string[]; readOnly?: boolean; affected?: number }) =>
    run(async (terminal) => {
      const listen = parseListen(options.listen);
      const readOnly = options.readOnly ?? false;
      const config = await loadConfig(options.plan);
      const plan = await loadPlan(options);
      const names = sessionsNames(config);
      const { monitoring, backups = null } = config;
      return withDatabase(options, { writes: !readOnly, readOnly }, async (pool, databaseUrl) => {
        const log = (event: KeeperEvent) => terminal.line(JSON.stringify({ at: new Date().toISOString(), ...event }));
        const watching = monitoringTasks({
          pool,
          names,
          monitoring,
          backups,
          webhook: webhookOf(monitoring, process.env),
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
          environment: environmentOf(process.env['TANDEM_ENVIRONMENT'] || config.environment, databaseUrl),
          readOnly,
        });
        const http = await startHttp({
          listen,
          token: process.env['TANDEM_TOKEN'] || null,
          allowedHosts: options.allowHost ?? [],
          dashboard: dashboard.mount,
          metrics: async () => {
            await figures.collect();
            return metrics.registry.metrics();
          },
          ready: async () => {
            await pool.query('SELECT');
          },
        });
        // Ctrl-C is how it ends: there is nothing to say about it.
        terminal.onStop(() => undefined);
        log({ event: 'listening', url: http.url });
        try {
          const { signal } = terminal;
          const { affected = 0 } = options;
          if (tasks.length > 0) await keepWhileMigrated({ pool, names, config, affected, tasks, metrics, log, signal });
          else await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        } finally {
          await dashboard.close();
          await http.close();
        }
        return ExitCode.done;
      });
    }),
  );
}

async function databaseName(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ name: string }>('SELECT current_database() AS name');
  return rows[0]?.name ?? '';
}
