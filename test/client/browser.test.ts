import { beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath, useBrowser } from '../dashboard/browser.ts';
import { insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { postgrestPath, useRest } from '../supabase/postgrest.ts';
import { useDatabase } from '../support/database.ts';
import { type Bundle, bundleOf } from './bundled.ts';

const browser = useBrowser();

describe('the client by itself', () => {
  let bundle: Bundle;
  beforeAll(async () => {
    bundle = await bundleOf('browser-client.js');
  });

  test('needs nothing that only Node has', () => {
    expect(bundle.modules.some((path) => path.endsWith('/client/store.js'))).toBe(true);
    // What Vite puts in the place of Node's own modules: importing it works, and every call of it fails.
    const foreign = /__vite-browser-external|node:|\/node_modules\/(pg|@supabase)\//;
    expect(bundle.modules.filter((path) => foreign.test(path))).toEqual([]);
    expect(bundle.code).not.toMatch(/\b(Buffer|require|process\.\w+)\b/);
  });

  test.skipIf(!chromiumPath)('runs in a browser', async () => {
    const { page, wrong } = await browser.open();
    await page.addScriptTag({ content: bundle.code });
    const refusal = await page.evaluate(`
      bundle.createStore({ from: () => undefined, rpc: () => undefined }).sessions.create({ language: 'it', level: 'beginner' })
        .catch((error) => ({ typed: error instanceof bundle.StoreError, kind: error.kind, code: error.code }))`);
    expect(refusal).toEqual({ typed: true, kind: 'invalid_value', code: 'TD060' });
    expect(wrong).toEqual([]);
  });
});

describe.skipIf(!chromiumPath || !postgrestPath)('with supabase-js, in a browser', () => {
  const api = useRest(() => useDatabase(migrated));

  test('it works on the rows of whoever is signed in', async () => {
    const client = await api.database.connect();
    const ann = await insertUser(client);
    const given = { url: api.rest.url, key: await api.rest.token('anon'), token: await api.rest.token(ann), ann };
    const { page, wrong } = await browser.open();
    await page.addScriptTag({ content: (await bundleOf('browser-supabase.js')).code });
    const answers = await page.evaluate(`(async ({ url, key, token, ann }) => {
      const supabase = bundle.createClient(url, key, {
        accessToken: async () => token,
        global: { fetch: (input, init) => fetch(String(input).replace('/rest/v1/', '/'), init) },
      });
      const { sessions, messages, search, stats } = bundle.createStore(supabase, { userId: ann });
      const session = await sessions.create({ language: 'fr', level: 'beginner', title: 'Au marché' });
      await sessions.create({ language: 'fr', level: 'beginner', title: 'À la plage' });
      const { sequence_number } = await messages.append({ session_id: session.id, content: 'Les garçons nagent' });
      const first = await sessions.list({ limit: 1 });
      const second = await sessions.list({ limit: 1, after: first.next });
      const [found] = await search('garcons');
      const [{ messages: counted }] = await stats();
      const refused = await sessions.archive(ann).catch((error) => error.kind);
      return { sequence_number, titles: [...first.rows, ...second.rows].map((row) => row.title), found: found.content, counted, refused };
    })(${JSON.stringify(given)})`);
    expect(answers).toEqual({
      sequence_number: 1,
      titles: ['À la plage', 'Au marché'],
      found: 'Les garçons nagent',
      counted: 1,
      refused: 'not_found',
    });
    expect(wrong).toEqual([]);
  });
});
