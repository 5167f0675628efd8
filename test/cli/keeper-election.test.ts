import { beforeAll, expect, test } from 'vitest';
import { pgbouncerPath, startPooler } from '../client/pgbouncer.ts';
import { idleSessions } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { ensureBuilt } from './build.ts';
import { eventsOf, type Running, startTandem, tandem } from './tandem.ts';

const database = useDatabase(idleSessions);
beforeAll(ensureBuilt);
const serve = () => startTandem(['serve', '--listen', '127.0.0.1:0'], { url: database.url });
const TAKEOVER_MS = 15_000;

async function leaderOf(serving: Running): Promise<number> {
  const url = eventsOf(serving.printed()).find(({ event }) => event === 'listening')?.['url'];
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^tandem_leader (\d)$/m.exec(text)?.[1]);
}
const holder = async () =>
  (await database.pool.query<{ holder: string }>('SELECT holder FROM keeper.leader')).rows[0]?.holder;

test('a leader that is stopped, or killed, is taken over from within 15 seconds, and there is one at a time', async () => {
  const first = await serve();
  await first.untilPrinted('"event":"leader"');
  const second = await serve();
  await second.untilPrinted('"event":"listening"');
  expect([await leaderOf(first), await leaderOf(second)]).toEqual([1, 0]);

  // It goes on in the belief that it leads, until it asks.
  first.process.kill('SIGSTOP');
  const stoppedAt = performance.now();
  await second.untilPrinted('"event":"leader"');
  expect(performance.now() - stoppedAt).toBeLessThan(TAKEOVER_MS);
  first.process.kill('SIGCONT');
  await first.untilPrinted('"event":"lost"');
  expect([await leaderOf(first), await leaderOf(second)]).toEqual([0, 1]);
  expect(await holder()).toContain(`/${second.process.pid}/`);

  second.process.kill('SIGKILL');
  const killedAt = performance.now();
  const before = eventsOf(first.printed()).filter(({ event }) => event === 'leader').length;
  expect(before).toBe(1);
  await first.untilPrinted('"epoch":"3"');
  expect(performance.now() - killedAt).toBeLessThan(TAKEOVER_MS);
  expect(await holder()).toContain(`/${first.process.pid}/`);
  first.process.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ code: 0, stderr: '' });
  for (const event of eventsOf(first.printed())) expect(event['at']).toMatch(/^\d{4}-\d\d-\d\dT/);
});

test.skipIf(pgbouncerPath === null)('behind a transaction pooler it refuses, and says why', async () => {
  const pooler = await startPooler(database.url, 4);
  try {
    const { code, stderr } = await tandem(['serve', '--listen', '127.0.0.1:0'], { url: pooler.url });
    expect(code).toBe(2);
    expect(stderr).toContain('TD014');
    expect(stderr).toContain('is a pooler that gives a connection away after each transaction');
  } finally {
    await pooler.stop();
  }
});
