import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type axe from 'axe-core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { packageRoot } from '../../src/db/sql-file.ts';

/** Debian's, or the one that is named; null: `test.skipIf(!chromiumPath)`. */
export const chromiumPath: string | null =
  [process.env.TANDEM_TEST_CHROMIUM, '/usr/bin/chromium'].find((path) => path && existsSync(path)) ?? null;

if (chromiumPath === null)
  console.warn('NO BROWSER TESTS: there is no /usr/bin/chromium; name another one in TANDEM_TEST_CHROMIUM.');

// What a browser does for itself goes out to the network, and this one is to talk to the dashboard only.
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
const SILENT = ['--disable-background-networking', '--disable-component-update'];

export interface Browser {
  /** A page in a window of its own. What goes wrong in it is kept in `wrong`. */
  open(options?: { width?: number; height?: number; dark?: boolean }): Promise<Opened>;
}

export interface Opened {
  readonly page: Page;
  /** Errors, warnings, and violations of the content security policy. */
  readonly wrong: string[];
}

/** One browser for the tests of a file, each page without what another one left. */
export function useBrowser(): Browser {
  let context: BrowserContext | null = null;
  let profile = '';
  beforeAll(async () => {
    if (chromiumPath === null) return;
    profile = await mkdtemp(join(tmpdir(), 'tandem-chromium-'));
    context = await chromium.launchPersistentContext(profile, {
      executablePath: chromiumPath,
      args: [...QUIET, ...SILENT],
      reducedMotion: 'reduce',
    });
  });
  // A test that failed leaves its pages open, and a browser has six connections for all pages of a server.
  afterEach(async () => {
    for (const page of context?.pages().filter((open) => open.url() !== 'about:blank') ?? []) await page.close();
  });
  afterAll(async () => {
    await context?.close();
    await rm(profile, { recursive: true, force: true });
  });
  return {
    async open({ width = 1280, height = 900, dark = false } = {}) {
      if (context === null) throw new Error('There is no browser.');
      await context.clearCookies();
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      const wrong: string[] = [];
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) wrong.push(message.text());
      });
      page.on('pageerror', (error) => wrong.push(error.message));
      return { page, wrong };
    },
  };
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds against the page as it is now, a line each. */
export async function violations(page: Page): Promise<string[]> {
  // By the debugging protocol: the content security policy lets no script in.
  await page.evaluate(`${axeSource}; undefined`);
  const results: axe.AxeResults = await page.evaluate('axe.run()');
  return results.violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}: ${node.html} (${node.failureSummary})`),
  );
}

/** Those that the documents show. */
const SHOWN = ['overview', 'overview-phone-dark', 'migration', 'partitions'];

/** Written only where the documents are. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (!process.env.TANDEM_WRITE_DOCS || !SHOWN.includes(name)) return;
  const folder = join(packageRoot(), 'docs', 'images');
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}
