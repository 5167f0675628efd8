import type { Command } from 'commander';
import { type Drill, restoreDrill } from '../../backup/restore-drill.ts';
import { assertServer, createPool, type Pool } from '../../db/connect.ts';
import { ExitCode, TandemError } from '../../engine/errors.ts';
import type { Emit } from '../../engine/events.ts';
import { asOneStep } from '../../engine/one-step.ts';
import { colors as pc } from '../colors.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import type { RunCommand } from '../program.ts';
import { withReporter } from '../reporter.ts';

interface RestoreDrillOptions extends CommonOptions {
  embedded?: boolean;
}

export function restoreDrillCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(program.command('restore-drill').argument('<dir>', 'the folder of a backup'))
    .summary('try a backup: restore it aside, and compare')
    .description(
      'Restore a backup into a scratch database of the same server, back that up again, compare the two byte for byte, and drop it. No table of yours is touched. The role needs CREATEDB.',
    )
    .option(
      '--embedded',
      'drill in a private server on this machine; the database, if one is named, only tells of types',
    )
    .option('--json', 'one event a line; the last holds the figures');
  withExamples(command, [
    ['tandem restore-drill ./backup'],
    ['tandem restore-drill ./backup --embedded', 'no load on the server'],
  ]).action((directory: string, options: RestoreDrillOptions) =>
    run(async (terminal) => {
      const task = { name: 'restore-drill', guide: '', title: `Restore the backup in ${directory} aside, and compare` };
      const drill = async (emit: Emit, source: Pool | null) =>
        asOneStep(emit, task, async () => {
          const result = await restoreDrill({
            directory,
            place: options.embedded ? { kind: 'embedded' } : { kind: 'server', databaseUrl: options.databaseUrl ?? '' },
            source,
            signal: terminal.signal,
            onProgress: (progress) => emit({ event: 'progress', step: task.name, ...progress }),
            onScratch: (name) => emit({ event: 'note', message: `The scratch database is ${name}.` }),
          });
          const rows = result.tables.reduce((sum, table) => sum + table.rows, 0);
          return { result, detail: `${formatCount(rows)} rows came back as they were` };
        });
      await withReporter(terminal, { json: options.json ?? false, tasks: [task] }, async (emit) => {
        const result = options.embedded
          ? await withSource(options, emit, (source) => drill(emit, source))
          : await withDatabase(options, { writes: true }, (source) => drill(emit, source));
        return { summary: summaryOf(result).join('\n'), fields: { drill: documentOf(result) } };
      });
      return ExitCode.done;
    }),
  );
}

/** With `--embedded`, the source may be what was lost: types that it would tell of are then drilled as text. */
async function withSource<T>(
  { databaseUrl }: CommonOptions,
  emit: Emit,
  work: (source: Pool | null) => Promise<T>,
): Promise<T> {
  if (!databaseUrl) return work(null);
  const pool = createPool(databaseUrl, { max: 1 });
  try {
    const there = await assertServer(pool, databaseUrl).then(
      () => true,
      (error: unknown) => {
        if (!(error instanceof TandemError)) throw error;
        emit({ event: 'note', message: `${error.message} Types that only it knows are drilled as text.` });
        return false;
      },
    );
    return await work(there ? pool : null);
  } finally {
    await pool.end();
  }
}

function summaryOf({ tables, asText }: Drill): string[] {
  return [
    `${pc.green('OK')}: every byte came back.`,
    ...tables.map(({ table, rows, bytes, restoreMs, compareMs }) => {
      const times = `restored in ${formatDuration(restoreMs / 1000)}, compared in ${formatDuration(compareMs / 1000)}`;
      return `  ${table}  ${formatCount(rows)} rows  ${formatBytes(bytes)}  ${times}`;
    }),
    ...asText.map(({ type, why }) => `${pc.yellow('note')}: columns of type ${type} were drilled as text: ${why}.`),
  ];
}

function documentOf({ manifest, tables, asText }: Drill) {
  return {
    created_at: manifest.created_at,
    tables: tables.map(({ table, file, rows, bytes, restoreMs, compareMs }) => ({
      table,
      file,
      rows,
      bytes,
      restore_ms: restoreMs,
      compare_ms: compareMs,
    })),
    as_text: asText,
  };
}
