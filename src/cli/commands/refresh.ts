import type { Command } from 'commander';
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
      'Refresh session_stats beside its readers, and note it in keeper.stats_refreshes. Where nothing was written since the last time, nothing is done.',
    )
    .option('--force', 'although nothing was written')
    .option('--json', 'one document');
  withExamples(command, [['tandem refresh'], ['tandem refresh --json', 'for cron']]).action(
    (options: PlanOptions & { force?: boolean }) =>
      run((terminal) =>
        withKeeper(options, async ({ pool, names }) => {
          const refresh = await refreshStats(pool, names, options.force ?? false);
          if (options.json) terminal.line(JSON.stringify(refresh, null, 2));
          else if (refresh.mode === 'skipped') terminal.line('Nothing was written since the last refresh.');
          else
            terminal.line(
              `session_stats: ${formatCount(refresh.rows ?? 0)} rows in ${formatDuration(refresh.elapsedMs / 1000)}${refresh.mode === 'plain' ? ', filled for the first time' : ''}.`,
            );
          return ExitCode.done;
        }),
      ),
  );
}
