import { startTandem } from '../cli/tandem.ts';

/** What a command prints with `--json`, a line each. */
type Line = Readonly<Record<string, unknown>>;

export interface Outcome {
  /** Null where a signal ended it. */
  readonly exitCode: number | null;
  readonly last: Line;
}

/** `tandem …` in a process of its own. */
export interface Program {
  readonly pid: number;
  kill(signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM'): void;
  /** Resolves once it has said something on standard error (that a signal has come, for one), or has ended. */
  readonly heard: Promise<void>;
  /** Resolves once it has printed so many lines, or has ended. */
  printed(lines: number): Promise<void>;
  readonly ended: Promise<Outcome>;
}

export async function startProgram(databaseUrl: string, args: readonly string[]): Promise<Program> {
  const running = await startTandem(args, { url: databaseUrl });
  let lines = 0;
  running.process.stdout?.on('data', (chunk: string) => {
    lines += chunk.split('\n').length - 1;
  });
  return {
    pid: running.process.pid ?? 0,
    kill: (signal) => running.process.kill(signal),
    heard: new Promise((resolve) => {
      running.process.stderr?.once('data', () => resolve());
      void running.ended.then(() => resolve());
    }),
    printed: (wanted) =>
      new Promise((resolve) => {
        running.process.stdout?.on('data', () => lines >= wanted && resolve());
        void running.ended.then(() => resolve());
      }),
    ended: running.ended.then(({ code, stdout }) => ({ exitCode: code, last: lastLine(stdout) })),
  };
}

/** Runs a command to its end. */
export async function runProgram(databaseUrl: string, args: readonly string[]): Promise<Outcome> {
  return (await startProgram(databaseUrl, args)).ended;
}

/** Empty where it is no event: a document has many lines. */
function lastLine(stdout: string): Line {
  const text = stdout.trimEnd().split('\n').at(-1) ?? '';
  return text.startsWith('{') ? JSON.parse(text) : {};
}
