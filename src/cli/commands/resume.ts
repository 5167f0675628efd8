import type { Command } from 'commander';
import { setPaused } from '../../engine/control.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { controlTables } from '../control-tables.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';

export function resumeCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(program.command('resume'))
    .summary('let what is paused go on')
    .description('Let a paused run, and the archiving, go on.');
  withExamples(command, [['tandem resume']]).action((options: CommonOptions) =>
    run((terminal) =>
      withDatabase(options, { writes: true }, async (pool) => {
        const tables = await controlTables(pool);
        for (const { table } of tables) await setPaused(pool, false, table);
        const isRun = tables.some(({ who }) => who === 'the run');
        terminal.line(`Going on.${isRun ? ' A run that was stopped goes on with `tandem migrate`.' : ''}`);
        return ExitCode.done;
      }),
    ),
  );
}
