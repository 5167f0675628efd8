import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { startOnFreePort } from '../../src/db/local-port.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { idleSessions } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { prometheusPath } from '../support/promtool.ts';
import { ensureBuilt } from './build.ts';
import { eventsOf, startTandem } from './tandem.ts';

const database = useDatabase(idleSessions);
let directory: string;
let prometheus: ChildProcess | null = null;
beforeAll(async () => {
  await ensureBuilt();
  directory = await mkdtemp(join(tmpdir(), 'tandem-prometheus-'));
});
afterAll(async () => {
  if (prometheus !== null && prometheus.exitCode === null) {
    prometheus.kill('SIGTERM');
    await once(prometheus, 'exit');
  }
  await rm(directory, { recursive: true });
});

/** Debian's Prometheus on this machine, with the project's rules, scraping each second. Its address. */
async function startPrometheus(target: string, token: string): Promise<string> {
  await cp(join(packageRoot(), 'deploy/prometheus/tandem.rules.yml'), join(directory, 'tandem.rules.yml'));
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['tandem.rules.yml'],
    scrape_configs: [
      { job_name: 'app', static_configs: [{ targets: [target] }], authorization: { credentials: token } },
    ],
  };
  // JSON is YAML.
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(config));
  const { port, started } = await startOnFreePort(undefined, (free) => launch(free));
  prometheus = started;
  return `http://127.0.0.1:${port}`;
}

async function launch(port: number): Promise<ChildProcess> {
  const child = spawn(
    prometheusPath ?? '',
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface(child.stderr).on('line', (line) => {
      said.push(line);
      if (line.includes('Server is ready to receive web requests')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`prometheus did not start:\n${said.join('\n')}`)));
  });
  return child;
}

const answer = z.object({
  status: z.literal('success'),
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});

/** Asks until there is an answer: a scrape comes by each second. */
async function ask(url: string, query: string): Promise<number> {
  for (;;) {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const [first] = answer.parse(await response.json()).data.result;
    if (first !== undefined) return Number(first.value[1]);
    await sleep(200);
  }
}

test.skipIf(prometheusPath === null)('a real Prometheus scrapes a real keeper, and its rules fire', async () => {
  const serving = await startTandem(['serve', '--listen', '127.0.0.1:0'], {
    url: database.url,
    env: { TANDEM_TOKEN: 'a-token-for-the-test' },
  });
  await serving.untilPrinted('"event":"leader"');
  await serving.untilPrinted('"task":"archive"');
  const listening = eventsOf(serving.printed()).find(({ event }) => event === 'listening');
  const url = await startPrometheus(new URL(String(listening?.['url'])).host, 'a-token-for-the-test');
  expect(await ask(url, 'up{job="app"} == 1')).toBe(1);
  expect(await ask(url, 'tandem_leader')).toBe(1);
  expect(await ask(url, 'tandem_archive_sessions_total{transition="archived"}')).toBe(6);
  expect(await ask(url, 'count(tandem_search_probe_duration_seconds_bucket{le="+Inf"})')).toBe(4);
  // The condition of a backup that failed holds at once.
  await database.pool.query(
    "INSERT INTO keeper.backups (host, directory, ended_at, error) VALUES ('h', 'd', now(), 'no luck')",
  );
  expect(await ask(url, 'ALERTS{alertname="TandemBackupFailed", alertstate="firing", job="app"}')).toBe(1);
  const rules = z.object({
    data: z.object({
      groups: z.array(z.object({ rules: z.array(z.object({ health: z.string(), name: z.string() })) })),
    }),
  });
  const groups = rules.parse(await (await fetch(`${url}/api/v1/rules`)).json()).data.groups;
  expect(groups.flatMap((group) => group.rules).filter(({ health }) => health !== 'ok')).toEqual([]);
  serving.process.kill('SIGTERM');
  expect(await serving.ended).toMatchObject({ code: 0 });
});
