import type { Command } from 'commander';
import { parseThrottle, setThrottles, type Throttles, throttleKeys } from '../../engine/control.ts';
import { ExitCode } from '../../engine/errors.ts';
import { type CommonOptions, withCommonOptions, withDatabase } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { openRun } from '../open-run.ts';
import type { RunCommand } from '../program.ts';

export function throttleCommand(program: Command, run: RunCommand): void {
  const command = withCommonOptions(
    program
      .command('throttle')
      .argument('<key=value...>', `the keys are ${throttleKeys.join(', ')}; key=off stops watching it`),
  )
    .summary('hold a run back while the server is busy')
    .description('Hold a run back while the server is busy. Takes effect before its next batch.');
  withExamples(command, [
    ['tandem throttle max-active=20', 'while more than 20 other sessions are active'],
    ['tandem throttle max-lag=5s max-wal-rate=64MB', 'while a standby is behind, or much is written'],
    ['tandem throttle "sql=SELECT count(*) > 100 FROM jobs"', 'while a query of your own says true'],
    ['tandem throttle max-active=off'],
  ]).action((settings: string[], options: CommonOptions) =>
    run((terminal) => {
      const throttles: Throttles = Object.assign({}, ...settings.map(parseThrottle));
      return withDatabase(options, { writes: true }, async (pool) => {
        await openRun(pool);
        await setThrottles(pool, throttles);
        terminal.line(`The run minds ${settings.join(', ')} from its next batch on.`);
        return ExitCode.done;
      });
    }),
  );
}
