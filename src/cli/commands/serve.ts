import type { Command } from 'commander';
import { addSessionsMetrics } from '../../../plans/sessions/keeper/metrics.ts';
import { monitoringTasks } from '../../../plans/sessions/keeper/monitoring-tasks.ts';
import { writePolicy } from '../../../plans/sessions/keeper/policy.ts';
import { writeStatsPolicy } from '../../../plans/sessions/keeper/stats-policy.ts';
import { defaultTaskSettings, keeperTasks } from '../../../plans/sessions/keeper/tasks.ts';
import { describeUrl } from '../../db/connect.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type KeeperEvent, messageOf, runKeeper } from '../../keeper/keeper.ts';
import { createMetrics } from '../../keeper/metrics.ts';
import { startHttp } from '../../server/http.ts';
import { parseListen } from '../../server/listen.ts';
import { type PlanOptions, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';
import { webhookOf } from '../webhook.ts';

const LISTEN = '127.0.0.1:9787';

export function serveCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('serve'))
    .summary('keep the result healthy')
    .description(
      'Stay, and keep the result healthy: archive idle sessions, refresh session_stats, bring the retired tables up to date while a migration bakes; serve /metrics for Prometheus, /healthz and /readyz. Several may run: one works, the others wait for its lease to end. Writes JSON, one event a line.',
    )
    .option('--listen <address>', 'host:port; beyond this machine, TANDEM_TOKEN must be set', LISTEN)
    .option('--allow-host <names...>', 'names under which it may be asked beside this machine’s own')
    .option('--read-only', 'run no task, only serve');
  withExamples(command, [
    ['tandem serve'],
    ['tandem serve --listen 127.0.0.1:9000 --read-only', 'figures, and nothing else'],
  ]).action((options: PlanOptions & { listen: string; allowHost?: string[]; readOnly?: boolean }) =>
    run(async (terminal) => {
      const listen = parseListen(options.listen);
      return withKeeper(options, async ({ pool, names, wanted, wantedStats, monitoring, backups }) => {
        if (wanted !== null && !options.readOnly) await writePolicy(pool, wanted);
        if (wantedStats !== null && !options.readOnly) await writeStatsPolicy(pool, wantedStats);
        const log = (event: KeeperEvent) => terminal.line(JSON.stringify({ at: new Date().toISOString(), ...event }));
        const watching = monitoringTasks({
          pool,
          names,
          monitoring,
          backups,
          webhook: webhookOf(monitoring, process.env),
          database: describeUrl(options.databaseUrl ?? ''),
          log,
          onProbe: (probe) => figures.probed(probe),
        });
        const tasks = options.readOnly ? [] : [...keeperTasks(pool, names, defaultTaskSettings), ...watching];
        const metrics = createMetrics(tasks.map(({ name }) => name));
        const figures = addSessionsMetrics({
          metrics,
          pool,
          names,
          settings: { monitoring, backups },
          onError: (error) => log({ event: 'error', task: 'metrics', message: messageOf(error) }),
        });
        const http = await startHttp({
          listen,
          token: process.env['TANDEM_TOKEN'] || null,
          allowedHosts: options.allowHost ?? [],
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
          if (tasks.length > 0) await runKeeper({ pool, tasks, metrics, log, signal: terminal.signal });
          else await new Promise((resolve) => terminal.signal.addEventListener('abort', resolve, { once: true }));
        } finally {
          await http.close();
        }
        return ExitCode.done;
      });
    }),
  );
}
