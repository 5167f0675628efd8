import type { Command } from 'commander';
import { cronDatabase, type ScheduledJob, scheduleJobs } from '../../../plans/sessions/keeper/cron-jobs.ts';
import { readPolicy } from '../../../plans/sessions/keeper/policy.ts';
import { createPool, type Pool } from '../../db/connect.ts';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import { colors as pc } from '../colors.ts';
import { type PlanOptions, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { withKeeper } from '../open-keeper.ts';
import type { RunCommand } from '../program.ts';

interface Options extends PlanOptions {
  pgCron?: boolean;
  remove?: boolean;
}

export function scheduleCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('schedule'))
    .summary('let the database keep itself')
    .description(
      'Have the extension pg_cron run what `tandem serve` does to the tables: archiving, the refresh of session_stats, the words of the search, figures over time. What needs a process, it leaves to `tandem serve`: alerts, backups and drills, files of purged sessions, retired tables while a migration bakes. Run again, it changes nothing. Where a `tandem serve` is at work, the archiving leaves the work to it.',
    )
    .option('--pg-cron', 'by jobs of pg_cron, named tandem-…')
    .option('--remove', 'take the jobs away, and what pg_cron noted of their runs')
    .option('--json', 'one document');
  withExamples(command, [['tandem schedule --pg-cron'], ['tandem schedule --pg-cron --remove']]).action(
    (options: Options) =>
      run((terminal) => {
        if (!options.pgCron)
          throw new TandemError('TD008', 'By which scheduler is not said.', { hint: 'Add --pg-cron.' });
        return withKeeper(options, async ({ pool }) => {
          const databases = await cronDatabase(pool);
          const jobs = await onDatabase(options, pool, databases, (cron) =>
            scheduleJobs(pool, cron, databases, { remove: options.remove ?? false }),
          );
          if (options.json) terminal.line(JSON.stringify({ ...databases, jobs }, null, 2));
          else {
            for (const job of jobs) terminal.line(renderJob(job));
            if (jobs.length === 0) terminal.line('There is no job of Tandem.');
          }
          if (!options.json && jobs.length > 0 && !options.remove)
            terminal.line(
              pc.dim('Alerts, backups, drills and /metrics are for `tandem serve`: no job of the database does them.'),
            );
          const { archiveDirectory, purgeAfterDays } = await readPolicy(pool);
          if (!options.json && !options.remove && archiveDirectory !== null && purgeAfterDays !== null)
            terminal.line(
              pc.yellow(
                'The job purges nothing: the policy wants files of it (archiveDirectory), which the server does not write. Run `tandem archive --yes` for that.',
              ),
            );
          return ExitCode.done;
        });
      }),
  );
}

/** Connects as it did, to the database in which pg_cron keeps its jobs. */
async function onDatabase<T>(
  { databaseUrl = '' }: Options,
  pool: Pool,
  databases: { cron: string; kept: string },
  work: (cron: Pool) => Promise<T>,
): Promise<T> {
  if (databases.cron === databases.kept) return work(pool);
  const url = new URL(databaseUrl);
  url.pathname = `/${encodeURIComponent(databases.cron)}`;
  const cron = createPool(url.href, { max: 1 });
  try {
    return await work(cron);
  } finally {
    await cron.end();
  }
}

function renderJob({ name, schedule, command, change, active }: ScheduledJob): string {
  const off = active || change === 'removed' ? '' : pc.yellow(', switched off');
  return `${change.padEnd(9)}  ${name.padEnd(20)}  ${schedule.padEnd(11)}  ${pc.dim(command)}${off}`;
}
