import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Databases } from './databases.ts';
import type { Section } from './report.ts';
import { createFilled } from './statistics.ts';

/** Of each session. */
const MESSAGES = 5;
const PROGRAM = fileURLToPath(new URL('tandem-process.js', import.meta.url));
/** Every task has run once by then. */
const SETTLE_MS = 20_000;
/** Twice as long as the slowest of what runs all the time: samples and probes of the search, each minute. */
const MEASURE_MS = 120_000;
const SCRAPE_MS = 15_000;
/** Linux counts processor time in ticks of a hundredth of a second. */
const TICKS = 100;

const event = z.looseObject({ event: z.string(), url: z.string().optional() });

/**
 * What `tandem serve` takes while nothing is due, in a process of its own, scraped as Prometheus would. Where there is no
 * /proc it is not measured.
 */
export async function measureKeeper(databases: Databases): Promise<Section> {
  const name = 'bench_keeper';
  await createFilled(databases, name, MESSAGES);
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--listen', '127.0.0.1:0'], {
    env: { ...process.env, DATABASE_URL: databases.urlOf(name) },
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await leaderUrl(child);
    await wait(SETTLE_MS);
    const before = await processorSeconds(child);
    const startedAt = performance.now();
    while (performance.now() - startedAt < MEASURE_MS) {
      await (await fetch(`${url}/metrics`)).text();
      await wait(SCRAPE_MS);
    }
    const elapsed = (performance.now() - startedAt) / 1000;
    const spent = (await processorSeconds(child)) - before;
    const memory = await peakMegabytes(child);
    const during = `${elapsed.toFixed(0)} s with a scrape each ${SCRAPE_MS / 1000} s`;
    return {
      goals: [
        {
          what: 'the keeper idle, of one core',
          measured: (100 * spent) / elapsed,
          limit: 1,
          unit: '%',
          detail: during,
        },
        { what: 'the keeper idle, resident memory at most', measured: memory, limit: 120, unit: 'MB', detail: during },
      ],
      figures: [],
    };
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
    await databases.drop(name);
  }
}

/** Where it listens, once it leads. */
async function leaderUrl(child: ChildProcess): Promise<string> {
  let url = '';
  if (child.stdout === null) throw new Error('It has no standard output.');
  for await (const line of createInterface(child.stdout)) {
    const said = event.parse(JSON.parse(line));
    if (said.event === 'listening') url = said.url ?? '';
    if (said.event !== 'leader') continue;
    child.stdout.resume();
    return url;
  }
  throw new Error('tandem serve ended before it led.');
}

/** User and system time so far; NaN where there is no /proc. */
async function processorSeconds(child: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => '');
  // The name, in brackets, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) / TICKS;
}

async function peakMegabytes(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return kilobytes === undefined ? Number.NaN : (Number(kilobytes) * 1024) / 1_000_000;
}
