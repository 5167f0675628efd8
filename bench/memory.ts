import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Databases } from './databases.ts';
import type { Section } from './report.ts';

const PROGRAM = fileURLToPath(new URL('tandem-process.js', import.meta.url));
const SAMPLE_MS = 25;

/**
 * The most memory that the tool itself ever held, as Linux counts it, over a whole migration with a backup, in a process
 * of its own, of a small and of a large database. Where there is no /proc it is not measured.
 */
export async function measureMemory(databases: Databases, names: { small: string; large: string }): Promise<Section> {
  const small = await peakOfMigration(databases, names.small);
  const large = await peakOfMigration(databases, names.large);
  return {
    goals: [
      {
        what: 'resident memory of the tool, large tables',
        measured: large,
        limit: 200,
        unit: 'MB',
        detail: 'tandem migrate with --backup-dir',
      },
      {
        what: 'resident memory, large : small tables',
        measured: large / small,
        limit: 1.5,
        unit: '×',
        detail: `${Math.round(large)} : ${Math.round(small)} MB`,
      },
    ],
    figures: [],
  };
}

async function peakOfMigration(databases: Databases, from: string): Promise<number> {
  const name = 'bench_memory';
  await databases.clone(from, name);
  const directory = await mkdtemp(join(tmpdir(), 'tandem-bench-'));
  const args = ['migrate', '--yes', '--json', '--create-auth', '--backup-dir', join(directory, 'backup')];
  try {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      env: { ...process.env, DATABASE_URL: databases.urlOf(name) },
      cwd: directory,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return await peakOf(child);
  } finally {
    await rm(directory, { recursive: true, force: true });
    await databases.drop(name);
  }
}

/** In MB; the kernel keeps the peak, so that the samples need only be recent. */
async function peakOf(child: ChildProcess): Promise<number> {
  const lines: string[] = [];
  child.stdout?.on(
    'data',
    (chunk) => lines.push(...String(chunk).split('\n').slice(-3)) && lines.splice(0, lines.length - 3),
  );
  const ended = once(child, 'exit');
  let running = true;
  const exit = ended.finally(() => {
    running = false;
  });
  let peak = Number.NaN;
  while (running) {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
    if (kilobytes !== undefined) peak = (Number(kilobytes) * 1024) / 1_000_000;
    await wait(SAMPLE_MS);
  }
  const [code] = await exit;
  if (code !== 0) throw new Error(`tandem migrate ended with ${code}: ${lines.join('\n')}`);
  return peak;
}
