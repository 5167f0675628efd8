import type { Command } from 'commander';
import { parseThrottle, setThrottles, type Throttles, throttleKeys } from '../../engine/control.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { controlTables, whoAll } from '../control-tables.ts';
import { withExamples } from '../examples.ts';
import type { RunCommand } from '../program.ts';

export function throttleCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(
    program
      .command('throttle')
      .argument('<key=value...>', `the keys are ${throttleKeys.join(', ')}; key=off stops watching it`),
  )
    .summary('hold a run, or the keeper, back while the server is busy')
    .description('Hold a run, and the archiving, back while the server is busy. Takes effect before the next batch.');
  withExamples(command, [
    ['tandem throttle max-active=20', 'while more than 20 other sessions are active'],
    ['tandem throttle max-lag=5s max-wal-rate=64MB', 'while a standby is behind, or much is written'],
    ['tandem throttle "sql=SELECT count(*) > 100 FROM jobs"', 'while a query of your own says true'],
    ['tandem throttle max-active=off'],
  ]).action((settings: string[], options: CommonOptions) =>
    run((terminal) => {
      const throttles: Throttles = Object.assign({}, ...settings.map(parseThrottle));
      return withDatabase(options, { writes: true }, async (pool) => {
        const tables = await controlTables(pool);
        for (const { table } of tables) await setThrottles(pool, throttles, table);
        const who = whoAll(tables).replace(/^t/, 'T');
        terminal.line(
          `${who} ${tables.length === 1 ? 'minds' : 'mind'} ${settings.join(', ')} from ${tables.length === 1 ? 'its' : 'their'} next batch on.`,
        );
        return ExitCode.done;
      });
    }),
  );
}
