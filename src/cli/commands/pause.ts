import type { Command } from 'commander';
import { setPaused } from '../../engine/control.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { openRun } from '../open-run.ts';
import type { RunCommand } from '../program.ts';

export function pauseCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(program.command('pause'))
    .summary('hold a run before its next batch')
    .description(
      'Hold a run that works in another terminal before its next batch, until `tandem resume`. The change log goes on.',
    );
  withExamples(command, [['tandem pause']]).action((options: CommonOptions) =>
    run((terminal) =>
      withDatabase(options, { writes: true }, async (pool) => {
        await openRun(pool);
        await setPaused(pool, true);
        terminal.line('Paused. `tandem resume` lets the run go on.');
        return ExitCode.done;
      }),
    ),
  );
}
