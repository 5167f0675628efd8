import { expect, test } from 'vitest';
import { isConnectionLoss } from '../../src/db/sqlstate.ts';
import { copyTable } from '../../src/move/copy.ts';
import { forward } from '../../src/move/direction.ts';
import { useDatabase } from '../support/database.ts';
import { backendOf, untilBlocked } from './blocked.ts';
import { Moving, sameColumn, symmetricDifference, writeMove } from './moving.ts';

const database = useDatabase();
const ROWS = 6000;

/** A few hundred blocks, so that a copy takes several batches. */
async function wide(): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem;
    CREATE TABLE public.wide (id integer PRIMARY KEY, note text, pad text) WITH (fillfactor = 10);
    INSERT INTO public.wide SELECT n, 'note ' || n, repeat('x', 100) FROM generate_series(1, ${ROWS}) AS n; ANALYZE public.wide`);
  const move = await writeMove(pool, {
    name: 'wide',
    source: { schema: 'public', name: 'wide' },
    columns: [sameColumn('id', 'integer'), sameColumn('note', 'text'), sameColumn('pad', 'text')],
  });
  return new Moving(pool, [move], {
    wide: {
      create: ['CREATE TABLE tandem.wide_target (id integer NOT NULL, note text, pad text)'],
      build: ['ALTER TABLE tandem.wide_target ADD PRIMARY KEY (id)'],
    },
  });
}

const moveOf = (moving: Moving) => {
  const [move] = moving.moves;
  if (!move) throw new Error('There is no move.');
  return move;
};

async function expectCopied(moving: Moving): Promise<void> {
  await moving.build();
  await moving.drain();
  expect(
    await symmetricDifference(database.pool, 'SELECT * FROM public.wide', 'SELECT * FROM tandem.wide_target'),
  ).toEqual([]);
  expect(await moving.compare()).toMatchObject([{ differences: [], leftOut: 0 }]);
}

const ranges = async () => {
  const { rows } = await database.pool.query<{ from: number; to: number; rows: number }>(
    'SELECT first_block AS "from", end_block AS "to", rows::int FROM tandem.copied_range ORDER BY first_block',
  );
  return rows;
};

test('every block is read once, by one worker or by several', async () => {
  const moving = await wide();
  await moving.begin();
  const copied = await moving.copy({ workers: 3 });
  expect(copied).toEqual({ rows: ROWS, restarts: 0 });
  const all = await ranges();
  expect(all.length).toBeGreaterThan(3);
  expect(all.map((range) => range.from)).toEqual([0, ...all.slice(0, -1).map((range) => range.to)]);
  expect(await moving.copy()).toEqual({ rows: ROWS, restarts: 0 });
  await expectCopied(moving);
});

test('an empty table', async () => {
  const moving = await wide();
  await database.pool.query('TRUNCATE public.wide');
  await moving.begin();
  expect(await moving.copy()).toEqual({ rows: 0, restarts: 0 });
  await database.pool.query("INSERT INTO public.wide VALUES (1, 'first')");
  await expectCopied(moving);
});

test('rows that move on in the table while it is read are copied twice, or not at all, and are right in the end', async () => {
  const moving = await wide();
  const application = await database.connect();
  await moving.begin();
  let batches = 0;
  await moving.copy({
    workers: 1,
    beforeCommit: async () => {
      batches += 1;
      // Those of the first block go behind everything that is read later; those of the last block are gone before.
      if (batches > 1) return;
      await application.query(
        `DELETE FROM public.wide WHERE id > ${ROWS - 5}; UPDATE public.wide SET pad = repeat('y', 3000) WHERE id <= 5;
         INSERT INTO public.wide SELECT n, 'again', '' FROM generate_series(${ROWS - 4}, ${ROWS}) AS n`,
      );
      await application.query('VACUUM public.wide');
    },
  });
  await expectCopied(moving);
});

test.each([
  ['VACUUM FULL', 'VACUUM FULL public.wide'],
  ['CLUSTER', 'CLUSTER public.wide USING wide_pkey'],
])('a source rewritten by %s during the copy is copied again, from its new blocks', async (_, sql) => {
  const moving = await wide();
  const application = await database.connect();
  await application.query(
    "DELETE FROM public.wide WHERE id % 3 = 0; UPDATE public.wide SET note = 'late' WHERE id % 5 = 0",
  );
  await moving.begin();
  const pid = await backendOf(application);
  let rewriting: Promise<unknown> | null = null;
  const copied = await moving.copy({
    workers: 2,
    beforeCommit: async () => {
      if (rewriting) return;
      rewriting = application.query(sql);
      await untilBlocked(database.pool, pid);
    },
  });
  await rewriting;
  expect(copied).toEqual({ rows: (ROWS / 3) * 2, restarts: 1 });
  await expectCopied(moving);
});

test('a source rewritten between a stop and the next start is copied anew', async () => {
  const moving = await wide();
  await moving.begin();
  const stop = new AbortController();
  await expect(
    moving.copy({ workers: 1, signal: stop.signal, beforeCommit: async () => stop.abort() }),
  ).rejects.toMatchObject({ code: 'TD022' });
  expect(await ranges()).toHaveLength(1);
  await database.pool.query('VACUUM FULL public.wide');
  expect(await moving.copy()).toEqual({ rows: ROWS, restarts: 0 });
  await expectCopied(moving);
});

test('a source that is rewritten again and again is an error that says so', async () => {
  const moving = await wide();
  const application = await database.connect();
  await moving.begin();
  const pid = await backendOf(application);
  let rewriting: Promise<unknown> = Promise.resolve();
  const copying = moving.copy({
    workers: 1,
    beforeCommit: async () => {
      await rewriting;
      rewriting = application.query('VACUUM FULL public.wide');
      await untilBlocked(database.pool, pid);
    },
  });
  await expect(copying).rejects.toMatchObject({ code: 'TD023' });
  await rewriting;
});

test.each([1, 3])('stopped by a signal with %i workers, it goes on where it stopped', async (workers) => {
  const moving = await wide();
  await moving.begin();
  const stop = new AbortController();
  let batches = 0;
  const stopped = moving.copy({
    workers,
    signal: stop.signal,
    beforeCommit: async () => {
      batches += 1;
      if (batches === 2) stop.abort();
    },
  });
  await expect(stopped).rejects.toMatchObject({ code: 'TD022' });
  const before = await ranges();
  // Each worker finishes the batch that it has begun, and begins no other.
  expect(before.length).toBeGreaterThanOrEqual(Math.min(2, workers));
  expect(before.length).toBeLessThanOrEqual(workers + 1);
  await database.pool.query("UPDATE public.wide SET note = 'between' WHERE id IN (1, 3000, 6000)");
  const again: { from: number; to: number }[] = [];
  await moving.copy({ workers, beforeCommit: async (range) => void again.push(range) });
  for (const range of before) expect(again.filter((r) => r.from < range.to && r.to > range.from)).toEqual([]);
  expect((await ranges()).reduce((sum, range) => sum + range.rows, 0)).toBeGreaterThanOrEqual(ROWS - 3);
  await expectCopied(moving);
});

test('where its backends are terminated, only the batches in flight are copied again: one a worker', async () => {
  const moving = await wide();
  await moving.begin();
  const direction = forward(moveOf(moving));
  const inFlight: { from: number; to: number }[] = [];
  let batches = 0;
  const killed = copyTable({
    pool: database.pool,
    direction,
    workers: 2,
    beforeCommit: async (range) => {
      batches += 1;
      if (batches <= 2) return;
      inFlight.push(range);
      await database.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle in transaction'`,
      );
    },
  });
  // By the server's own words, or by the closed connection: whichever comes first.
  expect(isConnectionLoss(await killed.catch((error: unknown) => error))).toBe(true);
  const before = await ranges();
  expect(before.length).toBeGreaterThan(0);
  expect(inFlight.length).toBeLessThanOrEqual(2);
  const again: { from: number; to: number }[] = [];
  const copied = await copyTable({
    pool: database.pool,
    direction,
    workers: 2,
    beforeCommit: async (range) => void again.push(range),
  });
  expect(copied).toEqual({ rows: ROWS, restarts: 0 });
  for (const range of before) expect(again.filter((r) => r.from < range.to && r.to > range.from)).toEqual([]);
  await expectCopied(moving);
});

test('a target published with all tables, which lets no row be deleted that has no key, is built all the same', async () => {
  const moving = await wide();
  const { pool } = database;
  await pool.query('CREATE PUBLICATION everything FOR ALL TABLES');
  await moving.begin();
  await moving.copy();
  await pool.query("UPDATE public.wide SET note = 'changed' WHERE id < 100");
  await expectCopied(moving);
  const { rows } = await pool.query("SELECT relreplident FROM pg_class WHERE oid = 'tandem.wide_target'::regclass");
  expect(rows).toEqual([{ relreplident: 'd' }]);
});
