import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useDatabase } from '../support/database.ts';
import { chromiumPath, screenshot, useBrowser, violations } from './browser.ts';
import { kept } from './kept.ts';
import { type Served, serveDashboard } from './serving.ts';

const PHONE = { width: 360, height: 780 };

describe.skipIf(!chromiumPath)('pages', () => {
  const browser = useBrowser();
  const database = useDatabase(kept, { per: 'suite' });
  let served: Served;
  beforeAll(async () => {
    served = await serveDashboard(database, {
      database: 'lessons',
      environment: { name: 'staging', production: false },
    });
  });
  afterAll(() => served.close());

  const session = '00000000-0000-0000-0001-000000000003';
  test.each([
    ['/', 'Overview', 'The last backup is 5 hours old.'],
    ['/migration', 'Migration', 'The migration is finished.'],
    ['/partitions', 'Partitions', 'sessions_archived'],
    ['/statistics', 'Statistics', 'were skipped because nothing had been written'],
    ['/search', 'Search', 'Try a query'],
    ['/archiving', 'Archiving', 'The keeper archives active sessions after 90 idle days.'],
    ['/backups', 'Backups', '640,123 rows'],
    ['/alerts', 'Alerts', '1 alert is firing.'],
    ['/sessions', 'Sessions', 'active 1'],
    [`/sessions/${session}`, 'active 3', '3 messages, not shown.'],
    ['/audit', 'Audit', 'held a session'],
  ])('%s', async (path, title, text) => {
    const { page, wrong } = await browser.open();
    await page.goto(served.url + path);
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await page.getByText(text).first().waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    const name = { '/': 'overview', '/partitions': 'partitions' }[path] ?? '';
    await screenshot(page, name);
    expect(await violations(page)).toEqual([]);

    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await violations(page)).toEqual([]);
    await page.setViewportSize(PHONE);
    await screenshot(page, `${name}-phone-dark`);
    expect(await violations(page)).toEqual([]);
    const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(overflow).toBeLessThanOrEqual(0);
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await violations(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await page.close();
  });

  test('the form to sign in', async () => {
    const guarded = await serveDashboard(database, { token: 'a token' });
    const { page } = await browser.open({ ...PHONE });
    await page.goto(guarded.url);
    for (const answer of ['', 'This is not the token.']) {
      if (answer) {
        await page.getByLabel('Your name').fill('Ada');
        await page.getByLabel('Token').fill('another token');
        await page.keyboard.press('Enter');
        await page.getByText(answer).waitFor();
      }
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await violations(page)).toEqual([]);
      }
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    }
    await page.close();
    await guarded.close();
  });

  test('a page is reached, and left for another one, by keyboard alone', async () => {
    const { page } = await browser.open();
    await page.goto(served.url);
    await page.getByText('Live', { exact: true }).waitFor();
    const focused = () => page.evaluate('document.activeElement?.textContent?.trim()');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    while ((await focused()) !== 'Alerts') await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Alerts' }).waitFor();
    // The next Tab goes on from the beginning of the page that was chosen.
    await expect.poll(() => page.evaluate('document.activeElement?.id')).toBe('content');
    expect(await page.title()).toBe('Alerts · lessons · Tandem');
    await page.close();
  });

  test('says which database this is, and colours are as somebody chose them', async () => {
    const { page } = await browser.open({ ...PHONE });
    await page.goto(served.url);
    await page.getByText('staging').waitFor();
    const menu = page.getByRole('button', { name: 'Menu' });
    await menu.click();
    expect(await menu.getAttribute('aria-expanded')).toBe('true');
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await background();
    await page.getByLabel('Colours').selectOption('dark');
    await expect.poll(background).not.toBe(light);
    await page.reload();
    await expect.poll(background).not.toBe(light);
    await page.close();
  });

  test('live updates can be paused, and go on', async () => {
    const { page } = await browser.open();
    await page.goto(`${served.url}/archiving`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('No session is held.').waitFor();
    const hold = (reason: string) =>
      database.pool.query(
        'INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, $2) ON CONFLICT (session_id) DO UPDATE SET reason = $2, placed_at = clock_timestamp()',
        [session, reason],
      );
    await hold('first');
    await page.getByText('first', { exact: true }).waitFor();
    const pause = page.getByRole('button', { name: 'Pause live updates' });
    await pause.click();
    await page.getByText('Paused', { exact: true }).waitFor();
    let asked = 0;
    page.on('request', () => asked++);
    await hold('second');
    await page.waitForTimeout(2_500);
    expect(asked).toBe(0);
    await pause.click();
    await hold('third');
    await page.getByText('third', { exact: true }).waitFor();
    await page.close();
  });
});
