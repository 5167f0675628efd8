import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { sessionsConfigSchema } from '../plans/sessions/config.ts';
import { installKeeper } from '../plans/sessions/keeper/install.ts';
import { renderMigrationFiles } from '../plans/sessions/migration-files.ts';
import { sessionsNames } from '../plans/sessions/names.ts';
import { sessionsPlan } from '../plans/sessions/plan.ts';
import { type Serving, startServing } from '../src/cli/serving.ts';
import { createPool, type Pool } from '../src/db/connect.ts';
import type { Databases } from './databases.ts';
import { median, milliseconds } from './measure.ts';
import type { Section } from './report.ts';

const DATABASE = 'bench_dashboard';
const CHROMIUM = '/usr/bin/chromium';
const LIMIT_MS = 300;
const config = sessionsConfigSchema.parse({});

/**
 * The overview of a database with many sessions, of which a third are active, and half of those due to be archived: what
 * the server takes to answer, and how long a browser takes until the sentences stand on the page.
 */
export async function measureDashboard(databases: Databases, sessions: number, repetitions: number): Promise<Section> {
  await databases.create(DATABASE);
  const databaseUrl = databases.urlOf(DATABASE);
  const pool = createPool(databaseUrl, { max: 12 });
  let serving: Serving | null = null;
  try {
    await fill(pool, sessions);
    serving = await startServing({
      pool,
      databaseUrl,
      plan: sessionsPlan(config),
      config,
      readOnly: false,
      listen: { host: '127.0.0.1', port: 0 },
      allowedHosts: [],
      affected: 0,
      env: {},
      log: () => undefined,
    });
    return await measure(serving.url, sessions, repetitions);
  } finally {
    await serving?.close();
    await pool.end();
    await databases.drop(DATABASE);
  }
}

async function fill(pool: Pool, sessions: number): Promise<void> {
  for (const sql of Object.values(renderMigrationFiles())) await pool.query(sql);
  await pool.query('INSERT INTO auth.users (id) SELECT pg_catalog.gen_random_uuid() FROM generate_series(1, 10000)');
  await pool.query(
    `INSERT INTO public.sessions (user_id, language, level, status, last_accessed)
     SELECT u.id, 'en', 'beginner', (ARRAY['active', 'archived', 'deleted'])[1 + i % 3]::public.session_status,
            now() - pg_catalog.random() * interval '180 days'
       FROM generate_series(1, $1::int) i JOIN (SELECT id, row_number() OVER () AS n FROM auth.users) u ON u.n = 1 + i % 10000`,
    [sessions],
  );
  await installKeeper(pool, sessionsNames(config));
  await pool.query('VACUUM (ANALYZE)');
}

async function measure(url: string, sessions: number, repetitions: number): Promise<Section> {
  const answers: number[] = [];
  const ask = async () => (await fetch(`${url}/api/overview`)).text();
  await ask();
  for (let i = 0; i < repetitions; i++) answers.push(await milliseconds(ask));
  const loads = existsSync(CHROMIUM) ? await loadPages(url, repetitions) : [];
  const answer = median(answers);
  const figure = { what: `the server’s answer for the overview, ${sessions} sessions`, measured: answer, unit: 'ms' };
  const load = median(loads);
  const detail =
    loads.length === 0 ? `there is no ${CHROMIUM}` : `of which the server’s answer ${answer.toFixed(0)} ms`;
  return {
    goals: [
      { what: 'overview in a browser, to its last sentence', measured: load, limit: LIMIT_MS, unit: 'ms', detail },
    ],
    figures: [figure],
  };
}

async function loadPages(url: string, repetitions: number): Promise<number[]> {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  });
  try {
    const page = await browser.newPage();
    await page.addInitScript(`new MutationObserver((_, observer) => {
      if (document.querySelector('.sentence') === null) return;
      globalThis.shownAt = performance.now();
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true })`);
    const loads: number[] = [];
    for (let i = 0; i <= repetitions; i++) {
      await page.goto(url, { waitUntil: 'commit' });
      await page.locator('.sentence').last().waitFor();
      loads.push(Number(await page.evaluate('shownAt')));
    }
    // The first one fills the browser's cache.
    return loads.slice(1);
  } finally {
    await browser.close();
  }
}
