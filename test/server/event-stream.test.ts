import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { createOutbox, eventStream } from '../../src/server/event-stream.ts';

test('what waits for a slow page does not grow: the newest migration, and each topic once', async () => {
  const outbox = createOutbox();
  for (let i = 0; i < 1_000; i++) {
    outbox.put('migration', `{"n":${i}}`);
    outbox.put('changed', i % 2 === 0 ? '["audit"]' : '["audit","holds"]');
  }
  await outbox.wait(60_000);
  expect(outbox.take()).toEqual([
    { event: 'migration', data: '{"n":999}' },
    { event: 'changed', data: '["audit","holds"]' },
  ]);
  expect(outbox.take()).toEqual([]);
  const waiting = outbox.wait(60_000);
  outbox.put('changed', '["alerts"]');
  await waiting;
  expect(outbox.take()).toEqual([{ event: 'changed', data: '["alerts"]' }]);
});

test('streams whose readers are gone make room for others, and so many are open at most', async () => {
  const app = new Hono().get('/', eventStream({ subscribe: () => () => undefined, wake() {}, close() {} }));
  for (let i = 0; i < 120; i++) expect((await app.request('/', { method: 'HEAD' })).status).toBe(200);
  const opened = await Promise.all(Array.from({ length: 100 }, () => app.request('/')));
  expect(opened.map(({ status }) => status)).toEqual(Array(100).fill(200));
  expect((await app.request('/')).status).toBe(503);
  await Promise.all(opened.map(({ body }) => body?.cancel()));
  await expect.poll(async () => (await app.request('/')).status).toBe(200);
});
