import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { idleSessions, names } from '../plans/sessions/keeper/keeping.ts';
import { startWebhookServer } from '../plans/sessions/keeper/webhook-server.ts';
import { useDatabase } from '../support/database.ts';
import { ensureBuilt } from './build.ts';
import { startTandem, tandem } from './tandem.ts';

const database = useDatabase(idleSessions);
let directory: string;
beforeAll(async () => {
  await ensureBuilt();
  directory = await mkdtemp(join(tmpdir(), 'tandem-monitoring-'));
  await writeFile(join(directory, 'tandem.config.json'), JSON.stringify({ backups: { directory: './backups' } }));
});
afterAll(() => rm(directory, { recursive: true }));

test('serve makes a backup, and tells the webhook what is wrong, without saying where that is', async () => {
  const hook = await startWebhookServer();
  await installKeeper(database.pool, names);
  // In the future: what it is compared with is made meanwhile.
  await database.pool.query(`INSERT INTO keeper.drills (host, directory, place, started_at, ended_at, error)
    VALUES ('h', 'd', 'server', now() + interval '1 day', now(), 'no luck')`);
  const serving = await startTandem(['serve', '--listen', '127.0.0.1:0'], {
    url: database.url,
    cwd: directory,
    env: { TANDEM_WEBHOOK_URL: hook.url },
  });
  await serving.untilPrinted('"task":"backup"');
  await serving.untilPrinted('"task":"alerts","did":"1 sent"');
  expect(await readdir(join(directory, 'backups'))).toHaveLength(1);
  expect(hook.received).toMatchObject([{ state: 'firing', name: 'TandemDrillFailed', severity: 'critical' }]);
  serving.process.kill('SIGTERM');
  const { code, stdout, stderr } = await serving.ended;
  expect(code).toBe(0);
  expect(stdout).toContain('"event":"alert"');
  expect(stdout + stderr).not.toContain('s3cret-path');
  await hook.close();
});

test('an address that is none is refused, and not repeated', async () => {
  const { code, stdout, stderr } = await tandem(['serve'], {
    url: database.url,
    env: { TANDEM_WEBHOOK_URL: 'hooks.example/s3cret-path' },
  });
  expect(code).toBe(2);
  expect(stderr).toContain('TANDEM_WEBHOOK_URL is no address of a webhook');
  expect(stdout + stderr).not.toContain('s3cret-path');
});
