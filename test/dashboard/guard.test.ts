import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { idOf } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { kept } from './kept.ts';
import { type Served, serveDashboard } from './serving.ts';

const database = useDatabase(kept);
let served: Served | null = null;
afterEach(async () => {
  await served?.close();
  served = null;
});
const serve = async (options: Parameters<typeof serveDashboard>[1] = {}) => {
  served = await serveDashboard(database, options);
  return served.url;
};

const session = idOf('active', 3);
const hold = (url: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/api/archiving/holds`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url, ...headers },
    body: JSON.stringify({ session, reason: 'a dispute' }),
  });
const holds = async () => (await database.pool.query('SELECT FROM keeper.session_holds')).rowCount;

test('a change is taken from a page of this server only, in JSON', async () => {
  const url = await serve();
  expect((await hold(url, { origin: 'http://evil.example' })).status).toBe(403);
  expect((await hold(url, { origin: 'null' })).status).toBe(403);
  expect((await hold(url, { origin: url.replace('127.0.0.1', 'localhost') })).status).toBe(403);
  expect((await hold(url, { 'content-type': 'text/plain' })).status).toBe(415);
  expect((await hold(url, { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415);
  const bare = await fetch(`${url}/api/archiving/holds`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(bare.status).toBe(403);
  expect(await holds()).toBe(0);
  expect((await hold(url)).status).toBe(200);
  expect(await holds()).toBe(1);
});

test('another site cannot so much as have something read, and no stream is opened for it', async () => {
  const url = await serve();
  const from = (site: string, path: string) =>
    fetch(url + path, { headers: { 'sec-fetch-site': site } }).then(async (answer) => {
      await answer.body?.cancel();
      return answer.status;
    });
  for (const path of ['/api/overview', '/api/migration/findings', '/api/live']) {
    expect(await from('cross-site', path)).toBe(403);
    expect(await from('same-site', path)).toBe(403);
  }
  expect(await from('same-origin', '/api/live')).toBe(200);
});

test('a throttle of a page holds no SQL', async () => {
  const url = await serve();
  const throttle = (text: string) =>
    fetch(`${url}/api/migration/throttle`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url },
      body: JSON.stringify({ confirm: 'throttle', throttles: [text] }),
    });
  const refused = await throttle(' sql = SELECT content FROM messages LIMIT 1');
  expect([refused.status, await refused.json()]).toMatchObject([400, { code: 'TD060' }]);
});

test('a name that points here is not this server’s', async () => {
  const url = await serve();
  const status = await new Promise((resolve, reject) => {
    request(`${url}/api/overview`, { headers: { host: 'evil.example' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(421);
});

test('every answer says what a page of it may load, and that nobody may frame it', async () => {
  const url = await serve();
  for (const path of ['/', '/api/overview', '/assets/page.css', '/nowhere', '/metrics']) {
    const { headers } = await fetch(url + path);
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('same-origin');
  }
});

test('where it only reads, the server refuses every change, and so does the database', async () => {
  const url = await serve({ readOnly: true });
  const answer = await hold(url);
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({ code: 'TD009' });
  const reveal = await fetch(`${url}/api/sessions/${session}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url },
    body: JSON.stringify({ reason: 'none', after: null }),
  });
  expect(reveal.status).toBe(403);
  expect((await fetch(`${url}/api/overview`)).status).toBe(200);
  expect(await holds()).toBe(0);
  const pool = served && 'pool' in served ? served.pool : null;
  await expect(Object(pool).query('DELETE FROM keeper.samples')).rejects.toMatchObject({ code: '25006' });
});

describe('with a token', () => {
  const token = 'correct horse battery staple';
  const form = (url: string, fields: Record<string, string>, origin = url) =>
    fetch(`${url}/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin },
      body: new URLSearchParams(fields),
    });

  test('nothing is told without it; a form takes it for a cookie that no script and no other site can use', async () => {
    const url = await serve({ token });
    for (const path of ['/api/overview', '/metrics', '/api/live', '/healthz'])
      expect((await fetch(url + path)).status).toBe(401);
    const page = await fetch(url, { redirect: 'manual', headers: { accept: 'text/html' } });
    expect([page.status, page.headers.get('location')]).toEqual([303, '/sign-in']);
    expect((await form(url, { token, name: 'Ada' }, 'http://evil.example')).status).toBe(403);
    expect((await form(url, { token: 'wrong', name: 'Ada' })).status).toBe(401);
    expect((await form(url, { token, name: ' ' })).status).toBe(400);
    const signed = await form(url, { token, name: 'Ada' });
    expect(signed.status).toBe(303);
    const cookie = signed.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^tandem_session=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    const own = { cookie: cookie.split(';')[0] ?? '' };
    expect((await fetch(`${url}/api/overview`, { headers: own })).status).toBe(200);
    expect((await hold(url, own)).status).toBe(200);
    const { rows } = await database.pool.query('SELECT actor, action FROM keeper.audit ORDER BY id DESC LIMIT 1');
    expect(rows).toEqual([{ actor: 'Ada', action: 'hold.place' }]);
    const bearer = { authorization: `Bearer ${token}` };
    expect((await fetch(`${url}/api/overview`, { headers: bearer })).status).toBe(200);
    expect((await fetch(`${url}/api/overview`, { headers: { cookie: 'tandem_session=x' } })).status).toBe(401);
  });

  test('it cannot be guessed in a hurry', async () => {
    const url = await serve({ token });
    for (let i = 0; i < 10; i++) expect((await form(url, { token: `guess ${i}`, name: 'Eve' })).status).toBe(401);
    expect((await form(url, { token, name: 'Eve' })).status).toBe(429);
  });
});
