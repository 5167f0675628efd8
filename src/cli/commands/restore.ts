import type { Command } from 'commander';
import { restoreBackup } from '../../backup/restore.ts';
import { ExitCode } from '../../engine/errors.ts';
import { asOneStep } from '../../engine/one-step.ts';
import { colors as pc } from '../colors.ts';
import { assertConfirmable, confirm } from '../confirm.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { formatCount } from '../format.ts';
import type { RunCommand } from '../program.ts';
import { withReporter } from '../reporter.ts';

export function restoreCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(program.command('restore').argument('<dir>', 'the folder of a backup'))
    .summary('load a backup into empty tables')
    .description(
      'Load a backup into empty tables: the manifest is checked first, and all tables are loaded in one transaction.',
    )
    .option('--yes', 'do not ask')
    .option('--json', 'one event a line; the last holds the manifest; needs --yes');
  withExamples(command, [['tandem restore ./backup'], ['tandem restore ./backup --yes --json | tail -n 1']]).action(
    (directory: string, options: CommonOptions & { yes?: boolean }) =>
      run(async (terminal) => {
        assertConfirmable(terminal, options);
        const task = { name: 'restore', guide: '', title: `Load the backup in ${directory}` };
        return withDatabase(options, { writes: true }, async (pool) => {
          await confirm(terminal, options, `Load the backup in ${directory} into empty tables?`);
          await withReporter(terminal, { json: options.json ?? false, tasks: [task] }, async (emit) => {
            const manifest = await asOneStep(emit, task, async () => {
              const result = await restoreBackup({
                pool,
                directory,
                signal: terminal.signal,
                onProgress: (progress) => emit({ event: 'progress', step: task.name, ...progress }),
              });
              const rows = result.tables.reduce((sum, table) => sum + table.rows, 0);
              return { result, detail: `${formatCount(rows)} rows` };
            });
            const tables = manifest.tables.map(
              ({ schema, name, rows }) => `  ${schema}.${name}  ${formatCount(rows)} rows`,
            );
            return { summary: [`${pc.green('Restored')}:`, ...tables].join('\n'), fields: { manifest } };
          });
          return ExitCode.done;
        });
      }),
  );
}
