import type { Pool } from 'pg';
import { ExitCode } from '../engine/errors.ts';
import { rollback } from '../engine/rollback.ts';
import { rollbackFrom, rollbackFromTasks } from '../engine/rollback-from.ts';
import { status } from '../engine/status.ts';
import type { Plan } from '../engine/step.ts';
import { colors as pc } from './colors.ts';
import { type ConfirmOptions, confirm } from './confirm.ts';
import { runOptions } from './connection.ts';
import { type Outcome, withReporter } from './reporter.ts';
import type { Terminal } from './terminal.ts';

/** `tandem rollback --from`: the way back where only a backup is left. */
export async function rollbackFromBackup(input: {
  terminal: Terminal;
  plan: Plan;
  pool: Pool;
  directory: string;
  swap: boolean;
  options: ConfirmOptions;
}): Promise<ExitCode> {
  const { terminal, options, plan, pool, directory, swap } = input;
  const question = `Make the flat tables of ${directory} again, beside the live ones${swap ? ', and swap them in' : ''}, with every write made since?`;
  await confirm(terminal, options, question);
  const taken = swap ? [...plan.steps].reverse() : [];
  const tasks = [...Object.values(rollbackFromTasks), ...taken];
  await withReporter(terminal, { json: options.json ?? false, tasks }, async (emit) => {
    const common = { pool, plan, options: runOptions({}), emit, signal: terminal.signal };
    await rollbackFrom({ ...common, directory });
    if (swap) await rollback(common);
    return swap ? withWarnings(ROLLED_BACK, (await status(pool, plan)).warnings) : RESTORED;
  });
  return ExitCode.done;
}

/** With what no longer holds, now that the flat tables are back. */
export function withWarnings(outcome: Outcome, warnings: readonly string[]): Outcome {
  return {
    summary: [outcome.summary, ...warnings.map((warning) => pc.yellow(warning))].join('\n'),
    fields: { ...outcome.fields, warnings },
  };
}

export const ROLLED_BACK: Outcome = {
  summary: `${pc.green('Rolled back')}: the flat tables are live, with every write.\nNext: \`tandem migrate\` begins anew.`,
  fields: { phase: 'rolled_back' },
};

const RESTORED: Outcome = {
  summary: `${pc.green('Restored')} beside the live tables, and up to date with them: nothing was swapped.\nNext: \`tandem verify\` compares, \`tandem rollback\` swaps; or \`tandem finish\` drops them again.`,
  fields: { phase: 'baking' },
};
