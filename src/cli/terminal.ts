import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { ExitCode } from '../engine/errors.ts';

const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_LINE = '\r\u001b[K';
/** Below this, a task list does not fit; a terminal that does not know its size says 0. */
const SMALLEST = { columns: 40, rows: 10 };

/** The process's streams and signals, as commands see them. */
export interface Terminal {
  /** A person looks at standard output: live task lists, questions. */
  readonly interactive: boolean;
  /** Aborted by SIGINT or SIGTERM: work stops at its next batch. */
  readonly signal: AbortSignal;
  /** There is somebody to answer a question. */
  readonly canAsk: boolean;
  line(text: string): void;
  error(text: string): void;
  /** Asks a question; the empty string where the answer is Ctrl-C or the end of the input. */
  ask(question: string): Promise<string>;
  /** What happens at the first signal, in place of a line on standard error; null: that line again. */
  onStop(tell: (() => void) | null): void;
  close(): void;
}

/** `lastWords`: the line on standard output of a process that is told to end at once. */
export function createTerminal(options: { lastWords: string | null }): Terminal {
  const stop = new AbortController();
  const { stdin, stdout, stderr } = process;
  const interactive =
    stdout.isTTY === true &&
    !process.env.CI &&
    process.env.TERM !== 'dumb' &&
    stdout.columns >= SMALLEST.columns &&
    stdout.rows >= SMALLEST.rows;
  let tell: (() => void) | null = null;

  const onSignal = () => {
    if (!stop.signal.aborted) {
      stop.abort();
      // The ^C that the key leaves behind.
      if (interactive) stdout.write(CLEAR_LINE);
      if (tell) tell();
      else stderr.write('Stopping at the next batch; Ctrl-C again stops at once.\n');
      return;
    }
    // Written past the streams: a live task list holds them, and there is no later turn in which they would be flushed.
    if (interactive) writeNow(1, `${SHOW_CURSOR}\n`);
    if (options.lastWords !== null) writeNow(1, `${options.lastWords}\n`);
    writeNow(2, 'Stopped at once. Run the same command again to go on.\n');
    process.exit(ExitCode.interrupted);
  };
  // `tandem plan | head` closes the pipe early: that is no failure.
  const onPipeError = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  stdout.on('error', onPipeError);
  stderr.on('error', onPipeError);

  return {
    interactive,
    signal: stop.signal,
    canAsk: interactive && stdin.isTTY === true,
    line: (text) => {
      stdout.write(`${text}\n`);
    },
    error: (text) => {
      stderr.write(`${text}\n`);
    },
    ask: async (question) => {
      const prompt = createInterface({ input: stdin, output: stdout });
      try {
        // The promise of `question` knows neither Ctrl-C nor Ctrl-D, and would never be settled.
        return await new Promise<string>((resolve, reject) => {
          const giveUp = () => {
            stdout.write('\n');
            resolve('');
          };
          prompt.once('close', giveUp);
          prompt.once('SIGINT', () => {
            stop.abort();
            prompt.close();
          });
          prompt.question(question).then((answer) => {
            prompt.off('close', giveUp);
            resolve(answer);
          }, reject);
        });
      } finally {
        prompt.close();
      }
    },
    onStop: (instead) => {
      tell = instead;
    },
    close: () => {
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
      stdout.off('error', onPipeError);
      stderr.off('error', onPipeError);
    },
  };
}

function writeNow(descriptor: 1 | 2, text: string): void {
  try {
    writeSync(descriptor, text);
  } catch {
    // Nobody reads it any more.
  }
}
