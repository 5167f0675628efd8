import { type Command, Option } from 'commander';
import { backupTables } from '../../backup/backup.ts';
import { verifyBackup } from '../../backup/verify-backup.ts';
import { maybeDefinitions } from '../../engine/definitions.ts';
import { ExitCode } from '../../engine/errors.ts';
import { asOneStep } from '../../engine/one-step.ts';
import { colors as pc } from '../colors.ts';
import { type PlanOptions, runOptions, wholeNumber, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { formatBytes, formatCount } from '../format.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { withReporter } from '../reporter.ts';

export function backupCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('backup').argument('<dir>', 'a new folder for the files'))
    .summary('write the tables as CSV')
    .description(
      'Step 1 of the guide by itself: the tables as CSV with header, in one consistent snapshot, with a manifest.',
    )
    .option('--gzip', 'compress the files')
    .addOption(
      new Option('--workers <n>', 'tables written at the same time')
        .default(2)
        .argParser(wholeNumber('--workers', 1, 32)),
    )
    .option('--json', 'one event a line; the last holds the manifest');
  withExamples(command, [['tandem backup ./backup'], ['tandem backup ./backup --gzip --workers 4']]).action(
    (directory: string, options: PlanOptions & { gzip?: boolean; workers: number }) =>
      run(async (terminal) => {
        const plan = await loadPlan(options);
        const task = { name: 'backup', guide: '1', title: `Back up the tables into ${directory}` };
        return withDatabase(options, { writes: false }, async (pool) => {
          await withReporter(terminal, { json: options.json ?? false, tasks: [task] }, async (emit) => {
            const manifest = await asOneStep(emit, task, async () => {
              const result = await backupTables({
                pool,
                tables: await plan.tables(pool),
                directory,
                gzip: options.gzip ?? false,
                workers: options.workers,
                definitions: await maybeDefinitions(pool, plan, runOptions(options)),
                signal: terminal.signal,
                onProgress: (progress) => emit({ event: 'progress', step: task.name, ...progress }),
              });
              const rows = result.tables.reduce((sum, table) => sum + table.rows, 0);
              return { result, detail: `${formatCount(rows)} rows` };
            });
            const files = manifest.tables.map(
              ({ file, rows, bytes, sha256 }) =>
                `  ${file}  ${formatCount(rows)} rows  ${formatBytes(bytes)}  sha256 ${sha256.slice(0, 16)}…`,
            );
            return {
              summary: [`${pc.green('Backed up')} into ${directory}:`, ...files].join('\n'),
              fields: { manifest },
            };
          });
          return ExitCode.done;
        });
      }),
  );
  // A folder may be called `help`.
  command.helpCommand(false);
  backupVerifyCommand(command, run);
}

function backupVerifyCommand(backup: Command, run: RunCommand): void {
  const command = backup
    .command('verify')
    .argument('<dir>', 'the folder of a backup')
    .summary('compare the files of a backup with its manifest')
    .description(
      'Read every file of a backup to its end and compare it with the manifest: size, sha256, number of rows. Needs no database. A folder named `verify` to back up into is written `./verify`.',
    )
    .option('--debug', 'show where an error came from')
    .option('--json', 'one event a line; the last holds the manifest');
  withExamples(command, [['tandem backup verify ./backup']]).action((directory: string) =>
    run(async (terminal) => {
      // `backup` has a --json of its own, and takes it wherever it stands.
      const options = command.optsWithGlobals<{ json?: boolean }>();
      const task = { name: 'backup-verify', guide: '', title: `Read the backup in ${directory}` };
      await withReporter(terminal, { json: options.json ?? false, tasks: [task] }, async (emit) => {
        const manifest = await asOneStep(emit, task, async () => {
          const result = await verifyBackup(directory, {
            signal: terminal.signal,
            onProgress: (progress) => emit({ event: 'progress', step: task.name, ...progress }),
          });
          return { result, detail: `${result.tables.length} files are what was written` };
        });
        const files = manifest.tables.map(
          ({ file, rows, bytes }) => `  ${file}  ${formatCount(rows)} rows  ${formatBytes(bytes)}`,
        );
        return { summary: [`${pc.green('Whole')}: ${directory}`, ...files].join('\n'), fields: { manifest } };
      });
      return ExitCode.done;
    }),
  );
}
