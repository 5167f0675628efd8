import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TandemError } from '../engine/errors.ts';
import type { Account } from './local-account.ts';

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;
/** How long an orderly shutdown may take before the next, harsher signal. */
const SHUTDOWN_STEP_MS = 15_000;

/** Runs a program of PostgreSQL to its end and returns what it printed. TD050 where it cannot run or fails. */
export async function runTool(program: string, args: string[], account: Account | null): Promise<string> {
  const child = spawn(program, args, { ...spawnOptions(account), stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(String(chunk)));
  const code = await once(child, 'close').then(([exitCode]) => exitCode, cannotRun(program));
  if (code !== 0) {
    throw new TandemError('TD050', `${program} failed.`, {
      hint: 'The lines below are its own words.',
      detail: output.join('').trim().split('\n').slice(-20).join('\n'),
    });
  }
  return output.join('');
}

/** Starts `postgres` on `home/data` and returns once it accepts connections. TD050 with its last words where it ends. */
export async function startPostgres(
  binDir: string,
  home: string,
  port: number,
  account: Account | null,
): Promise<ChildProcess> {
  const log = await open(join(home, 'server.log'), 'a');
  const program = join(binDir, 'postgres');
  const child = spawn(program, ['-D', join(home, 'data'), '-c', `port=${port}`], {
    ...spawnOptions(account),
    stdio: ['ignore', log.fd, log.fd],
    // A session of its own: Ctrl-C in the terminal is for the caller, who may still need the server to finish.
    detached: true,
  });
  // Whether the caller's program goes on must not depend on the server; the watchdog ends a server left behind.
  child.unref();
  await once(child, 'spawn')
    .catch(cannotRun(program))
    .finally(() => log.close());
  await waitUntilReady(child, home);
  return child;
}

/** Sends the signal, harsher ones where it does not end the server in time, and returns once it has ended. */
export async function endPostgres(child: ChildProcess, signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  child.ref();
  for (const next of [signal, 'SIGQUIT', 'SIGKILL'] as const) {
    if (hasEnded(child)) return;
    const timer = new AbortController();
    child.kill(next);
    const ended = once(child, 'exit', { signal: timer.signal });
    await Promise.race([ended, delay(SHUTDOWN_STEP_MS, undefined, { signal: timer.signal })]);
    ended.catch(() => undefined);
    timer.abort();
  }
}

/** The last lines that the server logged. */
export async function lastLogLines(home: string): Promise<string> {
  const text = await readFile(join(home, 'server.log'), 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-20).join('\n');
}

/**
 * The eighth line of postmaster.pid is the server's own word for its state. A connection could reach another server,
 * which got hold of the port first.
 */
async function waitUntilReady(child: ChildProcess, home: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!hasEnded(child) && Date.now() < deadline) {
    const lines = (await readFile(join(home, 'data', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return;
    await delay(POLL_MS);
  }
  const sentence = hasEnded(child)
    ? 'The local PostgreSQL server ended while starting.'
    : 'The local PostgreSQL server does not start.';
  await endPostgres(child, 'SIGQUIT');
  throw new TandemError('TD050', sentence, { hint: 'The lines below are its log.', detail: await lastLogLines(home) });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function spawnOptions(account: Account | null) {
  // Nothing else of the caller's environment: PG* variables would change the server, and secrets are not its business.
  const { PATH, LD_LIBRARY_PATH } = process.env;
  return { cwd: '/', env: { PATH, LD_LIBRARY_PATH, TZ: 'UTC' }, ...account };
}

function cannotRun(program: string): (cause: unknown) => never {
  return (cause) => {
    throw new TandemError('TD050', `${program} cannot be run.`, {
      hint: 'Its directory may forbid programs (set TMPDIR to another), or it was built for another system.',
      ...(cause instanceof Error ? { detail: cause.message } : {}),
      cause,
    });
  };
}
