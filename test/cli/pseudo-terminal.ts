import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { ensureBuilt } from './build.ts';
import { screenAfter } from './screen.ts';
import { environment, program, type TandemOptions } from './tandem.ts';

/** Whether the `script` of util-linux is here: `test.skipIf(!hasPseudoTerminal)`. */
export const hasPseudoTerminal = /util-linux/.test(spawnSync('script', ['--version']).stdout?.toString() ?? '');

export interface TerminalSession {
  /** Resolves once the terminal was sent the text. Fails where the command ends without. */
  until(text: string | RegExp): Promise<void>;
  type(keys: string): void;
  /** Everything that was sent so far, as it was sent. */
  readonly sent: string;
  readonly ended: Promise<{ code: number | null; sent: string; lines: string[]; cursorVisible: boolean }>;
}

export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';

/** Runs `tandem`, or another program, as somebody at a terminal would, who looks at it and types. */
export async function onTerminal(
  args: readonly string[],
  options: TandemOptions & { columns?: number; rows?: number; program?: string } = {},
): Promise<TerminalSession> {
  await ensureBuilt();
  const quoted = [process.execPath, options.program ?? program, ...args]
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(' ');
  const command = `stty cols ${options.columns ?? 120} rows ${options.rows ?? 40}; exec ${quoted}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd: tmpdir(),
    env: { ...environment(options), TERM: 'xterm-256color', ...options.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let sent = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    sent += text;
  });
  const ended = new Promise<Awaited<TerminalSession['ended']>>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, sent, ...screenAfter(sent) }));
  });
  return {
    ended,
    get sent() {
      return sent;
    },
    type: (keys) => {
      child.stdin.write(keys);
    },
    until: (text) =>
      new Promise((resolve, reject) => {
        const look = () => (typeof text === 'string' ? sent.includes(text) : text.test(sent)) && resolve();
        child.stdout.on('data', look);
        child.on('close', () => reject(new Error(`Ended without ${text}: ${sent}`)));
        look();
      }),
  };
}
