import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ReportSection } from '../../src/engine/report.ts';
import type { VerifyResult } from '../../src/engine/verify.ts';
import { renderPage } from '../../src/verify-report/page.ts';
import { assertPagePlace, writePage } from '../../src/verify-report/write-page.ts';
import { failureOf, sql, useDirectory } from '../backup/fixtures.ts';
import { fewRows } from '../engine/flat-database.ts';
import { runProgram } from '../engine/program.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';

const newDirectory = useDirectory();
const HOSTILE = `<script>alert('x')</script> & "quoted"`;
const ESCAPED = '&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;';

const hostile: ReportSection = {
  key: 'hostile',
  title: HOSTILE,
  guide: HOSTILE,
  columns: [
    { key: 'text', title: HOSTILE, kind: 'text' },
    { key: 'code', title: 'Code', kind: 'code' },
    { key: 'now', title: 'Now', kind: 'milliseconds', scale: 'time' },
    { key: 'flat', title: 'Then', kind: 'milliseconds', scale: 'time' },
    { key: 'verdict', title: '', kind: 'verdict' },
  ],
  rows: [
    { text: HOSTILE, code: HOSTILE, now: 5, flat: 20, verdict: HOSTILE },
    { text: 'none', code: null, now: null, flat: 0, verdict: 'ok' },
  ],
  details: [{ title: HOSTILE, text: HOSTILE }],
  findings: [],
  elapsedMs: 1,
};

const result: VerifyResult = {
  ok: false,
  phase: 'baking',
  tables: [
    {
      table: HOSTILE,
      rows: 3,
      leftOut: 0,
      differences: [{ key: '1', kind: 'changed', columns: ['a'] }],
      truncated: false,
      partitions: {},
      elapsedMs: 1,
    },
  ],
  findings: [
    { severity: 'note', subject: 'last', message: 'a note' },
    { severity: 'blocks', subject: HOSTILE, message: HOSTILE, hint: HOSTILE },
  ],
  report: [hostile],
};
const head = { database: HOSTILE, plan: HOSTILE, toolVersion: '1', now: new Date('2026-03-01T12:34:56Z') };

/** Every start tag that a browser would see. */
const tagsOf = (page: string) => new Set([...page.matchAll(/<([a-z][a-z0-9]*)/gi)].map((m) => m[1]?.toLowerCase()));

describe('the page', () => {
  const page = renderPage(result, head);

  test('escapes whatever comes from the database, wherever it stands', () => {
    expect(page).not.toContain('<script');
    expect(page).not.toContain(`"${HOSTILE}`);
    expect(page.split(ESCAPED).length - 1).toBeGreaterThanOrEqual(14);
  });

  test('needs nothing but itself', () => {
    expect(page).not.toMatch(/http|url\(|@import|src=|href=|<link|javascript:|\son[a-z]+=/i);
    for (const tag of ['script', 'img', 'iframe', 'object', 'form', 'base']) expect(tagsOf(page)).not.toContain(tag);
  });

  test('is made for a phone, a dark room, and somebody who looks rather than reads', () => {
    expect(page).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
    expect(page).toContain('prefers-color-scheme:dark');
    expect(page).toContain('Not everything holds.');
    // The worst first; bars on one scale: 5 of 20, and 20 of 20; none for what is not known.
    expect(page.indexOf('<b>blocks</b>')).toBeLessThan(page.indexOf('<b>note</b>'));
    expect([...page.matchAll(/<rect class="(bar|old)" width="(\d+)"/g)].map((m) => [m[1], m[2]])).toEqual([
      ['bar', '25'],
      ['old', '100'],
      ['old', '0'],
    ]);
  });

  test('is written whole, for its owner only, over an earlier one', async () => {
    const folder = newDirectory('');
    const file = join(folder, 'page.html');
    await writeFile(file, 'earlier', { mode: 0o644 });
    await writePage(file, page);
    expect(await readFile(file, 'utf8')).toBe(page);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test('a place that takes none is refused before the work', async () => {
    expect(await failureOf(assertPagePlace(join(newDirectory(), 'none', 'page.html')))).toMatchObject({
      code: 'TD042',
    });
    expect(await failureOf(assertPagePlace(newDirectory('')))).toMatchObject({ code: 'TD008' });
  });
});

describe('the commands', () => {
  const database = useDatabase(fewRows);

  // Seven processes, one after the other.
  test('verify --html, --json and --backup-dir; backup verify; restore-drill', { timeout: 300_000 }, async () => {
    const run = (...args: string[]) => runProgram(database.url, args);
    const directory = newDirectory();
    expect(await run('backup', directory, '--json')).toMatchObject({ exitCode: 0, last: { ok: true } });
    expect(await run('backup', 'verify', directory, '--json')).toMatchObject({
      exitCode: 0,
      last: { ok: true, manifest: { tables: [{ name: 'sessions', rows: 300 }, { name: 'messages' }] } },
    });
    expect(await run('restore-drill', directory, '--json')).toMatchObject({
      exitCode: 0,
      last: { ok: true, drill: { tables: [{ table: 'public.sessions', rows: 300 }, { rows: 2000 }], as_text: [] } },
    });

    await tandemOn(database).migrate();
    await sql(database, 'ALTER TABLE public.messages DISABLE ROW LEVEL SECURITY');
    const messages = join(directory, 'messages_backup.csv');
    await writeFile(messages, (await readFile(messages, 'utf8')).slice(0, -1));
    const html = join(newDirectory(''), 'report.html');
    const args = ['verify', '--html', html, '--backup-dir', directory];
    expect(await runProgram(database.url, args)).toMatchObject({ exitCode: 1 });
    const page = await readFile(html, 'utf8');
    expect(page).toContain('a stranger: sees 2000 rows, and should see none');
    expect(page).toContain('messages_backup.csv is cut short');
    expect(page).not.toMatch(/http|postgres:postgres|password/i);
    expect((await stat(html)).mode & 0o777).toBe(0o600);

    for (const command of [
      ['backup', 'verify', directory, '--json'],
      ['restore-drill', directory, '--json'],
    ]) {
      expect(await run(...command)).toMatchObject({
        exitCode: 1,
        last: { ok: false, code: 'TD041', message: expect.stringContaining(messages) },
      });
    }
  });
});
