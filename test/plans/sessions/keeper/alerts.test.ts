import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { listAlerts, listFiring } from '../../../../plans/sessions/keeper/alert-records.ts';
import { alertRules, type FoundAlert } from '../../../../plans/sessions/keeper/alert-rules.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { monitoringTasks } from '../../../../plans/sessions/keeper/monitoring-tasks.ts';
import { MOST_ATTEMPTS, notifyWebhook, type Webhook } from '../../../../plans/sessions/keeper/notify.ts';
import { recordAlerts } from '../../../../plans/sessions/keeper/record-alerts.ts';
import { webhookOf } from '../../../../src/cli/webhook.ts';
import { inTransaction } from '../../../../src/db/connect.ts';
import type { KeeperEvent } from '../../../../src/keeper/keeper.ts';
import { acquireLease, assertLease } from '../../../../src/keeper/lease.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, names, never } from './keeping.ts';
import { startWebhookServer, type WebhookServer } from './webhook-server.ts';

const database = useDatabase(idleSessions);
const { monitoring } = sessionsConfigSchema.parse({});
const free = async () => undefined;
let hook: WebhookServer;
beforeEach(async () => {
  await installKeeper(database.pool, names);
  hook = await startWebhookServer();
});
afterEach(() => hook.close());

/** The alert as if it had been found. */
function found(name: string, label = '', summary = 'It is so'): FoundAlert {
  const rule = alertRules.find((known) => known.name === name);
  if (rule === undefined) throw new Error(`There is no ${name}`);
  return { rule, label, summary };
}
const record = (...alerts: FoundAlert[]) => inTransaction(database.pool, (client) => recordAlerts(client, alerts));
const age = (interval: string) =>
  database.pool.query('UPDATE keeper.alerts SET since = since - $1::interval', [interval]);
const retryNow = () =>
  database.pool.query('UPDATE keeper.alerts SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL');
const send = (webhook: Partial<Webhook> = {}) =>
  notifyWebhook({
    pool: database.pool,
    webhook: { url: hook.url, format: 'json', ...webhook },
    database: 'db.example:5432/app',
    fence: free,
    signal: never(),
  });

test('an alert fires once its condition has held for long enough, and is over when it does not hold', async () => {
  const alert = found('TandemQuarantine');
  expect(await record(alert)).toEqual([]);
  expect(await listFiring(database.pool)).toEqual([]);
  await age('4 minutes 50 seconds');
  expect(await record(alert)).toEqual([]);
  await age('20 seconds');
  expect(await record(alert)).toMatchObject([{ state: 'firing', name: 'TandemQuarantine', severity: 'warning' }]);
  expect(await record({ ...alert, summary: 'It is more so' })).toEqual([]);
  expect(await listFiring(database.pool)).toMatchObject([{ summary: 'It is more so', resolved_at: null }]);
  expect(await record()).toMatchObject([{ state: 'resolved', name: 'TandemQuarantine' }]);
  expect(await listFiring(database.pool)).toEqual([]);
  expect(await listAlerts(database.pool, 10)).toHaveLength(1);
  expect(await record()).toEqual([]);
});

test('a condition that was over before it fired leaves nothing, and begins anew', async () => {
  await record(found('TandemQuarantine'));
  await age('4 minutes');
  await record();
  expect((await database.pool.query('SELECT FROM keeper.alerts')).rowCount).toBe(0);
  await record(found('TandemQuarantine'));
  await age('4 minutes');
  expect(await record(found('TandemQuarantine'))).toEqual([]);
});

test('the same alert for two labels is two', async () => {
  await record(found('TandemPartitionNearLimit', 'active'), found('TandemPartitionNearLimit', 'archived'));
  await age('1 hour');
  const both = [found('TandemPartitionNearLimit', 'active'), found('TandemPartitionNearLimit', 'archived')];
  expect(await record(...both)).toHaveLength(2);
  expect(await record(found('TandemPartitionNearLimit', 'active'))).toMatchObject([
    { state: 'resolved', label: 'archived' },
  ]);
});

test('a webhook is told once that an alert fires, and once that it is over', async () => {
  const alert = found('TandemBackupFailed', '', 'The last backup failed');
  await record(alert);
  expect(await send()).toEqual({ sent: 1, failed: 0 });
  await record(alert);
  expect(await send()).toEqual({ sent: 0, failed: 0 });
  await record();
  expect(await send()).toEqual({ sent: 1, failed: 0 });
  expect(await send()).toEqual({ sent: 0, failed: 0 });
  expect(hook.received).toMatchObject([
    {
      version: 1,
      state: 'firing',
      name: 'TandemBackupFailed',
      severity: 'warning',
      summary: 'The last backup failed',
      database: 'db.example:5432/app',
      runbook: 'docs/runbook.md#tandembackupfailed',
      resolved_at: null,
    },
    { state: 'resolved', name: 'TandemBackupFailed', resolved_at: expect.any(String) },
  ]);
});

test('Slack is told in its own format', async () => {
  await record(found('TandemDrillFailed', '', 'a <b> & c'));
  await send({ format: 'slack' });
  expect(hook.received).toEqual([
    {
      text: ':red_circle: *db.example:5432/app* TandemDrillFailed critical: a &lt;b&gt; &amp; c\ndocs/runbook.md#tandemdrillfailed',
    },
  ]);
});

test('what is not taken is tried again, later each time, and given up in the end', async () => {
  await record(found('TandemBackupFailed'));
  hook.answer(500);
  expect(await send()).toEqual({ sent: 0, failed: 1 });
  // Not yet: it waits.
  expect(await send()).toEqual({ sent: 0, failed: 0 });
  const waits = async () =>
    (
      await database.pool.query(
        'SELECT extract(epoch FROM next_attempt_at - now())::float8 AS wait, attempts, last_error FROM keeper.alerts',
      )
    ).rows[0];
  const first = await waits();
  expect(first).toMatchObject({ attempts: 1, last_error: 'it answered 500' });
  await retryNow();
  await send();
  expect((await waits()).wait).toBeGreaterThan(first.wait * 1.5);
  await database.pool.query('UPDATE keeper.alerts SET attempts = $1, next_attempt_at = now()', [MOST_ATTEMPTS - 1]);
  await send();
  expect(await waits()).toMatchObject({ wait: null, attempts: MOST_ATTEMPTS });
  hook.answer(200);
  expect(await send()).toEqual({ sent: 0, failed: 0 });
  // The end of what it never heard of is no news.
  await record();
  expect(await send()).toEqual({ sent: 0, failed: 0 });
  expect(hook.received).toEqual([]);
});

test('a redirect is not followed', async () => {
  await record(found('TandemBackupFailed'));
  hook.answer(302);
  expect(await send()).toEqual({ sent: 0, failed: 1 });
});

test('no error says the address of the webhook, nor what it answered', async () => {
  await record(found('TandemBackupFailed'));
  hook.answer(500);
  await send();
  await retryNow();
  await hook.close();
  await send();
  const { rows } = await database.pool.query('SELECT last_error FROM keeper.alerts');
  expect(rows).toEqual([{ last_error: expect.stringMatching(/^it cannot be reached: [A-Z_]+$/) }]);
});

test('a keeper that was taken over from notes nothing more, and cannot say that it told', async () => {
  const { pool } = database;
  const epoch = (await acquireLease(pool, 'old')) ?? '';
  await record(found('TandemBackupFailed'));
  await pool.query("UPDATE keeper.leader SET expires_at = '-infinity'");
  await acquireLease(pool, 'new');
  const stale = notifyWebhook({
    pool,
    webhook: { url: hook.url, format: 'json' },
    database: 'app',
    fence: (client) => assertLease(client, epoch),
    signal: never(),
  });
  await expect(stale).rejects.toMatchObject({ code: 'TD021' });
  expect((await pool.query('SELECT FROM keeper.alerts WHERE notified_at IS NOT NULL')).rowCount).toBe(0);
});

test('the task finds what is wrong in the database, and logs and sends it', async () => {
  const { pool } = database;
  const events: KeeperEvent[] = [];
  const [samples, alerts] = monitoringTasks({
    pool,
    names,
    monitoring: { ...monitoring, partitionLimits: { active: 1, archived: 1e12, deleted: 1e12 } },
    backups: null,
    webhook: { url: hook.url, format: 'json' },
    databaseUrl: database.url,
    log: (event) => events.push(event),
    onProbe: () => undefined,
  });
  const run = async () => {
    await samples?.run({ fence: free, signal: never() });
    await alerts?.run({ fence: free, signal: never() });
  };
  await run();
  await age('1 day');
  await run();
  expect(events.map((e) => [e['state'], e['name'], e['label']]).sort()).toEqual([
    ['firing', 'TandemArchivingBehind', 'archived'],
    ['firing', 'TandemPartitionGrowth', 'active'],
    ['firing', 'TandemPartitionNearLimit', 'active'],
    ['firing', 'TandemStatisticsStale', ''],
  ]);
  expect(hook.received).toHaveLength(4);
  const { rows } = await pool.query('SELECT DISTINCT series FROM keeper.samples ORDER BY 1');
  expect(rows.map((r) => r.series)).toEqual([
    'dirty_sessions',
    'partition_bytes',
    'partition_rows',
    'search_failed',
    'search_seconds',
  ]);
});

describe('the address of the webhook', () => {
  const { monitoring: planned } = sessionsConfigSchema.parse({
    monitoring: { webhook: { url: 'https://plan.example/x' } },
  });
  test('is the environment’s, else the plan file’s', () => {
    expect(webhookOf(planned, { TANDEM_WEBHOOK_URL: 'https://env.example/y' })?.url).toBe('https://env.example/y');
    expect(webhookOf(planned, {})?.url).toBe('https://plan.example/x');
    expect(webhookOf(monitoring, {})).toBeNull();
  });
  test('is not in the message about it', () => {
    const refused = () => webhookOf(monitoring, { TANDEM_WEBHOOK_URL: 'ftp://s3cret' });
    expect(refused).toThrow('TANDEM_WEBHOOK_URL is no address of a webhook.');
    const parsed = sessionsConfigSchema.safeParse({ monitoring: { webhook: { url: 'ftp://s3cret' } } });
    expect(parsed.error?.message).not.toContain('s3cret');
    expect(parsed.success).toBe(false);
  });
});
