import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Pool } from 'pg';
import { requestCutover } from '../../engine/control.ts';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import { migrate } from '../../engine/migrate.ts';
import { maybeLatestRun } from '../../engine/run-state.ts';
import { currentHolder } from '../../engine/runner-lock.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { type PlanOptions, runOptions, terminateBlockersOption, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import { migrationOutcome } from '../migration-outcome.ts';
import { openRun } from '../open-run.ts';
import type { RunCommand } from '../program.ts';
import { type Outcome, withReporter } from '../reporter.ts';

const LOOK_EVERY_MS = 300;

export function cutoverCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('cutover'))
    .summary('swap the names now')
    .description(
      'Swap the names now: has the run that waits before its cutover go on, or goes on itself where none is at work.',
    )
    .addOption(terminateBlockersOption())
    .option('--yes', 'do not ask')
    .option('--json', 'one event a line');
  withExamples(command, [
    ['tandem migrate --stop-before cutover --wait', 'in one terminal: all but the swap'],
    ['tandem cutover --yes', 'in another, when the time has come'],
  ]).action((options: PlanOptions & { yes?: boolean; terminateBlockers?: boolean }) =>
    run(async (terminal) => {
      assertConfirmable(terminal, options);
      const plan = await loadPlan(options);
      return withDatabase(options, { writes: true }, async (pool) => {
        await openRun(pool);
        await confirm(terminal, options, 'Swap the names now?');
        const holder = await currentHolder(pool);
        // A run in another terminal tells its steps there; here its steps are not the tasks.
        const tasks = holder === null ? plan.steps : [];
        await withReporter(terminal, { json: options.json ?? false, tasks }, async (emit) => {
          if (holder === null) {
            const startedAt = performance.now();
            const settings = { pool, plan, options: runOptions(options), emit, signal: terminal.signal };
            return migrationOutcome(await migrate({ ...settings, stopBefore: null }), performance.now() - startedAt);
          }
          if (options.terminateBlockers) {
            throw new TandemError(
              'TD008',
              'A run is at work that swaps the names by itself, and was not told --terminate-blockers.',
              {
                hint: 'Stop it there, and run this again; or start it anew with the option.',
              },
            );
          }
          emit({
            event: 'note',
            message: `Asking \`tandem ${holder.command}\` on ${holder.host} (pid ${holder.pid}) for the cutover.`,
          });
          await requestCutover(pool, true);
          return untilCutOver(pool, terminal.signal);
        });
        return ExitCode.done;
      });
    }),
  );
}

async function untilCutOver(pool: Pool, signal: AbortSignal): Promise<Outcome> {
  while (!signal.aborted) {
    // The holder first: one that ends after it was looked for has told the run what became of it.
    const holder = await currentHolder(pool);
    const run = await maybeLatestRun(pool);
    if (run?.phase === 'baking') {
      const lockMs = run.cutover_lock_ms;
      return {
        summary: `Cut over${lockMs === null ? '' : `, locks held ${lockMs.toFixed(1)} ms`}.`,
        fields: { phase: run.phase, cutover_lock_ms: lockMs === null ? null : Math.round(lockMs * 10) / 10 },
      };
    }
    if (holder === null) {
      throw new TandemError('TD032', 'The run that was asked has ended without cutting over.', {
        hint: '`tandem status` says why; `tandem cutover` again goes on from here.',
      });
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  throw new TandemError('TD022', 'No longer waiting for the cutover; the run was asked for it all the same.', {
    hint: '`tandem status` tells what became of it.',
  });
}
