import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { archiveDue } from '../../plans/sessions/keeper/archive.ts';
import { placeHold } from '../../plans/sessions/keeper/holds.ts';
import { setPaused } from '../../src/engine/control.ts';
import { fewRows } from '../engine/flat-database.ts';
import { tandemOn } from '../engine/tandem.ts';
import { idOf, names, never } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { chromiumPath, useBrowser, violations } from './browser.ts';
import { kept } from './kept.ts';
import { look, tabTo, walk } from './keyboard.ts';
import { type Served, serveDashboard } from './serving.ts';

const session = idOf('active', 3);
const held = idOf('active', 2);
const PHONE = { width: 360, height: 780 };
const WIDE = { width: 1280, height: 900 };

/** Goes to a button, presses it, and waits for its dialog. */
async function press(page: Page, button: string): Promise<void> {
  // While somebody else is at work, it is there and can do nothing.
  const there = page.getByRole('button', { name: button, exact: true, disabled: false });
  await there.first().waitFor();
  await tabTo(page, button);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
}

/** Each dialog that a page has, by the button that opens it: walked, looked at by axe-core in both colours and on a phone, and left by Escape. */
async function dialogs(page: Page, labels: readonly string[]): Promise<void> {
  const dialog = page.getByRole('dialog');
  for (const label of labels) {
    await press(page, label);
    // What it finds out first is part of it.
    await dialog.getByText('Looking at the tables').waitFor({ state: 'detached' });
    const { stop } = await look(page);
    expect(stop).toMatchObject({ place: 0, unseen: '' });
    expect(await walk(page)).toContain('Cancel');
    for (const [colorScheme, size] of [
      ['dark', PHONE],
      ['light', WIDE],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(size);
      expect(await violations(page)).toEqual([]);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect((await look(page)).stop).toMatchObject({ name: label, unseen: '' });
  }
}

describe.skipIf(!chromiumPath)('by keyboard alone', () => {
  const browser = useBrowser();

  describe('what is kept', () => {
    const database = useDatabase(kept, { per: 'suite' });
    let served: Served;
    let run = 0;
    beforeAll(async () => {
      await placeHold(database.pool, held, 'a dispute');
      run = (await archiveDue({ pool: database.pool, names, signal: never() })).id ?? 0;
      served = await serveDashboard(database, { token: 'a token' });
    });
    afterAll(() => served.close());

    /** Signs in without a mouse, too, and comes to the page that was asked for. */
    const open = async (path: string, options: { dark?: boolean } = {}) => {
      const { page } = await browser.open(options);
      await page.goto(served.url + path);
      await walk(page);
      await page.keyboard.press('Tab');
      await tabTo(page, 'Your name, for the audit');
      await page.keyboard.type('Ada');
      await page.keyboard.press('Tab');
      await page.keyboard.type('a token');
      await page.keyboard.press('Enter');
      await page.waitForURL(served.url + path);
      await page.getByText('Live', { exact: true }).waitFor();
      return page;
    };

    test.each([
      ['/', 'alert is firing', ['Archiving', 'Statistics']],
      ['/migration', 'The migration is finished.', []],
      ['/partitions', 'The figures as a table', ['The last', 'Sizes and limits: table', 'The figures as a table']],
      [
        '/statistics',
        'The figures as a table',
        ['The last', 'The figures as a table', 'Compare now', 'The last refreshes: table'],
      ],
      ['/search', 'The figures as a table', ['Query', 'As the user', 'Language', 'Search', 'The last']],
      [
        '/archiving',
        'Undo run',
        ['Active sessions are archived after', 'A run can be undone for', held, 'Release …', 'Place a hold …'],
      ],
      ['/backups', '640,123 rows', ['Restore drills: table']],
      ['/alerts', 'is firing.', ['Alerts that are over: table']],
      ['/sessions', 'active 1', ['Status', 'Of the user', 'Show', 'Session by its id', 'Open', 'active 1']],
      [`/sessions/${session}`, 'active 3', ['All sessions', 'Place a hold …', 'Reveal the messages …']],
      ['/audit', 'held a session', ['Entries of the audit: table']],
    ])('%s', async (path, text, has) => {
      const page = await open(path);
      await page.getByText(text).first().waitFor();
      const seen = await walk(page);
      expect(seen.slice(0, 3)).toEqual(['Skip to the content', 'Tandem, overview', 'Overview']);
      expect(seen).toEqual(expect.arrayContaining(['Pause live updates', 'Sign out', ...has]));

      await page.emulateMedia({ colorScheme: 'dark' });
      await page.setViewportSize(PHONE);
      await page.reload();
      await page.getByText(text).first().waitFor();
      await page.getByText('Signed in as Ada').waitFor({ state: 'attached' });
      await walk(page);
      // The pages are behind a button there.
      await page.keyboard.press('Tab');
      await tabTo(page, 'Menu');
      await page.keyboard.press('Enter');
      expect(await walk(page)).toEqual(expect.arrayContaining(['Menu', 'Overview', 'Sign out']));
      await page.close();
    });

    test('windows that nobody looks at take no connection from one that is looked at', async () => {
      const { page: first } = await browser.open();
      await first.goto(`${served.url}/sign-in`);
      await first.getByLabel('Your name').fill('Ada');
      await first.getByLabel('Token').fill('a token');
      await first.keyboard.press('Enter');
      await first.getByText('Live', { exact: true }).waitFor();
      const turn = (page: Page, state: string) =>
        page.evaluate(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
          document.dispatchEvent(new Event('visibilitychange')); undefined`);
      await turn(first, 'hidden');
      for (let i = 0; i < 6; i++) {
        const page = await first.context().newPage();
        await page.goto(`${served.url}/alerts`, { timeout: 10_000 });
        await page.getByText('Live', { exact: true }).waitFor();
        await turn(page, 'hidden');
      }
      // What happened meanwhile is there as soon as somebody looks again.
      await turn(first, 'visible');
      await first.getByText('Live', { exact: true }).waitFor();
    });

    test('the dialogs of archiving', async () => {
      const page = await open('/archiving');
      await page.getByLabel('Active sessions are archived after').fill('50');
      await page.getByRole('button', { name: 'Change the policy …' }).isEnabled();
      await dialogs(page, ['Change the policy …', 'Release …', 'Place a hold …', `Undo run ${run} …`]);
      await page.close();
    });

    test('the dialogs of a session', async () => {
      const page = await open(`/sessions/${session}`);
      await page.getByText('It is not held.').waitFor();
      await dialogs(page, ['Place a hold …', 'Reveal the messages …']);
      await page.close();
    });

    test('what is done leaves the focus where one can go on', async () => {
      const page = await open('/archiving');
      await press(page, 'Place a hold …');
      await page.keyboard.type(session);
      await page.keyboard.press('Tab');
      await page.keyboard.type('another dispute');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: session }).waitFor();
      expect((await look(page)).stop.name).toBe('Place a hold …');
      // The button that was pressed is gone with its hold.
      await press(page, 'Release …');
      await page.keyboard.type('release');
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: held }).waitFor({ state: 'detached' });
      expect(await page.evaluate('document.activeElement?.id')).toBe('content');
      // Nothing of the one before is left in the dialog.
      await press(page, 'Place a hold …');
      expect(await page.getByRole('dialog').getByLabel('Reason').inputValue()).toBe('');
      await page.close();
    });
  });

  describe('the migration', () => {
    const database = useDatabase(fewRows);

    test('each dialog of each phase', async () => {
      const tandem = tandemOn(database);
      const served = await serveDashboard(database, { database: 'lessons' });
      const { page } = await browser.open();
      const comes = (button: string) => page.getByRole('button', { name: button }).waitFor();
      await page.goto(`${served.url}/migration`);
      await comes('Begin the migration …');
      await dialogs(page, ['Begin the migration …']);
      await tandem.migrateUpTo('drain');
      await comes('Go on …');
      await walk(page);
      await dialogs(page, ['Go on …', 'Pause …', 'Throttle …', 'Cut over …', 'Roll back …']);
      await setPaused(database.pool, true);
      await comes('Resume …');
      await dialogs(page, ['Resume …']);
      await setPaused(database.pool, false);
      await comes('Pause …');
      await press(page, 'Go on …');
      await tabTo(page, 'Type lessons to confirm');
      await page.keyboard.type('lessons');
      await page.keyboard.press('Enter');
      await comes('Stop …');
      await page.getByText('Everything stands ready for the cutover.').waitFor();
      await dialogs(page, ['Stop …']);
      await press(page, 'Stop …');
      await page.keyboard.type('stop');
      await page.keyboard.press('Enter');
      await page.getByText('Stopped before the cutover.', { exact: false }).waitFor();
      await comes('Go on …');
      expect(await page.evaluate('document.activeElement?.id')).toBe('content');
      await walk(page);
      await tandem.migrate();
      await comes('Finish …');
      await walk(page);
      await dialogs(page, ['Roll back …', 'Finish …']);
      await page.close();
      await served.close();
    });
  });
});
