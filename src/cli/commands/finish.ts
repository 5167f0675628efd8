import type { Command } from 'commander';
import { ExitCode } from '../../engine/errors.ts';
import { finish, finishTasks } from '../../engine/finish.ts';
import { maybeLatestRun } from '../../engine/run-state.ts';
import { colors as pc } from '../colors.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { type PlanOptions, runOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { withReporter } from '../reporter.ts';

export function finishCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('finish'))
    .summary('drop the retired tables: the end')
    .description(
      'End the bake: drop the retired tables and every object of Tandem’s. Refuses unless a fresh verification is green.',
    )
    .option('--without-way-back', 'also where a retired table was dropped, so that its rows can be compared no more')
    .option('--yes', 'do not ask')
    .option('--json', 'one event a line; needs --yes');
  withExamples(command, [['tandem finish'], ['tandem finish --yes --json | tail -n 1', 'for scripts']]).action(
    (options: PlanOptions & { yes?: boolean; withoutWayBack?: boolean }) =>
      run(async (terminal) => {
        assertConfirmable(terminal, options);
        const plan = await loadPlan(options);
        return withDatabase(options, { writes: true }, async (pool) => {
          // Where there is nothing to finish, nobody need be asked to be told so.
          if ((await maybeLatestRun(pool))?.phase === 'baking')
            await confirm(terminal, options, 'Drop the retired tables? There is no way back but the backup.');
          await withReporter(
            terminal,
            { json: options.json ?? false, tasks: Object.values(finishTasks) },
            async (emit) => {
              const { withoutWayBack = false } = options;
              await finish({ pool, plan, options: runOptions({}), emit, signal: terminal.signal, withoutWayBack });
              return {
                summary: `${pc.green('Finished')}: the new tables stand alone, and nothing of Tandem’s is left.`,
                fields: { phase: 'finished' },
              };
            },
          );
          return ExitCode.done;
        });
      }),
  );
}
