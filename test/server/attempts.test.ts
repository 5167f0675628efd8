import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { createAttempts, networkOf } from '../../src/server/attempts.ts';

test('an address that guesses is held up for seconds, and others are not', () => {
  let now = 0;
  const attempts = createAttempts(() => now);
  for (let i = 0; i < 10; i++) {
    expect(attempts.wait('eve')).toBe(0);
    attempts.wrong('eve');
  }
  expect(attempts.wait('eve')).toBe(6);
  expect(attempts.wait('ada')).toBe(0);
  now += 6_000;
  expect(attempts.wait('eve')).toBe(0);
  attempts.wrong('eve');
  expect(attempts.wait('eve')).toBe(6);
  // In an hour it is 600 guesses, and not more for having waited.
  now += 3_600_000;
  for (let i = 0; i < 10; i++) attempts.wrong('eve');
  expect(attempts.wait('eve')).toBe(6);
});

test('many addresses together are held up, too, but not those that know the token', () => {
  let now = 0;
  const attempts = createAttempts(() => now);
  attempts.right('ada');
  for (let i = 0; i < 100; i++) attempts.wrong(`eve ${i}`);
  expect(attempts.wait('eve 100')).toBe(1);
  expect(attempts.wait('ada')).toBe(0);
  now += 600;
  expect(attempts.wait('eve 100')).toBe(0);
  for (let i = 0; i < 10; i++) attempts.wrong('ada');
  expect(attempts.wait('ada')).toBe(6);
});

test.each([
  ['198.51.100.7', undefined, '198.51.100.7'],
  ['::ffff:198.51.100.7', undefined, '198.51.100.7'],
  // Whoever says it comes from elsewhere is not believed, but for a proxy on this machine about its own client.
  ['198.51.100.7', '192.0.2.1', '198.51.100.7'],
  ['127.0.0.1', '198.51.100.7, 192.0.2.1', '192.0.2.1'],
  ['::1', '192.0.2.1', '192.0.2.1'],
  ['127.0.0.1', 'nonsense', '127.0.0.1'],
  // One customer has 2^64 addresses.
  ['2001:db8:1:2:3:4:5:6', undefined, '2001:db8:1:2'],
  ['2001:db8::5:6', undefined, '2001:db8:0:0'],
])('%s, with %s, is network %s', async (remoteAddress, forwarded, network) => {
  const app = new Hono().get('/', (context) => context.text(networkOf(context)));
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  const answer = await app.request('/', { headers }, { incoming: { socket: { remoteAddress } } });
  expect(await answer.text()).toBe(network);
});
