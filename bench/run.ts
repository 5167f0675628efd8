import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPool } from '../src/db/connect.ts';
import { startLocalServer } from '../src/db/local-server.ts';
import { packageRoot } from '../src/db/sql-file.ts';
import { measureArchiving } from './archive.ts';
import { measureClient } from './client.ts';
import { measureCopy } from './copy.ts';
import { measureCutover } from './cutover.ts';
import { measureDashboard } from './dashboard.ts';
import { type Databases, databasesOn, serverSettings } from './databases.ts';
import { measureDrain } from './drain.ts';
import { measureKeeper } from './keeper.ts';
import { measureList } from './list.ts';
import { measureMemory } from './memory.ts';
import { runUntilReady } from './open-run.ts';
import { isReached, renderReport, type Section } from './report.ts';
import { measureStatistics } from './statistics.ts';
import { measureVerification } from './verify.ts';

const { values } = parseArgs({
  options: {
    only: {
      type: 'string',
      default: 'memory,copy,verify,drain,cutover,client,list,statistics,keeper,dashboard,archive',
    },
    sessions: { type: 'string', default: '500000' },
    repetitions: { type: 'string', default: '7' },
    'pg-bin': { type: 'string' },
  },
});
const only = values.only.split(',');
const sessions = Number(values.sessions);
const repetitions = Number(values.repetitions);
const sizes = {
  small: { sessions: Math.min(20_000, sessions), messages: Math.min(20_000, sessions) * 3 },
  large: { sessions, messages: sessions * 3 },
};

const say = (what: string) => process.stderr.write(`${what} …\n`);

async function measureAll(databases: Databases): Promise<Section> {
  const names = { small: 'bench_small', large: 'bench_large' };
  const sections: Section[] = [];
  const measure = async (name: string, what: string, work: () => Promise<Section>) => {
    if (!only.includes(name)) return;
    say(what);
    sections.push(await work());
  };
  say('filling the flat tables');
  for (const size of ['small', 'large'] as const) await databases.createFlat(names[size], sizes[size]);
  await measure('memory', 'memory: whole migrations in a process of its own', () => measureMemory(databases, names));
  await measure('copy', 'copy and index build', () => measureCopy(databases, names.large, repetitions));
  if (['verify', 'drain', 'cutover'].some((name) => only.includes(name))) {
    say('migrating the large tables as far as the cutover');
    sections.push(await migrateUntilReady(databases.urlOf(names.large)));
  }
  await measure('verify', 'verification', () => measureVerification(databases, names.large, repetitions));
  await measure('drain', 'drain', () => measureDrain(databases, names.large));
  await measure('cutover', 'cutover under clients', () => measureCutover(databases, names, repetitions));
  await measure('client', 'the typed client', () => measureClient(databases, repetitions));
  await measure('list', 'a list of active sessions', () => measureList(databases, repetitions));
  await measure('statistics', 'statistics', () => measureStatistics(databases, repetitions));
  await measure('keeper', 'the keeper while nothing is due', () => measureKeeper(databases));
  await measure('dashboard', 'the dashboard', () => measureDashboard(databases, sizes.large.sessions, repetitions));
  await measure('archive', 'archiving under clients', () => measureArchiving(databases, repetitions));
  return { goals: sections.flatMap((s) => s.goals), figures: sections.flatMap((s) => s.figures) };
}

/** The copy of both tables on the way, with as many workers as `tandem migrate` has. */
async function migrateUntilReady(databaseUrl: string): Promise<Section> {
  const pool = createPool(databaseUrl, { max: 8 });
  let elapsed = Number.NaN;
  try {
    await runUntilReady(pool, (event) => {
      if (event.event === 'step' && event.name === 'copy' && event.elapsed_ms) elapsed = event.elapsed_ms;
    });
  } finally {
    await pool.end();
  }
  const rows = sizes.large.sessions + sizes.large.messages;
  const what = 'copy of both tables, 2 workers, search vectors included';
  return { goals: [], figures: [{ what, measured: (rows * 1000) / elapsed, unit: 'rows/s' }] };
}

say('starting a private server');
const server = await startLocalServer({
  settings: serverSettings,
  ...(values['pg-bin'] === undefined ? {} : { binDir: values['pg-bin'] }),
});
try {
  const report = await measureAll(databasesOn(server));
  process.stdout.write(`${renderReport(report)}\n`);
  const directory = join(packageRoot(), 'bench', 'results');
  await mkdir(directory, { recursive: true });
  const machine = { cores: availableParallelism(), node: process.version, postgres: server.version };
  await writeFile(join(directory, 'latest.json'), `${JSON.stringify({ machine, sizes, ...report }, null, 2)}\n`);
  process.exitCode = report.goals.every(isReached) ? 0 : 1;
} finally {
  await server.stop();
}
