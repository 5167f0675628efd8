import type { Command } from 'commander';
import { type Check, examine } from '../../../plans/sessions/keeper/doctor.ts';
import { sessionsNames } from '../../../plans/sessions/names.ts';
import { ExitCode } from '../../engine/errors.ts';
import { colors as pc } from '../colors.ts';
import { loadConfig } from '../config-file.ts';
import { type PlanOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';

const WORDS: Record<Check['state'], string> = {
  ok: pc.green('OK'),
  warning: pc.yellow('WARNING'),
  failed: pc.red('FAILED'),
};

export function doctorCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('doctor'))
    .summary('what is well, and what is not')
    .description(
      'Look at the migrated database and say, a line each, what is well and what is not: the migration, indexes, statistics, vacuum, row security, the keeper and its jobs, archiving, partitions, search, backups, drills, alerts. Reads only. Exit code 1 where a check failed.',
    )
    .option('--json', 'one document');
  withExamples(command, [
    ['tandem doctor'],
    ['tandem doctor --json | jq -r ".checks[] | select(.state != \\"ok\\") | .message"'],
  ]).action((options: PlanOptions) =>
    run(async (terminal) => {
      const config = await loadConfig(options.plan);
      const { monitoring, backups = null } = config;
      return withDatabase(options, { writes: false }, async (pool) => {
        const checks = await examine(pool, sessionsNames(config), { monitoring, backups });
        const isWell = checks.every((check) => check.state !== 'failed');
        if (options.json) terminal.line(JSON.stringify({ ok: isWell, checks }, null, 2));
        else for (const check of checks) terminal.line(renderCheck(check));
        return isWell ? ExitCode.done : ExitCode.failedCheck;
      });
    }),
  );
}

function renderCheck({ name, state, message, hint }: Check): string {
  const line = `${WORDS[state].padEnd(WORDS[state].length + 'WARNING'.length - state.length)}  ${name.padEnd(10)}  ${message}`;
  return hint === null ? line : `${line}\n${pc.dim(`         ${hint}`)}`;
}
