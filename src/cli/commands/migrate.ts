import { type Command, Option } from 'commander';
import type { Pool } from 'pg';
import { parseThrottle, type ThrottleKey, type Throttles } from '../../engine/control.ts';
import { ExitCode } from '../../engine/errors.ts';
import { assertNotBlocked, checkPlan, migrate } from '../../engine/migrate.ts';
import { isOpen, maybeLatestRun } from '../../engine/run-state.ts';
import type { Plan, RunOptions } from '../../engine/step.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import {
  diskFreeOption,
  type PlanOptions,
  runOptions,
  terminateBlockersOption,
  wholeNumber,
  withDatabase,
  withPlanOptions,
} from '../connection.ts';
import { describeFinding } from '../describe-event.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import { migrationOutcome } from '../migration-outcome.ts';
import type { RunCommand } from '../program.ts';
import { withReporter } from '../reporter.ts';
import { showPlan } from '../show-plan.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends PlanOptions {
  stopBefore?: 'cutover';
  wait?: boolean;
  workers: number;
  backupDir?: string;
  gzip?: boolean;
  createAuth?: boolean;
  diskFree?: number;
  lockTimeout: number;
  maxLag?: Throttles;
  maxWalRate?: Throttles;
  maxActive?: Throttles;
  throttleSql?: Throttles;
  dryRun?: boolean;
  terminateBlockers?: boolean;
  yes?: boolean;
}

export function migrateCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('migrate'))
    .summary('run the plan, or go on with it')
    .description(
      'Run the plan, or go on with it: through cutover and the checks after it. Leaves the old tables baking.',
    )
    .addOption(new Option('--stop-before <step>', 'go as far as this and stop').choices(['cutover']))
    .option('--wait', 'with --stop-before: keep draining there until `tandem cutover`')
    .addOption(
      new Option('--workers <n>', 'parallel copy workers').default(2).argParser(wholeNumber('--workers', 1, 32)),
    )
    .option('--backup-dir <dir>', 'write a backup of the tables into this new folder first')
    .option('--gzip', 'compress the backup')
    .option('--create-auth', 'on a plain PostgreSQL: create a stand-in for auth.users, auth.uid() and the API roles')
    .addOption(
      new Option('--lock-timeout <ms>', 'how long one attempt may wait for its locks')
        .default(200)
        .argParser(wholeNumber('--lock-timeout', 10, 10_000)),
    )
    .addOption(terminateBlockersOption())
    .addOption(diskFreeOption())
    .addOption(throttleOption('--max-lag <time>', 'max-lag', 'wait while a standby is further behind, such as 5s'))
    .addOption(
      throttleOption('--max-wal-rate <bytes>', 'max-wal-rate', 'wait while more WAL is written a second, such as 64MB'),
    )
    .addOption(throttleOption('--max-active <n>', 'max-active', 'wait while more other sessions are active'))
    .addOption(throttleOption('--throttle-sql <query>', 'sql', 'wait while a query of your own says true'))
    .option('--dry-run', 'change nothing: what `tandem plan` prints')
    .option('--yes', 'do not ask')
    .option('--json', 'one event a line; needs --yes');
  withExamples(command, [
    ['tandem migrate --backup-dir ./backup'],
    ['tandem migrate --stop-before cutover --workers 4', 'all but the swap'],
    ['tandem migrate --max-lag 5s --max-active 20', 'held back while the server is busy; `tandem throttle` changes it'],
    ['tandem migrate --yes --json | tail -n 1', 'for scripts: how it ended'],
  ]).action((options: Options) =>
    run(async (terminal) => {
      if (options.dryRun) return showPlan(terminal, options);
      assertConfirmable(terminal, options);
      const plan = await loadPlan(options);
      return withDatabase(options, { writes: true }, async (pool) => {
        const settings = runOptions(options);
        if (!options.yes) await askFor(terminal, pool, plan, settings);
        await withReporter(terminal, { json: options.json ?? false, tasks: plan.steps }, async (emit) => {
          const startedAt = performance.now();
          const result = await migrate({
            pool,
            plan,
            options: settings,
            emit,
            signal: terminal.signal,
            stopBefore: options.stopBefore ?? null,
            waitForCutover: options.wait ?? false,
            throttles: { ...options.maxLag, ...options.maxWalRate, ...options.maxActive, ...options.throttleSql },
          });
          return migrationOutcome(result, performance.now() - startedAt);
        });
        return ExitCode.done;
      });
    }),
  );
}

/** An option that says what `tandem throttle key=value` says, from the run's start. */
function throttleOption(flags: string, key: ThrottleKey, description: string): Option {
  return new Option(flags, description).argParser((text: string) => parseThrottle(`${key}=${text}`));
}

/** Shows what was found before it asks: whoever says yes should know. */
async function askFor(terminal: Terminal, pool: Pool, plan: Plan, settings: RunOptions): Promise<void> {
  const latest = await maybeLatestRun(pool);
  if (isOpen(latest)) return confirm(terminal, {}, `Go on with the migration, which is ${latest.phase}?`);
  const findings = await checkPlan(pool, plan, settings);
  for (const finding of findings) for (const line of describeFinding(finding)) terminal.line(line);
  assertNotBlocked(findings);
  await confirm(terminal, {}, 'Begin the migration?');
}
