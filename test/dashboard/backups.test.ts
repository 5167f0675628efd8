import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { listBackups } from '../../plans/sessions/keeper/backup-records.ts';
import { backupTask } from '../../plans/sessions/keeper/backup-task.ts';
import { drillTask } from '../../plans/sessions/keeper/drill-task.ts';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { backupsSchema } from '../../plans/sessions/keeper/monitoring-config.ts';
import { idleSessions, names, never } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { chromiumPath, useBrowser, violations } from './browser.ts';
import { walk } from './keyboard.ts';
import { serveDashboard } from './serving.ts';

describe.skipIf(!chromiumPath)('backups', () => {
  const browser = useBrowser();
  const database = useDatabase(idleSessions);
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tandem-shown-backups-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('the manifest of a backup that the keeper made, and what there is where it cannot be had', async () => {
    const { pool, url: databaseUrl } = database;
    await installKeeper(pool, names);
    const settings = backupsSchema.parse({ directory, gzip: true });
    if (settings === undefined) throw new Error('There are settings.');
    const context = { signal: never(), fence: async () => undefined };
    await backupTask({ pool, names, settings, log: () => undefined }).run(context);
    await drillTask({ pool, databaseUrl, settings }).run(context);
    const [made] = await listBackups(pool, 1);
    if (made === undefined) throw new Error('There is a backup.');

    const served = await serveDashboard(database, { config: sessionsConfigSchema.parse({ backups: settings }) });
    const { page } = await browser.open();
    await page.goto(`${served.url}/backups`);
    await page.getByText('Every 24 hours', { exact: false }).waitFor();
    await page.getByText('every row came back').waitFor();
    await page.getByText('Its manifest').click();
    const files = page.getByRole('region', { name: 'Files of the backup' });
    await files.waitFor();
    const shown = (await files.getByRole('row').allTextContents()).slice(1);
    expect(shown).toHaveLength(3);
    for (const [i, [table, rows]] of [
      ['public.sessions', 30],
      ['public.messages', 165],
      ['public.message_feedback', 30],
    ].entries()) {
      const file = `${String(table).replace('public.', '')}_backup.csv.gz`;
      const content = await readFile(join(made.directory, file));
      const digest = createHash('sha256').update(content).digest('hex');
      expect(shown[i]).toBe(
        `${table}${file}${rows}${content.length < 1024 ? `${content.length} B` : `${(content.length / 1024).toFixed(1)} kB`}${digest.slice(0, 16)}…`,
      );
    }
    expect(await violations(page)).toEqual([]);
    expect(await walk(page)).toEqual(expect.arrayContaining(['Its manifest', 'Files of the backup: table']));

    await rm(join(made.directory, 'manifest.json'));
    await page.reload();
    await page.getByText('Its manifest').click();
    await page.getByRole('alert').getByText('holds no finished backup', { exact: false }).waitFor();

    await pool.query("UPDATE keeper.backups SET host = 'db-2'");
    await page.reload();
    await page.getByText('on db-2', { exact: false }).waitFor();
    expect(await page.getByText('Its manifest').count()).toBe(0);
    const refused = await fetch(`${served.url}/api/backups/${made.id}/manifest`);
    expect([refused.status, await refused.json()]).toMatchObject([
      404,
      { message: 'The backup is on db-2, and so is its manifest.' },
    ]);
    await page.close();
    await served.close();
  });
});
