import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { exportFiles } from '../../../plans/sessions/export-files.ts';
import { sessionsPlan } from '../../../plans/sessions/plan.ts';
import { laterMigrations } from '../../../plans/sessions/supabase-history.ts';
import { inTransaction } from '../../db/connect.ts';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import { isOpen, maybeLatestRun } from '../../engine/run-state.ts';
import { loadConfig } from '../config-file.ts';
import { type PlanOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { describeFinding } from '../describe-event.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';

interface Options extends PlanOptions {
  supabase: string | true;
  force?: boolean;
}

export function exportCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('export'))
    .summary('the same move as migration files')
    .description(
      "Write the move as migration files for this database's tables: their names, and columns and whatever else of their own. Reads the database only. Exit code 1 where a finding blocks.",
    )
    .addOption(
      new Option(
        '--supabase [dir]',
        "the folder of a Supabase project's migrations (default: supabase/migrations)",
      ).makeOptionMandatory(),
    )
    .option('--force', 'replace files of the same names that say something else')
    .option('--json', 'one document');
  withExamples(command, [
    ['tandem export --supabase'],
    ['tandem export --supabase ./app/supabase/migrations --plan tandem.config.ts'],
  ]).action((options: Options) =>
    run(async (terminal) => {
      const config = await loadConfig(options.plan);
      const directory = options.supabase === true ? join('supabase', 'migrations') : options.supabase;
      return withDatabase(options, { writes: false }, async (pool) => {
        if (isOpen(await maybeLatestRun(pool)) || (await sessionsPlan(config).isFinished(pool))) {
          throw new TandemError('TD012', 'The tables are not flat any more, or a run is at work on them.', {
            hint: 'Export before `tandem migrate`, or after its rollback. `supabase migration fetch` writes the files that a run noted.',
          });
        }
        const { files, findings } = await inTransaction(
          pool,
          async (client) => {
            const exported = await exportFiles(client, config);
            return { ...exported, findings: [...exported.findings, ...(await laterMigrations(client))] };
          },
          'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
        );
        const paths = await write(directory, files, options.force ?? false);
        const ok = paths.length > 0;
        if (options.json) terminal.line(JSON.stringify({ ok, files: paths, findings }, null, 2));
        else {
          for (const finding of findings) for (const line of describeFinding(finding)) terminal.line(line);
          for (const path of paths) terminal.line(path);
        }
        return ok ? ExitCode.done : ExitCode.failedCheck;
      });
    }),
  );
}

async function write(directory: string, files: Readonly<Record<string, string>>, force: boolean): Promise<string[]> {
  const paths = Object.entries(files).map(([name, sql]) => ({ path: join(directory, name), sql }));
  for (const { path, sql } of force ? [] : paths) {
    if (!existsSync(path) || (await readFile(path, 'utf8')) === sql) continue;
    throw new TandemError('TD040', `${path} is there, and says something else.`, {
      hint: '--force replaces it. One that was pushed already should stay.',
    });
  }
  try {
    await mkdir(directory, { recursive: true });
    for (const { path, sql } of paths) await writeFile(path, sql);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TandemError('TD042', `The files cannot be written: ${reason}.`, {
      hint: 'Name another folder, or one that you may write to.',
      cause: error,
    });
  }
  return paths.map(({ path }) => path);
}
