import type { Command } from 'commander';
import { setPaused } from '../../engine/control.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { openRun } from '../open-run.ts';
import type { RunCommand } from '../program.ts';

export function resumeCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(program.command('resume'))
    .summary('let a paused run go on')
    .description('Let a paused run go on.');
  withExamples(command, [['tandem resume']]).action((options: CommonOptions) =>
    run((terminal) =>
      withDatabase(options, { writes: true }, async (pool) => {
        await openRun(pool);
        await setPaused(pool, false);
        terminal.line('Going on. A run that was stopped goes on with `tandem migrate`.');
        return ExitCode.done;
      }),
    ),
  );
}
