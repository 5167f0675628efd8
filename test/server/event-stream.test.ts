import { expect, test } from 'vitest';
import { createOutbox } from '../../src/server/event-stream.ts';

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
