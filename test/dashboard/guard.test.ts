import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { idleSessions, idOf } from '../plans/sessions/keeper/keeping.ts';
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

/** Those of this database that wait for a lock. */
const WAITING =
  'SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE NOT l.granted AND d.datname = current_database()';

test('two queries are tried at once, and a third one does not wait for a connection', async () => {
  const url = await serve();
  const attempt = () =>
    fetch(`${url}/api/search/try`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url },
      body: JSON.stringify({ query: 'hello', user: '00000000-0000-0000-0000-00000000000a', language: null }),
    });
  const client = await database.connect();
  await client.query('BEGIN; LOCK TABLE public.messages');
  const first = [attempt(), attempt()];
  await expect.poll(async () => (await database.pool.query(WAITING)).rowCount).toBe(2);
  const refused = await attempt();
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'TD026' }]);
  await client.query('ROLLBACK');
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
  expect((await attempt()).status).toBe(200);
});

test('figures are compared by one at a time, and by nobody once whoever asked has gone', async () => {
  const url = await serve({ readOnly: true });
  const client = await database.connect();
  await client.query('BEGIN; LOCK TABLE public.messages');
  const gone = new AbortController();
  const first = fetch(`${url}/api/statistics/comparison`, { signal: gone.signal });
  await expect.poll(async () => (await database.pool.query(WAITING)).rowCount).toBe(1);
  const refused = await fetch(`${url}/api/statistics/comparison`);
  expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'TD026' }]);
  gone.abort();
  await expect(first).rejects.toThrow();
  await expect.poll(async () => (await database.pool.query(WAITING)).rowCount).toBe(0);
  await client.query('ROLLBACK');
  const compared = await fetch(`${url}/api/statistics/comparison`);
  expect(await compared.json()).toEqual({ sessions: 30, drifted: 0, differences: [] });
});

describe('where the keeper has not worked yet', () => {
  const fresh = useDatabase(idleSessions);

  test('nothing is made in the database before somebody has confirmed', async () => {
    const server = await serveDashboard(fresh);
    const post = (path: string, json: unknown) =>
      fetch(`${server.url}/api/archiving${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: server.url },
        body: JSON.stringify(json),
      });
    const objects = async () =>
      (
        await fresh.pool.query(
          "SELECT relname FROM pg_class WHERE relnamespace = 'keeper'::regnamespace AND relkind = 'r' ORDER BY 1",
        )
      ).rows;
    const before = await objects();
    const policy = { archiveAfterDays: 1, deleteAfterDays: null, purgeAfterDays: null, graceDays: 7 };
    for (const [path, json] of [
      ['/policy', { policy, confirm: 'wrong' }],
      ['/policy/try', { policy }],
      ['/holds/release', { session, confirm: 'release' }],
      ['/undo', { run: 1, confirm: 'undo' }],
    ] as const) {
      const refused = await post(path, json);
      expect([path, refused.status, await refused.json()]).toMatchObject([path, 409, { code: 'TD012' }]);
    }
    expect((await post('/holds', { session: idOf('active', 99), reason: 'a dispute' })).status).toBe(404);
    expect(await objects()).toEqual(before);
    expect((await post('/holds', { session, reason: 'a dispute' })).status).toBe(200);
    await expect(fresh.pool.query('DELETE FROM public.sessions WHERE id = $1', [session])).rejects.toThrow('held');
    await server.close();
  });
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
    expect([page.status, page.headers.get('location')]).toEqual([303, '/sign-in?to=%2F']);
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

  const cookieOf = (answer: Response) => ({ cookie: (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '' });
  /** From another address of this machine's, which `fetch` cannot choose. */
  const bearerFrom = (localAddress: string, url: string, headers: Record<string, string> = {}) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = { localAddress, headers: { authorization: `Bearer ${token}`, ...headers } };
      request(`${url}/api/overview/place`, options, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  test.each([
    ['in the form', (url: string, guess: string) => form(url, { token: guess, name: 'Eve' })],
    [
      'by programs',
      (url: string, guess: string) => fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${guess}` } }),
    ],
  ])(
    'it cannot be guessed in a hurry, %s, and nobody is kept out who is elsewhere or signed in',
    async (_, attempt) => {
      const url = await serve({ token });
      const own = cookieOf(await form(url, { token, name: 'Ada' }));
      for (let i = 0; i < 10; i++) expect((await attempt(url, `guess ${i}`)).status).toBe(401);
      const refused = await attempt(url, token);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeOneOf([1, 2, 3, 4, 5, 6]);
      expect((await fetch(`${url}/api/overview`, { headers: own })).status).toBe(200);
      expect(await bearerFrom('127.0.0.1', url)).toBe(429);
      expect(await bearerFrom('127.0.0.2', url)).toBe(200);
      // A proxy on this machine says whom it asks for; what its client told it before is nobody's word.
      expect(await bearerFrom('127.0.0.1', url, { 'x-forwarded-for': '127.0.0.1, 192.0.2.1' })).toBe(200);
      expect(await bearerFrom('127.0.0.2', url, { 'x-forwarded-for': '192.0.2.1, 127.0.0.1' })).toBe(429);
    },
  );

  test('whoever signs out is signed out here, too, and sees nothing more of what was open', async () => {
    const url = await serve({ token });
    const own = cookieOf(await form(url, { token, name: 'Ada' }));
    const live = await fetch(`${url}/api/live`, { headers: own });
    const out = (origin: string) =>
      fetch(`${url}/sign-out`, { method: 'POST', redirect: 'manual', headers: { ...own, origin } });
    expect((await out('http://evil.example')).status).toBe(403);
    expect((await fetch(`${url}/api/overview/place`, { headers: own })).status).toBe(200);
    const answer = await out(url);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/sign-in']);
    expect(answer.headers.get('set-cookie')).toMatch(/^tandem_session=; Max-Age=0; Path=\/$/);
    // The stream has an end, where it had none.
    await live.text();
    expect((await fetch(`${url}/api/overview/place`, { headers: own })).status).toBe(401);
  });

  test('whoever signs in is led to the page that was asked for, and to no other site', async () => {
    const url = await serve({ token });
    const asked = await fetch(`${url}/sessions/${session}`, { redirect: 'manual', headers: { accept: 'text/html' } });
    expect(asked.headers.get('location')).toBe(`/sign-in?to=${encodeURIComponent(`/sessions/${session}`)}`);
    const led = async (to: string) =>
      (await form(url, { token, name: 'Ada', to })).headers.get('location')?.replace(url, '');
    expect(await led(`/sessions/${session}`)).toBe(`/sessions/${session}`);
    for (const to of [
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      'https://evil.example',
      '/.//evil.example',
    ])
      expect(await led(to)).toBe('/');
  });
});
