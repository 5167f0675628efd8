import type { Command } from 'commander';
import { setPaused } from '../../engine/control.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { controlTables, whoAll } from '../control-tables.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';

export function pauseCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(program.command('pause'))
    .summary('hold a run, or the keeper, before its next batch')
    .description(
      'Hold a run that works in another terminal, and the archiving, before the next batch, until `tandem resume`. The change log goes on.',
    );
  withExamples(command, [['tandem pause']]).action((options: CommonOptions) =>
    run((terminal) =>
      withDatabase(options, { writes: true }, async (pool) => {
        const tables = await controlTables(pool);
        for (const { table } of tables) await setPaused(pool, true, table);
        terminal.line(`Paused. \`tandem resume\` lets ${whoAll(tables)} go on.`);
        return ExitCode.done;
      }),
    ),
  );
}
