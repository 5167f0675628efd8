import type { Command } from 'commander';
import { ExitCode } from '../../engine/errors.ts';
import { bakingRun, olderBackends, type Recycled, recycle } from '../../engine/recycle.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';
import { withReporter } from '../reporter.ts';

export function recycleCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(program.command('recycle'))
    .summary('end idle backends that are older than the cutover')
    .description(
      'End the idle backends that are older than the cutover, one by one: statements that they have cached may still mean the old tables. Their clients connect anew. Backends that are active or in a transaction are left alone.',
    )
    .option('--yes', 'do not ask')
    .option('--json', 'the outcome as one line; needs --yes');
  withExamples(command, [['tandem status', 'counts them'], ['tandem recycle']]).action(
    (options: CommonOptions & { yes?: boolean }) =>
      run(async (terminal) => {
        assertConfirmable(terminal, options);
        return withDatabase(options, { writes: true }, async (pool) => {
          const idle = (await olderBackends(pool, await bakingRun(pool)))?.idle ?? 0;
          if (idle > 0)
            await confirm(
              terminal,
              options,
              `End ${backends(idle)} older than the cutover? Their clients connect anew.`,
            );
          await withReporter(terminal, { json: options.json ?? false, tasks: [] }, async () => {
            const { ended, left } = await recycle(pool, terminal.signal);
            return { summary: summaryOf({ ended, left }), fields: { ended, left } };
          });
          return ExitCode.done;
        });
      }),
  );
}

function summaryOf({ ended, left }: Recycled): string {
  return [
    ended === 0 ? 'No idle backend was ended.' : `Ended ${backends(ended)}.`,
    ...left.map(({ reason, backends: n }) => `Left ${n}: ${reason}.`),
  ].join('\n');
}

function backends(n: number): string {
  return `${n} idle ${n === 1 ? 'backend' : 'backends'}`;
}
