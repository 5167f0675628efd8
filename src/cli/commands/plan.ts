import { type Command, Option } from 'commander';
import { diskFreeOption, wholeNumber, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';
import { type ShowPlanOptions, showPlan } from '../show-plan.ts';

export function planCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('plan'))
    .summary('what a run would do: reads only')
    .description(
      'Read only: every statement, its lock, what it costs, sizes, disk need, findings, estimated time. Exit 1 where a finding blocks.',
    )
    .addOption(
      new Option('--workers <n>', 'parallel copy workers').default(2).argParser(wholeNumber('--workers', 1, 32)),
    )
    .option('--create-auth', 'plan with the stand-in for auth.users, auth.uid() and the API roles')
    .option('--backup-dir <dir>', 'plan with a backup')
    .addOption(diskFreeOption())
    .addOption(new Option('--sql', 'every statement in full, the rest as comments').conflicts('json'))
    .option('--json', 'one document');
  withExamples(command, [
    ['tandem plan'],
    ['tandem plan --sql > plan.sql', 'every statement, to be read'],
    ['tandem plan --json | jq .findings'],
  ]).action((options: ShowPlanOptions) => run((terminal) => showPlan(terminal, options)));
}
