import { stripVTControlCharacters } from 'node:util';
import { type Command, Option } from 'commander';
import { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import { sessionsPlan } from '../../../plans/sessions/plan.ts';
import { createPool, type Pool } from '../../db/connect.ts';
import type { DemoReport, MigrationResult, VerificationResult } from '../../demo/demo-report.ts';
import { ExitCode } from '../../engine/errors.ts';
import type { Emit } from '../../engine/events.ts';
import { migrate } from '../../engine/migrate.ts';
import type { Plan } from '../../engine/step.ts';
import { verify } from '../../engine/verify.ts';
import { colors } from '../colors.ts';
import { runOptions, wholeNumber } from '../connection.ts';
import { type DemoDashboard, openDemoDashboard } from '../demo-dashboard.ts';
import { createDemoView } from '../demo-view.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';

export function demoCommand(program: Command, run: RunCommand): void {
  const command = program
    .command('demo')
    .summary('see it work, on a private server')
    .description('See it work: starts a private PostgreSQL, fills it, lets clients write, and migrates it under them.')
    .addOption(
      new Option('--sessions <n>', 'sessions to begin with')
        .default(20_000)
        .argParser(wholeNumber('--sessions', 10, 5_000_000)),
    )
    .addOption(
      new Option('--clients <n>', 'clients that write all the time')
        .default(6)
        .argParser(wholeNumber('--clients', 1, 100)),
    )
    .option('--dashboard', 'serve the dashboard beside it, and stay until Ctrl-C; on a terminal only')
    .option('--debug', 'show where an error came from, with the statement')
    .option('--json', 'one event a line; the last is the report');
  withExamples(command, [
    ['tandem demo'],
    ['tandem demo --dashboard', 'watch it in a browser, and try the actions afterwards; what npm start does'],
    ['tandem demo --sessions 100000 --clients 8', 'more of everything'],
    ['tandem demo --json | tail -n 1 | jq .ledger'],
  ]).action((options: { sessions: number; clients: number; dashboard?: boolean; json?: boolean }) =>
    run(async (terminal) => {
      // Loaded here only: with its phrases it is a good part of the program.
      const [{ runDemo }, { renderReport }] = await Promise.all([
        import('../../demo/demo.ts'),
        import('../../demo/report.ts'),
      ]);
      const json = options.json ?? false;
      const plan = sessionsPlan(sessionsConfigSchema.parse({}));
      const stays = (options.dashboard ?? false) && terminal.interactive && !json;
      const view = createDemoView(terminal, { json, tasks: plan.steps, stays });
      const { signal } = terminal;
      let dashboard: DemoDashboard | null = null;
      const emit: Emit = (event) => {
        if (event.event === 'cutover') dashboard?.showCutover(Date.now());
        view.emit(event);
      };
      const show = (report: DemoReport) => {
        const text = renderReport(report);
        terminal.line(`\n${colors.isColorSupported ? text : stripVTControlCharacters(text)}`);
      };
      const report = await runDemo({
        sessions: options.sessions,
        clients: options.clients,
        signal,
        onStage: view.onStage,
        onProgress: view.onProgress,
        migrate: (url) => withPool(url, 12, (pool) => migrateUnderClients({ pool, plan, emit, signal })),
        verify: (url) => withPool(url, 4, (pool) => verifyAfterwards({ pool, plan, signal })),
        ...(stays && {
          onServer: async (url) => {
            dashboard = await openDemoDashboard(url, plan);
            view.note(colors.cyan(dashboard.url));
          },
          onClients: (clients) => dashboard?.showClients(clients),
          stay: async (found) => {
            await view.close();
            show(found);
            terminal.line(`\n${colors.bold(dashboard?.url ?? '')} stays open; Ctrl-C ends it.`);
            await dashboard?.stay(signal);
          },
          onEnd: async () => dashboard?.close(),
        }),
      }).finally(view.close);
      const cutover_lock_ms = Math.round(report.migration.cutoverLockMs * 10) / 10;
      if (json) terminal.line(JSON.stringify({ event: 'done', cutover_lock_ms, ...report }));
      else if (!stays) show(report);
      return report.ok ? ExitCode.done : ExitCode.failedCheck;
    }),
  );
}

async function withPool<T>(url: string, max: number, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = createPool(url, { max });
  return work(pool).finally(() => pool.end());
}

const settings = runOptions({ createAuth: true });

async function migrateUnderClients(input: {
  pool: Pool;
  plan: Plan;
  emit: Emit;
  signal: AbortSignal;
}): Promise<MigrationResult> {
  const startedAt = performance.now();
  let cutoverAt = 0;
  const emit: Emit = (event) => {
    if (event.event === 'cutover') cutoverAt = Date.now();
    input.emit(event);
  };
  const result = await migrate({ ...input, emit, options: settings, stopBefore: null });
  return {
    cutoverLockMs: result.cutoverLockMs ?? 0,
    rows: result.rows,
    elapsedMs: performance.now() - startedAt,
    cutoverAt,
  };
}

async function verifyAfterwards(input: { pool: Pool; plan: Plan; signal: AbortSignal }): Promise<VerificationResult> {
  const result = await verify({ ...input, options: settings, emit: () => undefined });
  return { ok: result.ok, differences: result.findings.length };
}
