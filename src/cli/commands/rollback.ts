import { type Command, Option } from 'commander';
import type { Pool } from 'pg';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import type { Phase } from '../../engine/events.ts';
import { rollback } from '../../engine/rollback.ts';
import { status } from '../../engine/status.ts';
import type { Plan } from '../../engine/step.ts';
import { colors as pc } from '../colors.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { type PlanOptions, runOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { type Outcome, withReporter } from '../reporter.ts';
import { ROLLED_BACK, rollbackFromBackup, withWarnings } from '../rollback-from-backup.ts';
import type { Terminal } from '../terminal.ts';

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
    .addOption(
      new Option(
        '--from <dir>',
        'after `finish`: make the flat tables again from this backup, beside the live ones, with every write made since',
      ).conflicts('keep'),
    )
    .option('--swap', 'with --from: swap them in, too; else `tandem rollback` does, when you say so')
    .option('--yes', 'do not ask')
    .option('--json', 'one event a line; needs --yes');
  withExamples(command, [
    ['tandem rollback'],
    ['tandem rollback --keep', 'to go there again soon: `tandem migrate` copies nothing'],
    ['tandem rollback --from ./backup', 'after `finish`; then `tandem verify` compares, `tandem rollback` swaps'],
    ['tandem rollback --yes --json | tail -n 1', 'for scripts'],
  ]).action((options: RollbackOptions) =>
    run(async (terminal) => {
      assertConfirmable(terminal, options);
      if (options.swap && options.from === undefined) {
        throw new TandemError('TD008', '--swap goes with --from.', {
          hint: 'Without a backup, `tandem rollback` swaps by itself.',
        });
      }
      const plan = await loadPlan(options);
      return withDatabase(options, { writes: true }, async (pool) => {
        const { from, swap = false } = options;
        return from === undefined
          ? rollbackRun(terminal, options, plan, pool)
          : rollbackFromBackup({ terminal, options, plan, pool, directory: from, swap });
      });
    }),
  );
}

interface RollbackOptions extends PlanOptions {
  keep?: boolean;
  from?: string;
  swap?: boolean;
  yes?: boolean;
}

async function rollbackRun(terminal: Terminal, options: RollbackOptions, plan: Plan, pool: Pool): Promise<ExitCode> {
  const { keep = false, json = false } = options;
  const { phase, steps } = await status(pool, plan);
  // Where there is nothing to roll back, nobody need be asked to be told so.
  const question = QUESTIONS[phase] && QUESTIONS[keep ? 'baking' : phase];
  if (question) await confirm(terminal, options, question);
  // Its tasks bear the names of what they take back.
  if (terminal.interactive && !json) terminal.line('Taking back what was done, the last step first:');
  const begun = steps.filter(({ state }) => state !== 'pending' && state !== 'reverted').reverse();
  const tasks = keep ? begun.slice(0, begun.findIndex(({ name }) => name === 'cutover') + 1) : begun;
  await withReporter(terminal, { json, tasks }, async (emit) => {
    await rollback({ pool, plan, options: runOptions({}), emit, signal: terminal.signal, keep });
    const { warnings } = await status(pool, plan);
    return withWarnings(keep ? KEPT : ROLLED_BACK, warnings);
  });
  return ExitCode.done;
}

const KEPT: Outcome = {
  summary: `${pc.green('Rolled back')}: the flat tables are live, with every write. The new ones stand beside, and follow them.\nNext: \`tandem migrate\` goes there again without a copy, \`tandem rollback\` takes them away.`,
  fields: { phase: 'draining' },
};
