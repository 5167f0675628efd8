import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { readManifest } from '../../src/backup/manifest.ts';
import { type Clients, startClients } from '../../src/demo/clients.ts';
import { compareLedger } from '../../src/demo/compare-ledger.ts';
import { createFlatTables } from '../../src/demo/flat-tables.ts';
import { loadFlatTables } from '../../src/demo/load.ts';
import { setPaused } from '../../src/engine/control.ts';
import { createState } from '../../src/engine/run-state.ts';
import { withRunnerLock } from '../../src/engine/runner-lock.ts';
import { clientsView } from '../../src/server/clients-view.ts';
import { useDatabase } from '../support/database.ts';
import { chromiumPath, screenshot, useBrowser, violations } from './browser.ts';
import { serveDashboard } from './serving.ts';

const SESSIONS = process.env.TANDEM_WRITE_DOCS ? 20_000 : 1_500;

/** Opens a dialog, types what it asks for, and goes ahead. */
async function confirm(page: Page, button: string, word: string): Promise<void> {
  await page.getByRole('button', { name: button }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('to confirm').fill(word);
  await dialog.getByRole('button', { name: button.replace(/ …$/, '') }).click();
}

describe.skipIf(!chromiumPath)('the migration', () => {
  const browser = useBrowser();
  const database = useDatabase();

  test('is begun, paused, throttled, cut over, rolled back, begun anew and finished, live, while clients write', async () => {
    await createFlatTables(database.pool);
    await loadFlatTables(database.pool, { sessions: SESSIONS, messages: SESSIONS * 8, seed: 1 });
    const clients: Clients = await startClients({ databaseUrl: database.url, clients: 3, seed: 1 });
    let cutoverAt: number | null = null;
    const served = await serveDashboard(database, {
      database: 'lessons',
      environment: { name: 'staging', production: false },
      clients: () => clientsView(clients, cutoverAt),
    });
    const { page, wrong } = await browser.open({ height: 1000 });
    await page.goto(`${served.url}/migration`);
    await page.getByText('Nothing has been migrated yet.').waitFor();
    expect(await violations(page)).toEqual([]);

    // What is typed is compared by the server, and the dialog says why nothing was done.
    await page.getByRole('button', { name: 'Begin the migration …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('.findings, p').first().waitFor();
    expect(await violations(page)).toEqual([]);
    await dialog.getByLabel('Create a stand-in').check();
    await dialog.getByLabel('to confirm').fill('lesson');
    await dialog.getByRole('button', { name: 'Begin the migration' }).click();
    await dialog.getByRole('alert').getByText('Type lessons to go ahead.').waitFor();
    await dialog.getByLabel('to confirm').fill('lessons');
    await dialog.getByRole('button', { name: 'Begin the migration' }).click();
    await dialog.waitFor({ state: 'detached' });
    clients.setPhase('during');

    await page.getByRole('heading', { name: 'Migrate under way' }).waitFor();
    await page.getByRole('progressbar', { name: 'Rows of public.messages that are copied' }).waitFor();
    await page.getByText('Everything stands ready for the cutover.').waitFor({ timeout: 60_000 });
    await page
      .getByText(/^\d+,\d{3} of \d+,\d{3}$/)
      .first()
      .waitFor();

    await confirm(page, 'Pause …', 'pause');
    await page.getByRole('button', { name: 'Resume …' }).waitFor();
    await page.getByText(/^Paused: /).waitFor();
    // The log goes on: somebody who looks sees what is not drained, and for how long.
    await page
      .getByText(/\d changes$/)
      .first()
      .waitFor();
    await confirm(page, 'Resume …', 'resume');
    await page.getByRole('button', { name: 'Pause …' }).waitFor();
    await page.getByRole('button', { name: 'Throttle …' }).click();
    await dialog.getByLabel('Other active sessions, at most').fill('500');
    await dialog.getByLabel('to confirm').fill('throttle');
    await dialog.getByRole('button', { name: 'Throttle' }).click();
    await page.getByText('The run is held back while more than 500 other sessions are active.').waitFor();

    await confirm(page, 'Cut over …', 'lessons');
    await page.getByText('The new tables serve.', { exact: false }).waitFor({ timeout: 60_000 });
    cutoverAt = Date.now();
    clients.setPhase('after');
    await page.getByRole('heading', { name: 'Migrate done' }).waitFor({ timeout: 60_000 });
    const done = () => page.locator('.stepper > li.done').count();
    await expect.poll(done).toBe(10);
    expect(await violations(page)).toEqual([]);
    await page.evaluate('scrollTo(0, 0)');
    await screenshot(page, 'migration');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 360, height: 780 });
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1280, height: 1000 });

    await confirm(page, 'Roll back …', 'lessons');
    await page.getByText('The migration was rolled back.', { exact: false }).waitFor({ timeout: 60_000 });
    await page.getByRole('heading', { name: 'Roll back done' }).waitFor();

    await page.getByRole('button', { name: 'Begin the migration …' }).click();
    await dialog.getByLabel('Wait before the cutover').uncheck();
    await dialog.getByLabel('Create a stand-in').check();
    await dialog.getByLabel('to confirm').fill('lessons');
    await dialog.getByRole('button', { name: 'Begin the migration' }).click();
    await page.getByRole('heading', { name: 'Migrate done' }).waitFor({ timeout: 90_000 });
    await confirm(page, 'Finish …', 'lessons');
    await page.getByText('The migration is finished.').waitFor({ timeout: 60_000 });
    await page.getByText('Finished: the new tables stand alone.').waitFor();

    const report = await clients.stop();
    const { differences, checkedMessages } = await compareLedger(database.pool, clients.ledger);
    expect(differences).toEqual([]);
    expect(checkedMessages).toBeGreaterThan(0);
    expect(report.statements).toBeGreaterThan(100);
    const { rows: noted } = await database.pool.query<{ action: string }>(
      'SELECT action FROM keeper.audit ORDER BY id',
    );
    expect(noted.map(({ action }) => action.replace('migration.', ''))).toEqual(
      'start pause resume throttle cutover rollback start finish'.split(' '),
    );
    // The first confirmation was refused, which the browser's console says by itself.
    expect(wrong.filter((text) => !text.includes('409'))).toEqual([]);
    await page.close();
    await served.close();
  });

  test('is begun with a backup, and rolled back keeping what was built', async () => {
    await createFlatTables(database.pool);
    await loadFlatTables(database.pool, { sessions: 200, messages: 1_000, seed: 1 });
    const directory = await mkdtemp(join(tmpdir(), 'tandem-begun-'));
    const config = sessionsConfigSchema.parse({ backups: { directory } });
    const served = await serveDashboard(database, { database: 'lessons', config });
    const { page } = await browser.open();
    await page.goto(`${served.url}/migration`);
    await page.getByRole('button', { name: 'Begin the migration …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Wait before the cutover').uncheck();
    await dialog.getByLabel(`Back the tables up first, into a new folder in ${directory}`).check();
    await dialog.getByLabel('Create a stand-in').check();
    await dialog.getByLabel('to confirm').fill('lessons');
    await dialog.getByRole('button', { name: 'Begin the migration' }).click();
    await page.getByRole('heading', { name: 'Migrate done' }).waitFor({ timeout: 60_000 });
    const [folder = ''] = await readdir(directory);
    expect(folder).toMatch(/^lessons-before-\d{4}-/);
    const manifest = await readManifest(join(directory, folder));
    expect(manifest.tables.map(({ name, rows }) => [name, rows])).toEqual([
      ['sessions', 200],
      ['messages', 1_000],
    ]);
    await page
      .locator('.stepper')
      .getByText(`1,200 rows in ${join(directory, folder)}`)
      .waitFor();

    await page.getByRole('button', { name: 'Roll back …' }).click();
    await dialog.getByLabel('Keep the new tables beside').check();
    expect(await violations(page)).toEqual([]);
    await dialog.getByLabel('to confirm').fill('lessons');
    await dialog.getByRole('button', { name: 'Roll back' }).click();
    await page.getByText('The new ones stand beside, and follow them.', { exact: false }).waitFor();
    const copied = async () =>
      (await database.pool.query('SELECT sum(copied_rows)::int AS rows FROM tandem.moved_table')).rows[0]?.rows;
    expect(await copied()).toBe(1_200);
    await database.pool.query("UPDATE public.sessions SET title = 'since'");
    await page.getByRole('button', { name: 'Go on …' }).click();
    // There is one already.
    expect(await dialog.getByLabel('Back the tables up first').count()).toBe(0);
    await dialog.getByLabel('Wait before the cutover').uncheck();
    await dialog.getByLabel('to confirm').fill('lessons');
    await dialog.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('The new tables serve.', { exact: false }).waitFor({ timeout: 60_000 });
    await page.getByText('Copy the rows: done, done before').waitFor({ state: 'attached' });
    const { rows } = await database.pool.query("SELECT count(*)::int AS n FROM public.sessions WHERE title = 'since'");
    expect(rows).toEqual([{ n: 200 }]);
    expect(await readdir(directory)).toEqual([folder]);
    // Nobody is to find out at the rollback that it waits.
    await database.pool.query('CREATE TABLE public.since (message uuid REFERENCES public.messages (id))');
    await page.getByText('A rollback would wait:').waitFor();
    await page.getByRole('listitem').getByText('public.since', { exact: false }).first().waitFor();
    await page.close();
    await served.close();
    await rm(directory, { recursive: true });
  });

  test('who is at work is shown, and a second one is refused', async () => {
    await createFlatTables(database.pool);
    await createState(database.pool);
    await setPaused(database.pool, false);
    const served = await serveDashboard(database, { database: 'lessons' });
    const start = (backup = false) =>
      fetch(`${served.url}/api/migration/start`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: served.url },
        body: JSON.stringify({ confirm: 'lessons', waitForCutover: true, createAuth: true, backup }),
      });
    const { page } = await browser.open();
    await withRunnerLock(database.pool, 'migrate', async () => {
      const refused = await start();
      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({
        code: 'TD010',
        message: expect.stringMatching(/worked on by `tandem migrate` on .+ \(pid \d+/),
      });
      await page.goto(`${served.url}/migration`);
      await page.getByText(`process ${process.pid}`).waitFor();
    });
    // Where the plan file names no folder for backups, no page does.
    const nowhere = await start(true);
    expect([nowhere.status, await nowhere.json()]).toMatchObject([400, { code: 'TD008' }]);
    // What runs here can be stopped from here, and is refused a second time meanwhile.
    expect((await start()).status).toBe(200);
    expect((await start()).status).toBe(409);
    await page.getByRole('heading', { name: 'Migrate under way' }).waitFor();
    await page.getByText('Everything stands ready for the cutover.').waitFor({ timeout: 60_000 });
    await confirm(page, 'Stop …', 'stop');
    await page.getByRole('heading', { name: 'Migrate failed' }).waitFor();
    await page.getByText('Stopped before the cutover.', { exact: false }).waitFor();
    await page.close();
    await served.close();
  });
});
