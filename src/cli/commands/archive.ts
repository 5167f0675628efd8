import { type Command, Option } from 'commander';
import { archiveDue } from '../../../plans/sessions/keeper/archive.ts';
import { type PurgeReach, purgeReach } from '../../../plans/sessions/keeper/cascades.ts';
import { countDue, type Due, eachDue } from '../../../plans/sessions/keeper/due.ts';
import { isStricter, readPolicy } from '../../../plans/sessions/keeper/policy.ts';
import { ExitCode } from '../../engine/errors.ts';
import { colors as pc } from '../colors.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { putPolicy } from '../confirm-policy.ts';
import { type PlanOptions, wholeNumber, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { formatCount } from '../format.ts';
import { type Keeper, withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';
import type { Terminal } from '../terminal.ts';

interface Options extends PlanOptions {
  dryRun?: boolean;
  list?: boolean;
  yes?: boolean;
  affected?: number;
}

const VERBS = { archived: 'archive', deleted: 'soft-delete', purged: 'delete for good' } as const;

export function archiveCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('archive'))
    .summary('move idle sessions on')
    .description(
      'Move sessions that have been idle for long enough: active ones to archived, archived ones to deleted, deleted ones away for good, as far as the policy says. Held sessions stay where they are.',
    )
    .option('--dry-run', 'say what would be moved, and move nothing')
    .option('--list', 'with --dry-run: every session, a line each')
    .option('--yes', 'do not ask')
    .addOption(affectedOption())
    .option('--json', 'one document; needs --yes or --dry-run');
  withExamples(command, [
    ['tandem archive --dry-run'],
    ['tandem archive --dry-run --list | grep ^purged'],
    ['tandem archive --yes --json', 'for cron'],
  ]).action((options: Options) =>
    run(async (terminal) => {
      if (!options.dryRun) assertConfirmable(terminal, options);
      return withKeeper(options, async (keeper) => {
        const current = await readPolicy(keeper.pool);
        const policy = keeper.wanted ?? current;
        if (options.dryRun && options.list && !options.json) {
          await eachDue(keeper.pool, policy, ({ transition, session }) => terminal.line(`${transition} ${session}`));
          return ExitCode.done;
        }
        const due = await countDue(keeper.pool, policy);
        const reach = policy.purgeAfterDays === null ? null : await purgeReach(keeper.pool, keeper.names);
        if (!options.json) {
          terminal.line(renderDue(due));
          if (reach !== null)
            for (const text of renderReach(reach, policy.archiveDirectory)) terminal.line(pc.dim(text));
        }
        if (options.dryRun) {
          if (options.json) terminal.line(JSON.stringify({ dry_run: true, policy, due, reach }, null, 2));
          return ExitCode.done;
        }
        const canAsk = !options.yes && !options.json;
        const sessions = due.reduce((sum, { sessions: n }) => sum + n, 0);
        if (sessions > 0 && !isStricter(policy, current))
          await confirm(terminal, options, `Move ${formatCount(sessions)} sessions on?`);
        await putPolicy(terminal, keeper.pool, policy, { ...options, due, canAsk });
        const result = await archive(terminal, options, keeper);
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

/** For commands that put the plan file's policy into force. */
export function affectedOption(): Option {
  return new Option(
    '--affected <sessions>',
    'accept a policy stricter than the one in force, if it moves no more sessions than that',
  ).argParser(wholeNumber('--affected', 0));
}

async function archive(terminal: Terminal, options: Options, { pool, names }: Keeper) {
  const moved = { archived: 0, deleted: 0, purged: 0 };
  return archiveDue({
    pool,
    names,
    signal: terminal.signal,
    onBatch: ({ transition, sessions, elapsedMs }) => {
      moved[transition] += sessions;
      if (options.json) return;
      const rate = formatCount((sessions * 1000) / Math.max(1, elapsedMs));
      terminal.line(pc.dim(`  ${formatCount(moved[transition])} ${transition}, ${rate} a second`));
    },
    onThrottle: (reason) => {
      if (!options.json) terminal.line(pc.dim(reason === null ? '  going on' : `  held back: ${reason}`));
    },
  });
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

function renderReach({ deleted, cleared, refusing }: PurgeReach, directory: string | null): string[] {
  const say = (tables: readonly string[], what: string) =>
    tables.length === 0 ? [] : [`  rows of ${tables.join(', ')} ${what}`];
  return [
    ...say(deleted, `go with a session${directory === null ? '' : ', and are written to its file'}`),
    ...say(cleared, 'stay, and lose what they refer to'),
    ...say(refusing, 'keep their session from being deleted for good'),
  ];
}
