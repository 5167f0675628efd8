import type { Command } from 'commander';
import { releaseHold } from '../../../plans/sessions/keeper/holds.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type PlanOptions, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';
import { sessionId } from '../session-id.ts';

export function releaseCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('release').argument('<id>', 'the session'))
    .summary('end a hold')
    .description('End the hold of a session: it can be moved on and deleted again.');
  withExamples(command, [['tandem release 0b1c7e2a-5a0f-4c3e-9d1b-2f6a7c8d9e0f']]).action(
    (id: string, options: PlanOptions) =>
      run((terminal) => {
        const session = sessionId(id);
        return withKeeper(options, async ({ pool }) => {
          await releaseHold(pool, session);
          terminal.line(`Session ${session} is no longer held.`);
          return ExitCode.done;
        });
      }),
  );
}
