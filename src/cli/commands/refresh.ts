import type { Command } from 'commander';
import { recountStats } from '../../../plans/sessions/keeper/recount.ts';
import { refreshStats } from '../../../plans/sessions/keeper/refresh.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type PlanOptions, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { formatCount, formatDuration } from '../format.ts';
import { withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';

export function refreshCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('refresh'))
    .summary('bring session_stats up to date')
    .description(
      'Fold what was written since the last time into the rollup, refresh session_stats from it beside its readers, and note it in keeper.stats_refreshes. Where nothing was written, nothing is refreshed.',
    )
    .option('--force', 'although nothing was written')
    .option('--recount', 'first count every session anew, and put right what differs')
    .option('--json', 'one document');
  withExamples(command, [['tandem refresh'], ['tandem refresh --json', 'for cron']]).action(
    (options: PlanOptions & { force?: boolean; recount?: boolean }) =>
      run((terminal) =>
        withKeeper(options, async ({ pool, names }) => {
          const signal = terminal.signal;
          const recount = options.recount ? await recountStats({ pool, force: true, signal }) : null;
          const refresh = await refreshStats({ pool, names, force: options.force ?? false, signal });
          if (options.json) {
            terminal.line(JSON.stringify({ ...refresh, recount }, null, 2));
            return ExitCode.done;
          }
          if (recount !== null)
            terminal.line(
              `${formatCount(recount.sessions)} sessions counted anew: ${recount.drifted === 0 ? 'all figures were right' : `${formatCount(recount.drifted)} had wrong figures, which were put right`}.`,
            );
          if (refresh.mode === 'skipped') terminal.line('Nothing was written since the last refresh.');
          else
            terminal.line(
              `session_stats: ${formatCount(refresh.rows ?? 0)} rows in ${formatDuration(refresh.elapsedMs / 1000)}${refresh.mode === 'plain' ? ', filled for the first time' : ''}.`,
            );
          return ExitCode.done;
        }),
      ),
  );
}
