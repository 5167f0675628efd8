import { expect, test } from 'vitest';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { inTransaction } from '../../src/db/connect.ts';
import { acquireLease, assertLease, releaseLease, renewLease } from '../../src/keeper/lease.ts';
import { idleSessions, names, untilWaitsFor } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase(idleSessions);
const lapse = () => database.pool.query("UPDATE keeper.leader SET expires_at = now() - interval '1 ms'");
const fenced = (epoch: string) => inTransaction(database.pool, (client) => assertLease(client, epoch));

test('one keeper has the lease at a time; when it lapses the next one has it, and the first may write no more', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const first = (await acquireLease(pool, 'first')) ?? '';
  expect(await acquireLease(pool, 'second')).toBeNull();
  expect(await renewLease(pool, first)).toBe(true);
  await fenced(first);
  await lapse();
  const second = (await acquireLease(pool, 'second')) ?? '';
  expect(Number(second)).toBe(Number(first) + 1);
  expect(await renewLease(pool, first)).toBe(false);
  await expect(fenced(first)).rejects.toMatchObject({ code: 'TD021' });
  // What the first one gives up is no longer its own.
  await releaseLease(pool, first);
  expect(await acquireLease(pool, 'third')).toBeNull();
  await releaseLease(pool, second);
  expect(await acquireLease(pool, 'third')).not.toBeNull();
});

test('a transaction that has looked at the lease ends before another keeper takes it', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const epoch = (await acquireLease(pool, 'first')) ?? '';
  await lapse();
  const writer = await database.connect();
  await writer.query('BEGIN');
  await assertLease(writer, epoch);
  const second = acquireLease(pool, 'second');
  await untilWaitsFor(pool, writer);
  await writer.query('COMMIT');
  expect(await second).not.toBeNull();
});

test('however many ask at once, one has it', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  for (let round = 1; round <= 25; round++) {
    await lapse();
    const epochs = await Promise.all(Array.from({ length: 8 }, (_, i) => acquireLease(pool, `keeper ${i}`)));
    expect(epochs.filter((epoch) => epoch !== null)).toEqual([String(round)]);
  }
});
