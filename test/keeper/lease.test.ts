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

test('a transaction that has looked at the lease, however long it lasts, does not keep its own keeper from renewing', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const epoch = (await acquireLease(pool, 'first')) ?? '';
  const writer = await database.connect();
  await writer.query('BEGIN');
  await assertLease(writer, epoch);
  const renewing = await database.connect();
  await renewing.query("SET lock_timeout = '1s'");
  await lapse();
  const second = acquireLease(pool, 'second');
  await untilWaitsFor(pool, writer);
  // Not even where somebody waits for it already: it is not lapsed any more then.
  expect(await renewLease(renewing, epoch)).toBe(true);
  await writer.query('COMMIT');
  expect(await second).toBeNull();
  await fenced(epoch);
});

test('a lease that was waited for is good for as long as any other', async () => {
  const { pool } = database;
  await installKeeper(pool, names);
  const epoch = (await acquireLease(pool, 'first')) ?? '';
  await lapse();
  const writer = await database.connect();
  await writer.query('BEGIN');
  await assertLease(writer, epoch);
  const candidate = await database.connect();
  await candidate.query('BEGIN');
  await candidate.query('SELECT pg_sleep(1)');
  const second = acquireLease(candidate, 'second');
  await untilWaitsFor(pool, writer);
  await writer.query('COMMIT');
  await second;
  const { rows } = await candidate.query(
    'SELECT extract(epoch FROM expires_at - now())::float8 AS good FROM keeper.leader',
  );
  await candidate.query('COMMIT');
  // Counted from when it asked, which was a second before it had the lease.
  expect(rows[0].good).toBeGreaterThan(11);
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
