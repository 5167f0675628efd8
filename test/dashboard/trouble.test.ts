import { describe, expect, test } from 'vitest';
import { writeAudit } from '../../plans/sessions/keeper/audit.ts';
import { quoteIdent } from '../../src/db/identifier.ts';
import { idOf } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { urlOf, withClient } from '../support/template.ts';
import { chromiumPath, useBrowser, violations } from './browser.ts';
import { kept } from './kept.ts';
import { serveDashboard } from './serving.ts';

const PHONE = { width: 360, height: 780 };

describe('what cannot be looked at', () => {
  const database = useDatabase(kept);

  test('is wrong itself, hides nothing of the rest, and ends no server', async () => {
    const served = await serveDashboard(database);
    await database.pool.query(
      'ALTER TABLE public.message_feedback RENAME TO gone; ALTER TABLE keeper.archive_runs RENAME TO gone',
    );
    const answer = await fetch(`${served.url}/api/overview`);
    expect(answer.status).toBe(200);
    const { sentences } = (await answer.json()) as { sentences: { topic: string; state: string; text: string }[] };
    const said = Object.fromEntries(sentences.map(({ topic, state, text }) => [topic, `${state}: ${text}`]));
    expect(said).toMatchObject({
      Archiving: 'wrong: This cannot be looked at: relation "keeper.archive_runs" does not exist.',
      Keeper: 'wrong: This cannot be looked at: relation "public.message_feedback" does not exist.',
      Backups: 'well: The last backup is 5 hours old.',
    });
    await served.close();
  });
});

describe.skipIf(!chromiumPath)('in a browser', () => {
  const browser = useBrowser();

  describe('a database without the tables', () => {
    const database = useDatabase();

    test('is said to be one', async () => {
      const served = await serveDashboard(database);
      const { page, wrong } = await browser.open();
      for (const [path, text] of [
        ['/', 'There is no table public.sessions in this database.'],
        ['/sessions', 'Sessions have a status of their own from the cutover on.'],
        ['/search', 'Messages are searched from the cutover on.'],
        ['/statistics', 'Statistics are refreshed from the cutover on.'],
        ['/partitions', 'There are partitions from the cutover on.'],
        ['/archiving', 'Sessions are archived from the cutover on.'],
      ] as const) {
        await page.goto(served.url + path);
        await page.getByText(text).waitFor();
        expect(await page.getByRole('alert').count()).toBe(0);
        expect(await violations(page)).toEqual([]);
      }
      expect(wrong).toEqual([]);
      await page.close();
      await served.close();
    });
  });

  describe('what is long', () => {
    const database = useDatabase(kept);

    test('pushes nothing out of sight', async () => {
      const long = `What went wrong is long, with a path /var/lib/postgresql/${'and_a_name_without_a_space_'.repeat(6)}, and more.`;
      await database.pool.query(
        `UPDATE public.sessions SET title = repeat('Donaudampfschifffahrtsgesellschaft', 5) WHERE title = 'active 1'`,
      );
      const values = [long];
      await database.pool.query(
        `INSERT INTO keeper.session_holds (session_id, reason) VALUES ('${idOf('active', 3)}', $1)`,
        values,
      );
      await database.pool.query(
        'INSERT INTO keeper.archive_runs (ended_at, archived, error) VALUES (now(), 1234567, $1)',
        values,
      );
      await database.pool.query(
        "INSERT INTO keeper.stats_refreshes (version, ended_at, mode, error) VALUES (1, now(), 'plain', $1)",
        values,
      );
      await database.pool.query(
        `INSERT INTO keeper.alerts (name, label, severity, summary, firing_at, resolved_at)
         VALUES ('TandemSearchSlow', 'de', 'critical', $1, now(), now()), ('TandemSearchSlow', 'fr', 'critical', $1, now(), NULL)`,
        values,
      );
      const [before, after] = [
        { archiveAfterDays: 90, graceDays: 7 },
        { archiveAfterDays: null, graceDays: 7 },
      ];
      const actor = 'Maximiliane Katharina von und zu Hohenstein-Waldeck';
      await writeAudit(database.pool, {
        actor,
        action: 'policy.change',
        subject: 'archiving',
        detail: { before, after },
      });
      await writeAudit(database.pool, {
        actor,
        action: 'messages.read',
        subject: idOf('active', 3),
        detail: { reason: long },
      });
      const served = await serveDashboard(database, { database: `a_database_${'with_a_long_name_'.repeat(3)}` });
      const { page } = await browser.open();
      for (const [path, last] of [
        ['/sessions', page.getByRole('columnheader', { name: 'Last used' })],
        ['/archiving', page.getByRole('button', { name: 'Release …' })],
        ['/statistics', page.getByText('What went wrong', { exact: false })],
        ['/alerts', page.getByRole('cell', { name: 'What went wrong' })],
        ['/audit', page.getByText('archiveAfterDays: 90 → none', { exact: true })],
        ['/', page.getByText('Vacuum')],
      ] as const) {
        await page.setViewportSize({ width: 1280, height: 900 });
        await page.goto(served.url + path);
        await last.first().waitFor();
        const box = await last.first().boundingBox();
        expect([path, (box?.x ?? 9_999) + (box?.width ?? 0) <= 1280 - 40]).toEqual([path, true]);
        await page.setViewportSize(PHONE);
        // A chart follows the window.
        const overflow = () => page.evaluate('document.documentElement.scrollWidth - innerWidth');
        await expect.poll(overflow).toBe(0);
        expect(await violations(page)).toEqual([]);
      }
      expect(await page.getByText('graceDays').count()).toBe(0);
      await page.close();
      await served.close();
    });
  });

  describe('what is away', () => {
    const database = useDatabase(kept);

    test('is said to be, on a page that was read before', async () => {
      const served = await serveDashboard(database);
      const { page } = await browser.open();
      await page.goto(`${served.url}/migration`);
      await page.getByText('Live', { exact: true }).waitFor();
      const admin = (sql: string) => withClient(urlOf(database.url, 'postgres'), (client) => client.query(sql));
      const name = new URL(database.url).pathname.slice(1);
      await admin(`ALTER DATABASE ${quoteIdent(name)} ALLOW_CONNECTIONS false`);
      await admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
      const notice = page.getByText(
        /^What is shown may be old\. Since \d\d:\d\d:\d\d the database cannot be asked: \S/,
      );
      await notice.waitFor();
      expect(await violations(page)).toEqual([]);
      await admin(`ALTER DATABASE ${quoteIdent(name)} ALLOW_CONNECTIONS true`);
      await notice.waitFor({ state: 'detached' });
      await served.close();
      await page.getByText('the server of this page does not answer', { exact: false }).waitFor();
      await page.close();
    });
  });
});
