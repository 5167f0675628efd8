import type { Command } from 'commander';
import { fileOfSession, type Restored, unarchive } from '../../../plans/sessions/keeper/unarchive.ts';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import { colors as pc } from '../colors.ts';
import { type PlanOptions, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { formatCount } from '../format.ts';
import { withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';
import { sessionId } from '../session-id.ts';

export function unarchiveCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(
    program.command('unarchive').argument('[file]', 'a file of purged sessions; default: the one that --session is in'),
  )
    .summary('bring purged sessions back from a file')
    .description(
      'Bring sessions back that were purged under a policy with an archive directory, with their messages and feedback and the rows of other tables that went with them, exactly as they were: soft-deleted. A session that is there already is left alone. Exit code 1 where one could not be brought back.',
    )
    .option('--session <id>', 'this one alone')
    .option('--json', 'one document');
  withExamples(command, [
    ['tandem unarchive /var/purged/purged-20260401T030000Z-17-a1b2c3.jsonl.gz'],
    ['tandem unarchive --session 0b1c7e2a-5a0f-4c3e-9d1b-2f6a7c8d9e0f'],
  ]).action((file: string | undefined, options: PlanOptions & { session?: string }) =>
    run((terminal) => {
      const session = options.session === undefined ? null : sessionId(options.session);
      if (file === undefined && session === null)
        throw new TandemError('TD008', 'What is to be brought back is not said.', {
          hint: 'Give a file, or --session ID.',
        });
      return withKeeper(options, async ({ pool, names }) => {
        const path = file ?? (await fileOfSession(pool, session ?? ''));
        const sessions = await unarchive(pool, names, path, session, terminal.signal);
        const refused = sessions.filter(({ outcome }) => outcome === 'refused');
        if (options.json) terminal.line(JSON.stringify({ ok: refused.length === 0, file: path, sessions }, null, 2));
        else {
          terminal.line(renderSessions(sessions));
          for (const { session: id, reason } of refused) terminal.line(`${pc.red('refused')}  ${id}  ${reason}`);
        }
        return refused.length === 0 ? ExitCode.done : ExitCode.failedCheck;
      });
    }),
  );
}

function renderSessions(sessions: readonly Restored[]): string {
  const of = (outcome: Restored['outcome']) => sessions.filter((s) => s.outcome === outcome);
  const back = of('restored');
  const sum = (key: 'messages' | 'feedback' | 'others') => formatCount(back.reduce((total, s) => total + s[key], 0));
  const present = of('present').length;
  const others = back.some((s) => s.others > 0) ? `, and ${sum('others')} rows of other tables` : '';
  return `${formatCount(back.length)} sessions are back, with ${sum('messages')} messages and ${sum('feedback')} scores${others}${
    present === 0 ? '' : `; ${formatCount(present)} were there already, and were left as they are`
  }.`;
}
