import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../../src/db/sql-file.ts';
import { ensureBuilt } from './build.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  /** Resolves once standard output holds the text. Fails where the process ends without. */
  untilPrinted(text: string): Promise<void>;
  /** What standard output holds so far. */
  printed(): string;
  readonly ended: Promise<Ended>;
}

export interface TandemOptions {
  /** Becomes DATABASE_URL. */
  readonly url?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a folder without a plan file. */
  readonly cwd?: string;
}

/** The command's own environment: whatever the tests run in must not colour the output or name a database. */
export function environment({ url, env }: TandemOptions): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...(url && { DATABASE_URL: url }), ...env };
}

export const program = join(packageRoot(), 'bin/tandem.js');

/** Starts `tandem` as a user would, from the built package, with its output in pipes and nothing on its input. */
export async function startTandem(args: readonly string[], options: TandemOptions = {}): Promise<Running> {
  await ensureBuilt();
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    process: child,
    ended,
    printed: () => stdout,
    untilPrinted: (text) =>
      new Promise((resolve, reject) => {
        const look = () => stdout.includes(text) && resolve();
        child.stdout.on('data', look);
        child.on('close', () => reject(new Error(`Ended without ${text}: ${stdout}\n${stderr}`)));
        look();
      }),
  };
}

/** Runs `tandem` to its end. */
export async function tandem(args: readonly string[], options: TandemOptions = {}): Promise<Ended> {
  return (await startTandem(args, options)).ended;
}

const event = z.looseObject({ event: z.string() });

/** The events of `--json`; fails where any line is none. */
export function eventsOf(stdout: string): z.infer<typeof event>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => event.parse(JSON.parse(line)));
}

/** The last line of `--json`. */
export function lastEvent(stdout: string): z.infer<typeof event> {
  return event.parse(eventsOf(stdout).at(-1));
}
