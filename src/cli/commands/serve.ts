import type { Command } from 'commander';
import { ExitCode } from '../../engine/errors.ts';
import type { KeeperEvent } from '../../keeper/keeper.ts';
import { parseListen } from '../../server/listen.ts';
import { loadConfig } from '../config-file.ts';
import { type PlanOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { startServing } from '../serving.ts';
import { affectedOption } from './archive.ts';

export const LISTEN = '127.0.0.1:9787';

export function serveCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('serve'))
    .summary('keep the result healthy')
    .description(
      'Stay, and keep the result healthy: archive idle sessions, refresh session_stats, bring the retired tables up to date while a migration bakes; serve the dashboard, /metrics for Prometheus, /healthz and /readyz. May be started before the migration, and then shows it. Several may run: one works, the others wait for its lease to end. Writes JSON, one event a line.',
    )
    .option('--listen <address>', 'host:port; beyond this machine, TANDEM_TOKEN must be set', LISTEN)
    .option(
      '--allow-host <names...>',
      'names, such as a proxy’s, under which it may be asked; TANDEM_TOKEN must be set',
    )
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
      const allowedHosts = options.allowHost ?? [];
      const log = (event: KeeperEvent) => terminal.line(JSON.stringify({ at: new Date().toISOString(), ...event }));
      return withDatabase(options, { writes: !readOnly, readOnly }, async (pool, databaseUrl) => {
        const { affected = 0 } = options;
        const asked = { plan, config, readOnly, listen, allowedHosts, affected };
        const serving = await startServing({ pool, databaseUrl, env: process.env, log, ...asked });
        // Ctrl-C is how it ends: there is nothing to say about it.
        terminal.onStop(() => undefined);
        log({ event: 'listening', url: serving.url });
        await serving.keep(terminal.signal).finally(serving.close);
        return ExitCode.done;
      });
    }),
  );
}
