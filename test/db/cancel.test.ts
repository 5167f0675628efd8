import { expect, test } from 'vitest';
import { explain } from '../../src/cli/failure.ts';
import { cancelledBy } from '../../src/db/cancel.ts';
import { backendOf } from '../move/blocked.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();

test('a statement is cancelled where the signal is aborted meanwhile, and its connection goes on', async () => {
  const stop = new AbortController();
  const client = await database.pool.connect();
  const pid = await backendOf(client);
  const work = cancelledBy(database.pool, client, stop.signal, () => client.query('SELECT pg_sleep(600)'));
  const failed = work.catch((error: unknown) => error);
  await expect
    .poll(
      async () =>
        (await database.pool.query("SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'", [pid]))
          .rowCount,
    )
    .toBe(1);
  stop.abort();
  const error = await failed;
  expect(error).toMatchObject({ code: '57014' });
  expect(await backendOf(client)).toBe(pid);
  client.release();
  // Whoever asked for it is told so, and anybody else that the server did it.
  expect(explain(error, stop.signal)).toMatchObject({ code: 'TD022', exitCode: 4, message: 'Stopped.' });
  expect(explain(error, new AbortController().signal).message).toMatch(/^The server gave up a statement: /);
});

test('a statement that ends by itself is none of the signal’s', async () => {
  const stop = new AbortController();
  const client = await database.pool.connect();
  const { rows } = await cancelledBy(database.pool, client, stop.signal, () => client.query('SELECT 7 AS n'));
  stop.abort();
  expect(rows).toEqual([{ n: 7 }]);
  expect((await client.query('SELECT 8 AS n')).rows).toEqual([{ n: 8 }]);
  client.release();
});
