import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createPool } from '../src/db/connect.ts';
import { startLocalServer } from '../src/db/local-server.ts';
import { packageRoot } from '../src/db/sql-file.ts';
import { serverSettings } from './databases.ts';
import { dialoguesPath, readDialogues } from './dialogues.ts';
import { isReached, renderReport, type Section } from './report.ts';
import { searchCases } from './search-cases.ts';
import { createTables } from './search-data.ts';
import { measureFuzz } from './search-fuzz.ts';
import { measureQuality } from './search-quality.ts';
import { measureSpeed } from './search-speed.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'quality,fuzz,speed' },
    messages: { type: 'string', default: '200000' },
    heavy: { type: 'string', default: '50000' },
    queries: { type: 'string', default: '100000' },
    repetitions: { type: 'string', default: '7' },
    'pg-bin': { type: 'string' },
  },
});
const only = values.only.split(',');
const size = { messages: Number(values.messages), heavy: Number(values.heavy) };
const say = (what: string) => process.stderr.write(`${what} …\n`);

const dialogues = await readDialogues();
if (dialogues === null) {
  say(`there is no ${dialoguesPath()} (TANDEM_DIALOGUES may name another): only the cases written by hand are asked`);
}
const lines = Object.fromEntries(
  Object.entries(searchCases).map(([language, { messages }]) => {
    const turns = dialogues?.filter((d) => d.language === language).flatMap((d) => d.turns) ?? [];
    return [language, turns.length > 0 ? turns : messages];
  }),
);

say('starting a private server');
const server = await startLocalServer({
  settings: serverSettings,
  ...(values['pg-bin'] === undefined ? {} : { binDir: values['pg-bin'] }),
});

/** On a database of its own with the guide's tables. */
async function measure(
  name: string,
  work: (pool: ReturnType<typeof createPool>) => Promise<Section>,
): Promise<Section> {
  if (!only.includes(name)) return { goals: [], figures: [] };
  say(name);
  const url = new URL(server.url);
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  await admin.query(`CREATE DATABASE search_${name}`).finally(() => admin.end());
  url.pathname = `/search_${name}`;
  const pool = createPool(url.href, { max: 2 });
  try {
    const client = await pool.connect();
    await createTables(client).finally(() => client.release());
    return await work(pool);
  } finally {
    await pool.end();
  }
}

try {
  const sections = [
    await measure('quality', (pool) => measureQuality(pool, dialogues)),
    await measure('fuzz', (pool) => measureFuzz(pool, Number(values.queries), lines)),
    await measure('speed', (pool) => measureSpeed(pool, size, lines, Number(values.repetitions))),
  ];
  const report = { goals: sections.flatMap((s) => s.goals), figures: sections.flatMap((s) => s.figures) };
  process.stdout.write(`${renderReport(report)}\n`);
  const directory = join(packageRoot(), 'bench', 'results');
  await mkdir(directory, { recursive: true });
  const machine = { cores: availableParallelism(), node: process.version, postgres: server.version };
  await writeFile(join(directory, 'search.json'), `${JSON.stringify({ machine, size, ...report }, null, 2)}\n`);
  process.exitCode = report.goals.every(isReached) ? 0 : 1;
} finally {
  await server.stop();
}
