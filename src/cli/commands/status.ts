import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { ExitCode } from '../../engine/errors.ts';
import { status } from '../../engine/status.ts';
import { type PlanOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { renderStatus } from '../render-status.ts';

const EVERY_MS = 1_000;

export function statusCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('status'))
    .summary('where the run stands')
    .description('Where the run stands: phase, steps, rows copied, rate, time left, change-log lag, holder.')
    .option('--json', 'one document; with --watch, one a line')
    .option('--watch', 'again every second, until Ctrl-C');
  withExamples(command, [
    ['tandem status'],
    ['tandem status --watch', 'follows a run from another terminal'],
    ['tandem status --json | jq .phase'],
  ]).action((options: PlanOptions & { watch?: boolean }) =>
    run(async (terminal) => {
      const plan = await loadPlan(options);
      return withDatabase(options, { writes: false }, async (pool) => {
        // Ctrl-C is how a watch ends: there is nothing to say about it.
        terminal.onStop(() => undefined);
        const show = options.watch && terminal.interactive ? inPlace(terminal.line) : terminal.line;
        for (;;) {
          const current = await status(pool, plan);
          if (options.json) terminal.line(options.watch ? JSON.stringify(current) : JSON.stringify(current, null, 2));
          else show(renderStatus(current));
          if (options.watch && !terminal.signal.aborted)
            await sleep(EVERY_MS, undefined, { signal: terminal.signal }).catch(() => undefined);
          if (!options.watch || terminal.signal.aborted) return ExitCode.done;
        }
      });
    }),
  );
}

/** Writes each text over the one before it, without a blank screen in between. */
function inPlace(line: (text: string) => void): (text: string) => void {
  let first = true;
  return (text) => {
    line(`${first ? '\u001b[2J' : ''}\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[K\u001b[J`);
    first = false;
  };
}
