import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { archiveDue } from '../../plans/sessions/keeper/archive.ts';
import { recountStats } from '../../plans/sessions/keeper/recount.ts';
import { idOf, names, never, statuses } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { chromiumPath, type Opened, useBrowser, violations } from './browser.ts';
import { kept } from './kept.ts';
import { type Served, serveDashboard } from './serving.ts';

const session = idOf('active', 3);
const user = '00000000-0000-0000-0000-00000000000a';

describe.skipIf(!chromiumPath)('actions', () => {
  const browser = useBrowser();
  const database = useDatabase(kept);
  let served: Served;
  let opened: Opened;
  beforeEach(async () => {
    served = await serveDashboard(database, { token: 'a token' });
    opened = await browser.open();
  });
  afterEach(async () => {
    await opened.page.close();
    await served.close();
  });

  /** Signs in, and goes to a page. */
  const open = async (path: string) => {
    const { page } = opened;
    await page.goto(served.url + path);
    expect(await violations(page)).toEqual([]);
    await page.getByLabel('Your name').fill('Ada');
    await page.getByLabel('Token').fill('a token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(served.url + path);
    return page;
  };
  const lastNoted = async () => {
    const { rows } = await database.pool.query(
      'SELECT actor, action, subject, detail FROM keeper.audit ORDER BY id DESC LIMIT 1',
    );
    return rows[0];
  };

  test('whoever signs out is asked to sign in again, in every window', async () => {
    const page = await open('/alerts');
    const other = await page.context().newPage();
    await other.goto(`${served.url}/audit`);
    await other.getByText('Live', { exact: true }).waitFor();
    await page.getByText('Signed in as Ada').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await other.waitForURL(`${served.url}/sign-in?to=%2Faudit`);
    await other.close();
  });

  test('a session is held, and released', async () => {
    const page = await open('/archiving');
    await page.getByRole('button', { name: 'Place a hold …' }).click();
    const dialog = page.getByRole('dialog');
    // What is no id is not sent.
    await dialog.getByLabel('Session').fill('active 3');
    await dialog.getByLabel('Reason').fill('a dispute');
    await dialog.getByRole('button', { name: 'Place a hold' }).click();
    expect(await dialog.locator('#hold-session:invalid').count()).toBe(1);
    await dialog.getByLabel('Session').fill(idOf('active', 99));
    await dialog.getByLabel('Reason').fill('a dispute');
    await dialog.getByRole('button', { name: 'Place a hold' }).click();
    await dialog.getByText('There is no session').waitFor();
    // Nothing was done, and so nothing is noted.
    expect(await lastNoted()).toMatchObject({ actor: 'Ada', subject: 'a session' });
    await dialog.getByLabel('Session').fill(session);
    await dialog.getByRole('button', { name: 'Place a hold' }).click();
    await page.getByRole('link', { name: session }).waitFor();
    expect(await violations(page)).toEqual([]);
    const noted = { actor: 'Ada', subject: session };
    expect(await lastNoted()).toEqual({ ...noted, action: 'hold.place', detail: { reason: 'a dispute' } });
    await page.getByRole('button', { name: 'Release …' }).click();
    expect(await violations(page)).toEqual([]);
    await dialog.getByLabel('to confirm').fill('release');
    await page.keyboard.press('Enter');
    await page.getByText('No session is held.').waitFor();
    expect(await lastNoted()).toEqual({ ...noted, action: 'hold.release', detail: {} });
  });

  test('a stricter policy is confirmed by the number of sessions that it moves', async () => {
    const page = await open('/archiving');
    await page.getByLabel('Active sessions are archived after').fill('50');
    await page.getByRole('button', { name: 'Change the policy …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('8 sessions would move with the next run').waitFor();
    await dialog.getByLabel('to confirm').fill('80');
    await dialog.getByRole('button', { name: 'Change the policy' }).click();
    await dialog.getByText('Type 8 to go ahead.').waitFor();
    await dialog.getByLabel('to confirm').fill('8');
    await dialog.getByRole('button', { name: 'Change the policy' }).click();
    await page.getByText('The keeper archives active sessions after 50 idle days.').waitFor();
    await page.getByText('8 sessions', { exact: true }).waitFor();
    expect(await lastNoted()).toMatchObject({
      action: 'policy.change',
      detail: { before: { archiveAfterDays: 90 }, after: { archiveAfterDays: 50 } },
    });
  });

  test('what a run moved comes back', async () => {
    const before = await statuses(database.pool);
    const { id } = await archiveDue({ pool: database.pool, names, signal: never() });
    expect(await statuses(database.pool)).not.toEqual(before);
    const page = await open('/archiving');
    await page.getByRole('button', { name: `Undo run ${id} …` }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('to confirm').fill('undo');
    await dialog.getByRole('button', { name: `Undo run ${id}` }).click();
    await page.getByText('Undone: 6 sessions are back').waitFor();
    await page.getByText(/^undone /).waitFor();
    expect(await statuses(database.pool)).toEqual(before);
    expect(await lastNoted()).toMatchObject({ action: 'archive.undo', subject: `run ${id}` });
  });

  test('messages are read after a reason was given, and never without it being noted', async () => {
    const page = await open(`/sessions/${session}`);
    await page.getByText('3 messages, not shown.').waitFor();
    const told = await page.request.get(`${served.url}/api/sessions/${session}`);
    expect(await told.text()).not.toContain('Hello');
    await page.getByRole('button', { name: 'Reveal the messages …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Reveal the messages' }).click();
    // The browser asks for the reason, and the server for itself.
    expect(await dialog.isVisible()).toBe(true);
    expect(await lastNoted()).toMatchObject({ subject: 'a session' });
    await dialog.getByLabel('Reason').fill('a complaint');
    await dialog.getByRole('button', { name: 'Reveal the messages' }).click();
    await page.getByText('Hello').first().waitFor();
    expect(await page.getByText('Hello').count()).toBe(3);
    expect(await violations(page)).toEqual([]);
    expect(await lastNoted()).toEqual({
      actor: 'Ada',
      action: 'messages.read',
      subject: session,
      detail: { reason: 'a complaint' },
    });
    // What cannot be noted is not shown.
    await database.pool.query('ALTER TABLE keeper.audit ADD CHECK (id < 0) NOT VALID');
    await page.reload();
    await page.getByRole('button', { name: 'Reveal the messages …' }).click();
    await dialog.getByLabel('Reason').fill('a complaint');
    await dialog.getByRole('button', { name: 'Reveal the messages' }).click();
    await dialog.getByRole('alert').waitFor();
    expect(await page.getByText('Hello').count()).toBe(0);
  });

  test('a query is tried as a user, with the plans of its statements, and without what was written', async () => {
    const page = await open('/search');
    await page.getByRole('textbox', { name: 'Query' }).fill('hello');
    await page.getByLabel('As the user').fill(user);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText(/^20 messages in /).waitFor();
    await page.getByText(/^Its plan/).click();
    await page
      .getByText(/Function Scan|Index Scan|Bitmap/)
      .first()
      .waitFor();
    // What makes the transaction that user's is no part of the search.
    expect(await page.getByText(/^Query Text: SELECT pg_catalog\.set_config/).count()).toBe(0);
    expect(await page.getByText('Hello', { exact: true }).count()).toBe(0);
    expect(await violations(page)).toEqual([]);
    expect(await lastNoted()).toMatchObject({ action: 'search.try', subject: user, detail: { query: 'hello' } });
    // Row security: somebody else finds nothing.
    await page.getByLabel('As the user').fill(user.replace(/a$/, 'b'));
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText(/^0 messages in /).waitFor();
  });

  test('figures that no trigger saw change are found, and those of a recount are told', async () => {
    await recountStats({ pool: database.pool, force: true });
    const page = await open('/statistics');
    await page.getByText(/^The last recount ended .*: of 30 sessions, all figures were right\.$/).waitFor();
    await page.getByRole('button', { name: 'Compare now' }).click();
    await page.getByText('Of 30 sessions, every figure is what the rows give.').waitFor();
    await database.pool.query(`ALTER TABLE public.messages DISABLE TRIGGER session_changes_delete;
      DELETE FROM public.messages WHERE session_id = '${session}' AND sequence_number = 2;
      DELETE FROM public.messages WHERE session_id = '${idOf('deleted', 1)}';
      ALTER TABLE public.messages ENABLE ALWAYS TRIGGER session_changes_delete`);
    await page.getByRole('button', { name: 'Compare now' }).click();
    await page.getByText('Of 30 sessions, 2 have other figures than the rows give.').waitFor();
    const rows = page.getByRole('region', { name: 'Figures that differ' }).getByRole('row');
    expect(await rows.getByText('messages').first().textContent()).toBe('messages');
    expect((await rows.allTextContents()).slice(1)).toContain(`${session}messages32`);
    expect((await rows.allTextContents()).slice(1)).toContain(`${idOf('deleted', 1)}messages1–`);
    expect(await violations(page)).toEqual([]);
    await recountStats({ pool: database.pool, force: true });
    await page.getByText('of 30 sessions, 2 had wrong figures, which were put right', { exact: false }).waitFor();
  });

  test('sessions are browsed page by page, and opened', async () => {
    await database.pool.query(`INSERT INTO public.sessions (user_id, language, level, title, last_accessed)
      SELECT '${user}', 'de', 'advanced', 'More ' || n, now() - n * interval '1 minute' FROM generate_series(1, 60) n`);
    const page = await open('/sessions');
    await page.getByRole('link', { name: 'More 1', exact: true }).waitFor();
    const titles = () => page.locator('tbody th').allTextContents();
    const seen = await titles();
    for (const size of [25, 20]) {
      await page.getByRole('button', { name: 'Older' }).click();
      await expect.poll(async () => (await titles()).some((title) => seen.includes(title))).toBe(false);
      const next = await titles();
      expect(next).toHaveLength(size);
      seen.push(...next);
    }
    expect(new Set(seen).size).toBe(70);
    await page.getByRole('button', { name: 'Newer' }).click();
    await page.getByRole('link', { name: 'More 30', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'More 30' }).waitFor();
    await page.goBack();
    await page.getByLabel('Status').selectOption('deleted');
    await page.getByRole('link', { name: 'deleted 1', exact: true }).waitFor();
  });
});
