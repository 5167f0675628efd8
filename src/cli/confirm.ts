import { TandemError } from '../engine/errors.ts';
import type { Terminal } from './terminal.ts';

export interface ConfirmOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
}

/**
 * Before a command that changes something looks at the database at all: with `--json`, or where nobody can answer,
 * `--yes` must have said it.
 *
 * @throws TD013
 */
export function assertConfirmable(terminal: Terminal, options: ConfirmOptions): void {
  if (options.yes || (terminal.canAsk && !options.json)) return;
  throw new TandemError(
    'TD013',
    options.json
      ? 'With --json nobody is asked, and --yes was not given.'
      : 'Nobody can be asked here, and --yes was not given.',
    { hint: 'Add --yes to go ahead without a question.' },
  );
}

/** Asks, unless `--yes` has answered. @throws TD013 for any answer but yes; TD022 where it is Ctrl-C */
export async function confirm(terminal: Terminal, options: ConfirmOptions, question: string): Promise<void> {
  assertConfirmable(terminal, options);
  if (options.yes) return;
  const answer = await answerTo(terminal, `${question} [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new TandemError('TD013', 'Nothing was done.', { hint: 'Answer y, or give --yes, to go ahead.' });
}

/** What is typed at a question. @throws TD022 where it is Ctrl-C */
export async function answerTo(terminal: Terminal, question: string): Promise<string> {
  const answer = await terminal.ask(question);
  if (!terminal.signal.aborted) return answer;
  throw new TandemError('TD022', 'Stopped before anything was done.', { hint: 'Run the same command again.' });
}
