import type { Command } from 'commander';
import { describeUndone } from '../../../plans/sessions/keeper/describe-undone.ts';
import { undoRun } from '../../../plans/sessions/keeper/undo.ts';
import { ExitCode } from '../../engine/errors.ts';
import { colors as pc } from '../colors.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { type PlanOptions, wholeNumber, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';

export function undoCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(
    program.command('undo').argument('[run]', 'the number that `tandem archive` printed; default: its last run'),
  )
    .summary('bring back what an archiving run moved')
    .description(
      'Bring the sessions back that a run of `tandem archive` archived or soft-deleted, with their messages and feedback, within the grace time of the policy. What was deleted for good stays so.',
    )
    .option('--yes', 'do not ask')
    .option('--json', 'one document; needs --yes');
  withExamples(command, [['tandem undo'], ['tandem undo 17 --yes']]).action(
    (number: string | undefined, options: PlanOptions & { yes?: boolean }) =>
      run(async (terminal) => {
        const wanted = number === undefined ? null : wholeNumber('undo', 1)(number);
        assertConfirmable(terminal, options);
        return withKeeper(options, async ({ pool, names }) => {
          await confirm(
            terminal,
            options,
            `Bring back what ${wanted === null ? 'the last run' : `run ${wanted}`} archived and soft-deleted?`,
          );
          const undone = await undoRun(pool, names, wanted, terminal.signal);
          if (options.json) terminal.line(JSON.stringify(undone, null, 2));
          else terminal.line(`${pc.green('Undone')}, run ${undone.run}: ${describeUndone(undone)}.`);
          return ExitCode.done;
        });
      }),
  );
}
