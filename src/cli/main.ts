import { CommanderError } from 'commander';
import { ExitCode, TandemError } from '../engine/errors.ts';
import { explain, failureLine, renderFailure } from './failure.ts';
import { createProgram } from './program.ts';
import { FailedRun } from './reporter.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** Parses `argv` (without node and script), runs the command, and returns the exit code of docs/cli.md. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const json = argv.includes('--json');
  const stopped = explain(
    new TandemError('TD022', 'Stopped at once.', { hint: 'Run the same command again to go on.' }),
    AbortSignal.abort(),
  );
  const terminal = createTerminal({ lastWords: json ? failureLine(stopped) : null });
  try {
    return await runOn(terminal, argv);
  } finally {
    terminal.close();
  }
}

/** The same on a terminal of the caller's. */
export async function runOn(terminal: Terminal, argv: readonly string[]): Promise<ExitCode> {
  const [json, debug] = ['--json', '--debug'].map((flag) => argv.includes(flag));
  let exitCode: ExitCode = ExitCode.done;
  const program = createProgram(async (work) => {
    exitCode = await work(terminal);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError && HELP.has(thrown.code)) {
      return thrown.exitCode === 0 ? ExitCode.done : ExitCode.usage;
    }
    const [error, cutoverLockMs] = thrown instanceof FailedRun ? [thrown.cause, thrown.cutoverLockMs] : [thrown, null];
    const failure = explain(error instanceof CommanderError ? usageError(error, argv) : error, terminal.signal);
    if (json) terminal.line(failureLine(failure, cutoverLockMs));
    terminal.error(renderFailure(failure, { debug: debug ?? false }));
    return failure.exitCode;
  }
}

/** What commander throws after it has printed what was asked for. */
const HELP = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

/** Commander's `error: unknown option '--jsn'\n(Did you mean --json?)` as an error like any other. */
function usageError(error: CommanderError, argv: readonly string[]): TandemError {
  const [first = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const message = `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`;
  const command = createProgram(async () => undefined).commands.find((known) => known.name() === argv[0]);
  const help = `\`tandem ${command ? `${command.name()} ` : ''}--help\` shows what can be said.`;
  return new TandemError('TD008', message, {
    hint: suggestion ? `${suggestion.replace(/^\(|\)$/g, '')} ${help}` : help,
  });
}
