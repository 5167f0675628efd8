import type { Command } from 'commander';
import { ExitCode } from '../../engine/errors.ts';
import type { Phase } from '../../engine/events.ts';
import { rollback } from '../../engine/rollback.ts';
import { status } from '../../engine/status.ts';
import { colors as pc } from '../colors.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { type PlanOptions, runOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { withReporter } from '../reporter.ts';

const BEFORE_CUTOVER = 'Drop what the run has built? The live tables stay as they are.';
const QUESTIONS: Partial<Record<Phase, string>> = {
  preparing: BEFORE_CUTOVER,
  copying: BEFORE_CUTOVER,
  draining: BEFORE_CUTOVER,
  ready: BEFORE_CUTOVER,
  baking: 'Swap back to the flat tables, with every write made since the cutover?',
};

export function rollbackCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('rollback'))
    .summary('go back to the flat tables')
    .description('Go back to the flat tables, before or after cutover, with every write made since.')
    .option(
      '--keep',
      'after a cutover: keep the new tables beside, up to date, so that the next migrate copies nothing',
    )
    .option('--yes', 'do not ask')
    .option('--json', 'one event a line; needs --yes');
  withExamples(command, [
    ['tandem rollback'],
    ['tandem rollback --keep', 'to go there again soon: `tandem migrate` copies nothing'],
    ['tandem rollback --yes --json | tail -n 1', 'for scripts'],
  ]).action((options: PlanOptions & { keep?: boolean; yes?: boolean }) =>
    run(async (terminal) => {
      assertConfirmable(terminal, options);
      const plan = await loadPlan(options);
      return withDatabase(options, { writes: true }, async (pool) => {
        const { phase, steps } = await status(pool, plan);
        // Where there is nothing to roll back, nobody need be asked to be told so.
        const question = QUESTIONS[phase];
        if (question) await confirm(terminal, options, question);
        // Its tasks bear the names of what they take back.
        if (terminal.interactive && !options.json) terminal.line('Taking back what was done, the last step first:');
        const begun = steps.filter(({ state }) => state !== 'pending' && state !== 'reverted').reverse();
        await withReporter(terminal, { json: options.json ?? false, tasks: begun }, async (emit) => {
          const keep = options.keep ?? false;
          await rollback({ pool, plan, options: runOptions({}), emit, signal: terminal.signal, keep });
          if (keep) {
            return {
              summary: `${pc.green('Rolled back')}: the flat tables are live, with every write. The new ones stand beside, and follow them.\nNext: \`tandem migrate\` goes there again without a copy, \`tandem rollback\` takes them away.`,
              fields: { phase: 'draining' },
            };
          }
          return {
            summary: `${pc.green('Rolled back')}: the flat tables are live, with every write.\nNext: \`tandem migrate\` begins anew.`,
            fields: { phase: 'rolled_back' },
          };
        });
        return ExitCode.done;
      });
    }),
  );
}
