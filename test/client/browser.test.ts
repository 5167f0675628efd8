import { beforeAll, expect, test } from 'vitest';
import { chromiumPath, useBrowser } from '../dashboard/browser.ts';
import { type Bundle, bundleClient } from './bundled.ts';

const browser = useBrowser();
let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleClient('client');
});

test('a bundle for browsers needs nothing that only Node has', () => {
  expect(bundle.modules.some((path) => path.endsWith('/client/store.js'))).toBe(true);
  // What Vite puts in the place of Node's own modules: importing it works, and every call of it fails.
  expect(bundle.modules.filter((path) => /__vite-browser-external|node:|\/node_modules\/pg\//.test(path))).toEqual([]);
  expect(bundle.code).not.toMatch(/\b(Buffer|require|process\.\w+)\b/);
});

test.skipIf(!chromiumPath)('and runs in one', async () => {
  const { page, wrong } = await browser.open();
  await page.addScriptTag({ content: bundle.code });
  const refusal = await page.evaluate(`
    client.createStore({}).asUser('6e6bd4a9-9f3b-4fd8-9a43-5ee5a4ec1a34').sessions.create({ language: 'it', level: 'beginner' })
      .catch((error) => ({ typed: error instanceof client.StoreError, kind: error.kind, code: error.code }))`);
  expect(refusal).toEqual({ typed: true, kind: 'invalid_value', code: 'TD060' });
  expect(wrong).toEqual([]);
});
