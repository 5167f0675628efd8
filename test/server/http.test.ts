import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpServer, startHttp } from '../../src/server/http.ts';
import { parseListen } from '../../src/server/listen.ts';

let server: HttpServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

async function serve(
  options: { host?: string; token?: string; allowedHosts?: string[]; ready?: () => Promise<void> } = {},
): Promise<string> {
  server = await startHttp({
    listen: { host: options.host ?? '127.0.0.1', port: 0 },
    token: options.token ?? null,
    allowedHosts: options.allowedHosts ?? [],
    metrics: async () => 'tandem_up 1\n',
    ready: options.ready ?? (async () => undefined),
  });
  return server.url;
}

const get = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers });
  return { status: response.status, body: await response.text() };
};

/** `fetch` lets nobody choose the Host header. */
function statusFor(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

test('serves the figures, and whether it lives and can work', async () => {
  const url = await serve({ ready: () => Promise.reject(new Error('the server is away')) });
  expect(await get(`${url}/metrics`)).toEqual({ status: 200, body: 'tandem_up 1\n' });
  expect(await get(`${url}/healthz`)).toEqual({ status: 200, body: 'ok\n' });
  expect(await get(`${url}/readyz`)).toEqual({ status: 503, body: 'the server is away\n' });
  expect(await get(`${url}/other`)).toMatchObject({ status: 404 });
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
});

test('on this machine, answers to the names of this machine only', async () => {
  const url = await serve();
  expect(await statusFor(`${url}/metrics`, 'localhost:9787')).toBe(200);
  expect(await statusFor(`${url}/metrics`, '[::1]:9787')).toBe(200);
  expect(await statusFor(`${url}/metrics`, 'evil.example')).toBe(421);
});

test('names of a proxy before it are told to it, and beyond this machine an address is no name', async () => {
  await expect(serve({ allowedHosts: ['tandem.example'] })).rejects.toMatchObject({ code: 'TD008' });
  const url = await serve({ allowedHosts: ['Tandem.example'], token: 'secret' });
  expect(await statusFor(`${url}/metrics`, 'tandem.example')).toBe(401);
  expect(await statusFor(`${url}/metrics`, 'evil.example')).toBe(421);
  await server?.close();
  const wide = (await serve({ host: '0.0.0.0', token: 'secret' })).replace('0.0.0.0', '127.0.0.1');
  expect(await statusFor(`${wide}/healthz`, 'evil.example')).toBe(421);
  expect(await statusFor(`${wide}/healthz`, '192.0.2.1:9787')).toBe(401);
});

test('beyond this machine, refuses to start without a token, and asks for it', async () => {
  await expect(serve({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'TD008' });
  const url = (await serve({ host: '0.0.0.0', token: 'secret' })).replace('0.0.0.0', '127.0.0.1');
  expect(await get(`${url}/metrics`)).toMatchObject({ status: 401 });
  expect(await get(`${url}/metrics`, { authorization: 'Bearer secreT' })).toMatchObject({ status: 401 });
  expect(await get(`${url}/metrics`, { authorization: 'Bearer secret' })).toMatchObject({ status: 200 });
});

test('what is too long is not read, whoever sends it', async () => {
  const url = await serve({ token: 'secret' });
  const sent = (bytes: number) =>
    fetch(`${url}/sign-in`, {
      method: 'POST',
      headers: { origin: url },
      body: new URLSearchParams({ name: 'a'.repeat(bytes) }),
    });
  expect((await sent(1_000_000)).status).toBe(413);
  expect((await sent(1_000)).status).toBe(401);
});

test('an address that is taken is said to be so', async () => {
  const { port } = new URL(await serve());
  const again = startHttp({
    listen: { host: '127.0.0.1', port: Number(port) },
    token: null,
    metrics: async () => '',
    ready: async () => undefined,
  });
  await expect(again).rejects.toMatchObject({ code: 'TD008', hint: expect.stringContaining('already') });
});

describe('--listen', () => {
  test.each([
    ['9787', { host: '127.0.0.1', port: 9787 }],
    ['localhost:80', { host: 'localhost', port: 80 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
  ])('%s', (text, address) => {
    expect(parseListen(text)).toEqual(address);
  });
  test.each(['', 'localhost', ':80', '127.0.0.1:99999', 'a b:80'])('refuses %j', (text) => {
    expect(() => parseListen(text)).toThrow('is no address to listen at');
  });
});
