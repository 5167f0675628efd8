import type { Command } from 'commander';
import { ExitCode } from '../../engine/errors.ts';
import { rehearse } from '../../rehearse/rehearse.ts';
import { renderRehearsal } from '../../rehearse/report.ts';
import { colors } from '../colors.ts';
import { type PlanOptions, runOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';

const DEFAULT_COLUMNS = 100;

export function rehearseCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('rehearse'))
    .summary('which of the application’s statements would break: executes none')
    .description(
      'Parse and plan the application’s statements on today’s tables and on the new ones, and execute none: those of pg_stat_statements, of a file, and of functions, views and policies. Exit 1 where one would break.',
    )
    .option('--statements <file>', 'SQL of the application, each statement ended by a semicolon')
    .option('--json', 'one document');
  withExamples(command, [
    ['tandem rehearse', 'what pg_stat_statements and the functions say'],
    ['tandem rehearse --statements queries.sql'],
    ['tandem rehearse --json | jq \'.statements[] | select(.verdict == "breaks")\''],
  ]).action((options: PlanOptions & { statements?: string }) =>
    run(async (terminal) => {
      const plan = await loadPlan(options);
      return withDatabase(options, { writes: false }, async (pool) => {
        const rehearsal = await rehearse({
          pool,
          plan,
          options: runOptions({}),
          statementsFile: options.statements ?? null,
          signal: terminal.signal,
        });
        if (options.json) terminal.line(JSON.stringify(rehearsal, null, 2));
        else terminal.line(renderRehearsal(rehearsal, colors, process.stdout.columns ?? DEFAULT_COLUMNS));
        return rehearsal.ok ? ExitCode.done : ExitCode.failedCheck;
      });
    }),
  );
}
