import { stripVTControlCharacters } from 'node:util';
import { runOn } from '../../src/cli/main.ts';
import type { Ended } from './tandem.ts';

export interface InProcessOptions {
  readonly url: string;
  /** What is typed at each question, one after the other; with them, somebody can be asked. */
  readonly answers?: readonly string[];
  /** Called with each line of standard output. */
  readonly onLine?: (line: string) => void;
  readonly stop?: AbortController;
}

/**
 * A command as `main` runs it, in this process: for what is not about the process. A plan file is taken only where
 * `--plan` names it, for the current folder has none.
 */
export async function inProcess(args: readonly string[], options: InProcessOptions): Promise<Ended> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const stop = options.stop ?? new AbortController();
  const answers = [...(options.answers ?? [])];
  const code = await runOn(
    {
      interactive: false,
      signal: stop.signal,
      canAsk: options.answers !== undefined,
      line: (text) => {
        stdout.push(text);
        options.onLine?.(text);
      },
      error: (text) => stderr.push(text),
      ask: async (question) => {
        stdout.push(question);
        const answer = answers.shift() ?? '';
        // What the key sends.
        if (answer === '\u0003') stop.abort();
        return answer === '\u0003' ? '' : answer;
      },
      onStop: () => undefined,
      close: () => undefined,
    },
    [...args, '--database-url', options.url],
  );
  // Whatever the tests' own terminal can do, a pipe has no colours.
  const text = (lines: string[]) => (lines.length === 0 ? '' : stripVTControlCharacters(`${lines.join('\n')}\n`));
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
