import type { Command } from 'commander';
import { archiveDue } from '../../../plans/sessions/keeper/archive.ts';
import { countDue, type Due } from '../../../plans/sessions/keeper/due.ts';
import { type ArchivePolicy, isStricter, readPolicy, writePolicy } from '../../../plans/sessions/keeper/policy.ts';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import { colors as pc } from '../colors.ts';
import { answerTo, assertConfirmable, confirm } from '../confirm.ts';
import { type PlanOptions, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { formatCount } from '../format.ts';
import { type Keeper, withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends PlanOptions {
  dryRun?: boolean;
  yes?: boolean;
}

const VERBS = { archived: 'archive', deleted: 'soft-delete', purged: 'delete for good' } as const;

export function archiveCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('archive'))
    .summary('move idle sessions on')
    .description(
      'Move sessions that have been idle for long enough: active ones to archived, archived ones to deleted, deleted ones away for good, as far as the policy says. Held sessions stay where they are.',
    )
    .option('--dry-run', 'say what would be moved, and move nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'one document; needs --yes or --dry-run');
  withExamples(command, [['tandem archive --dry-run'], ['tandem archive --yes --json', 'for cron']]).action(
    (options: Options) =>
      run(async (terminal) => {
        if (!options.dryRun) assertConfirmable(terminal, options);
        return withKeeper(options, async (keeper) => {
          const current = await readPolicy(keeper.pool);
          const policy = keeper.wanted ?? current;
          const due = await countDue(keeper.pool, keeper.names, policy);
          const sessions = due.reduce((sum, { sessions: n }) => sum + n, 0);
          if (!options.json) terminal.line(renderDue(due));
          if (options.dryRun) {
            if (options.json) terminal.line(JSON.stringify({ dry_run: true, policy, due }, null, 2));
            return ExitCode.done;
          }
          await confirmed(terminal, options, { sessions, stricter: isStricter(policy, current) });
          await writePolicy(keeper.pool, policy);
          const result = await archive(terminal, options, keeper, policy);
          if (options.json) terminal.line(JSON.stringify({ dry_run: false, policy, run: result }, null, 2));
          else
            terminal.line(
              `${pc.green('Done')}, run ${result.id}: ${formatCount(result.archived)} archived, ${formatCount(result.deleted)} soft-deleted, ${formatCount(result.purged)} deleted for good.${
                result.archived + result.deleted > 0 ? ` \`tandem undo ${result.id}\` brings the first two back.` : ''
              }`,
            );
          return ExitCode.done;
        });
      }),
  );
}

async function archive(terminal: Terminal, options: Options, { pool, names }: Keeper, policy: ArchivePolicy) {
  const moved = { archived: 0, deleted: 0, purged: 0 };
  return archiveDue({
    pool,
    names,
    policy,
    signal: terminal.signal,
    onBatch: ({ transition, sessions, elapsedMs }) => {
      moved[transition] += sessions;
      if (options.json) return;
      const rate = formatCount((sessions * 1000) / Math.max(1, elapsedMs));
      terminal.line(pc.dim(`  ${formatCount(moved[transition])} ${transition}, ${rate} a second`));
    },
  });
}

/**
 * A policy that moves sessions on sooner than the one before is confirmed by typing how many it moves: the number is
 * what a mistaken zero changes.
 */
async function confirmed(
  terminal: Terminal,
  options: Options,
  { sessions, stricter }: { sessions: number; stricter: boolean },
): Promise<void> {
  if (sessions === 0 || options.yes) return;
  if (!stricter) return confirm(terminal, options, `Move ${formatCount(sessions)} sessions on?`);
  const answer = await answerTo(
    terminal,
    `The plan file is stricter than the policy in force. Type the number of sessions that it moves (${sessions}): `,
  );
  if (answer.trim() !== String(sessions))
    throw new TandemError('TD013', 'Nothing was done.', { hint: 'Type the number, or give --yes, to go ahead.' });
}

function renderDue(due: readonly Due[]): string {
  if (due.length === 0) return 'The policy moves nothing on: every transition is off.';
  return due
    .map(({ transition, days, sessions, oldest, sample }) => {
      const line = `${VERBS[transition].padEnd(15)}  ${formatCount(sessions).padStart(9)} sessions idle for over ${days} days`;
      if (oldest === null) return line;
      return `${line}, the longest since ${oldest.toISOString().slice(0, 10)}\n${pc.dim(`  ${sample.join(', ')}${sessions > sample.length ? ', …' : ''}`)}`;
    })
    .join('\n');
}
