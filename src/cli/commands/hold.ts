import type { Command } from 'commander';
import { listHolds, placeHold } from '../../../plans/sessions/keeper/holds.ts';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import { type PlanOptions, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';
import { sessionId } from '../session-id.ts';

export function holdCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(
    program.command('hold').argument('[id]', 'the session; without it, the sessions that are held are listed'),
  )
    .summary('keep a session from being moved or deleted')
    .description(
      'Hold a session: `tandem archive` leaves it where it is, and nobody can delete it, or delete or rewrite its messages and scores, whoever asks for it, until `tandem release`.',
    )
    .option('--reason <text>', 'why; whoever is refused reads it')
    .option('--json', 'the holds as one document');
  withExamples(command, [
    ['tandem hold 0b1c7e2a-5a0f-4c3e-9d1b-2f6a7c8d9e0f --reason "a dispute"'],
    ['tandem hold', 'lists the sessions that are held'],
  ]).action((id: string | undefined, options: PlanOptions & { reason?: string }) =>
    run((terminal) => {
      const session = id === undefined ? null : sessionId(id);
      const reason = options.reason?.trim() ?? '';
      if (session !== null && reason === '')
        throw new TandemError('TD008', 'A hold wants a reason.', { hint: 'Add --reason "…".' });
      return withKeeper(options, async ({ pool }) => {
        if (session !== null) await placeHold(pool, session, reason);
        const holds = await listHolds(pool);
        if (options.json) terminal.line(JSON.stringify({ holds }, null, 2));
        else if (session !== null) terminal.line(`Session ${session} is held. \`tandem release ${session}\` ends it.`);
        else if (holds.length === 0) terminal.line('No session is held.');
        else
          for (const hold of holds)
            terminal.line(
              `${hold.session_id}  ${hold.placed_at.toISOString().slice(0, 10)}  ${hold.placed_by}: ${hold.reason}`,
            );
        return ExitCode.done;
      });
    }),
  );
}
