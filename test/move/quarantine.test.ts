import { describe, expect, test } from 'vitest';
import { forward } from '../../src/move/direction.ts';
import { findUnfitRows, requeueQuarantine } from '../../src/move/quarantine.ts';
import type { ColumnMove } from '../../src/move/table-move.ts';
import { useDatabase } from '../support/database.ts';
import { swapMeeting } from './blocked.ts';
import { enumColumn, Moving, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();
const LABELS = ['new', 'paid', 'sent'];

/** A live table of orders, whose state becomes an enum and whose quantity may no longer be NULL. */
async function orders(state: ColumnMove = enumColumn('state', 'public.order_state', LABELS)): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE TYPE public.order_state AS ENUM ('new', 'paid', 'sent'); CREATE SCHEMA IF NOT EXISTS tandem;
    CREATE TABLE public.orders (id integer PRIMARY KEY, state text, quantity integer);
    INSERT INTO public.orders SELECT n, 'new', n FROM generate_series(1, 20) AS n`);
  const move = await writeMove(pool, {
    name: 'orders',
    source: { schema: 'public', name: 'orders' },
    columns: [
      sameColumn('id', 'integer'),
      state,
      sameColumn('quantity', 'integer', { fits: 's.quantity IS NOT NULL' }),
    ],
  });
  return new Moving(pool, [move], {
    orders: {
      create: [
        'CREATE TABLE tandem.orders_target (id integer NOT NULL, state public.order_state NOT NULL, quantity integer NOT NULL)',
      ],
      build: ['ALTER TABLE tandem.orders_target ADD PRIMARY KEY (id)'],
    },
  });
}

const aside = (id: number, ...columns: string[]) => ({
  table: 'orders',
  key: [String(id)],
  reason: `does not fit: ${columns.join(', ')}`,
});

test('rows that do not fit are set aside, whenever they come, and no statement of the application fails', async () => {
  const moving = await orders();
  const application = await database.connect();
  const write = (id: number, set: string) => application.query(`UPDATE public.orders SET ${set} WHERE id = $1`, [id]);
  await write(1, "state = 'lost'");
  await write(2, 'quantity = NULL, state = NULL');
  await moving.begin();
  await write(3, 'quantity = NULL');
  await moving.copy({ beforeCommit: async () => void (await write(4, "state = 'late'")) });
  expect(await moving.quarantined()).toEqual([aside(1, 'state'), aside(2, 'state', 'quantity')]);
  await write(5, 'quantity = NULL');
  await moving.build();
  await moving.drain();
  await application.query("INSERT INTO public.orders VALUES (21, 'odd', 1)");
  await moving.drain();
  expect((await moving.quarantined()).map((q) => Number(q.key[0])).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 21]);
  expect(await moving.compare()).toMatchObject([{ rows: 15, leftOut: 6, differences: [] }]);

  await expect(moving.swap()).rejects.toMatchObject({ code: 'TD031' });
  // Nobody was made to wait for that.
  expect(moving.events).toEqual([]);

  for (const id of [1, 2, 3, 4]) await write(id, "state = 'paid', quantity = 1");
  await write(5, 'id = 50, quantity = 5');
  await application.query('DELETE FROM public.orders WHERE id = 21');
  await moving.drain();
  expect(await moving.quarantined()).toEqual([]);
  expect(await moving.compare()).toMatchObject([{ rows: 20, leftOut: 0, differences: [] }]);
  await moving.swap();
});

test('a mapping that grew takes in what was set aside', async () => {
  const moving = await orders();
  await database.pool.query("UPDATE public.orders SET state = 'done' WHERE id < 4");
  await moving.prepare();
  expect(await moving.quarantined()).toHaveLength(3);
  const [move] = moving.moves;
  if (!move) throw new Error('There is no move.');
  const mapped = "CASE s.state WHEN 'done' THEN 'sent' ELSE s.state END";
  const grown = {
    ...move,
    columns: move.columns.map((column) =>
      column.target === 'state'
        ? {
            ...column,
            forward: `(${mapped})::public.order_state`,
            fits: `${mapped} IN ('new', 'paid', 'sent')`,
            lossy: true,
          }
        : column,
    ),
  };
  expect(await findUnfitRows(database.pool, forward(move))).toEqual([
    { column: 'state', rows: 3, keys: ['1', '2', '3'], values: ['done'] },
  ]);
  expect(await findUnfitRows(database.pool, forward(grown))).toEqual([]);
  await requeueQuarantine(database.pool, forward(grown));
  const again = new Moving(database.pool, [grown], {});
  await again.drain();
  expect(await again.quarantined()).toEqual([]);
  expect(await again.compare()).toMatchObject([{ rows: 20, leftOut: 0, differences: [] }]);
  await again.swap();
});

test('a row that stops fitting between the last drain and the locks is noted, and the cutover waits', async () => {
  const moving = await orders();
  const application = await database.connect();
  await moving.prepare();
  const swapped = swapMeeting(moving, await database.connect(), async () => {
    await application.query('UPDATE public.orders SET quantity = NULL WHERE id = 7');
  });
  await expect(swapped).rejects.toMatchObject({ code: 'TD031' });
  expect(await moving.quarantined()).toEqual([aside(7, 'quantity')]);
  const { rows } = await application.query('SELECT pg_typeof(state)::text AS type FROM public.orders WHERE id = 1');
  expect(rows).toEqual([{ type: 'text' }]);
});

test('a value that cannot be cast is set aside with the reason of the server, in the copy as in the drain', async () => {
  const moving = await orders(
    sameColumn('state', 'public.order_state', {
      forward: 's.state::public.order_state',
      backward: 's.state::text',
      sourceType: 'text',
    }),
  );
  const application = await database.connect();
  await application.query("UPDATE public.orders SET state = 'lost' WHERE id = 3");
  await moving.prepare();
  await application.query(
    "UPDATE public.orders SET state = 'odd' WHERE id = 4; UPDATE public.orders SET quantity = 0 WHERE id = 5",
  );
  await moving.drain();
  expect(await moving.quarantined()).toEqual([
    { table: 'orders', key: ['3'], reason: 'invalid input value for enum public.order_state: "lost"' },
    { table: 'orders', key: ['4'], reason: 'invalid input value for enum public.order_state: "odd"' },
  ]);
  expect(await moving.compare()).toMatchObject([{ rows: 18, leftOut: 2, differences: [] }]);
  await application.query("UPDATE public.orders SET state = 'paid' WHERE id IN (3, 4)");
  await moving.drain();
  expect(await moving.quarantined()).toEqual([]);
});

describe('a key that is spelled in several ways', () => {
  test('is set aside, found again and taken in by whatever spelling the row has now', async () => {
    const { pool } = database;
    await pool.query(`CREATE TYPE public.order_state AS ENUM ('new', 'paid', 'sent'); CREATE SCHEMA tandem;
      CREATE TABLE public.prices (amount numeric PRIMARY KEY, state text);
      INSERT INTO public.prices VALUES (1.0, 'new'), (2.0, 'lost'), (3.0, 'new')`);
    const move = await writeMove(pool, {
      name: 'prices',
      source: { schema: 'public', name: 'prices' },
      columns: [sameColumn('amount', 'numeric'), enumColumn('state', 'public.order_state', LABELS)],
    });
    const moving = new Moving(pool, [move], {
      prices: {
        create: ['CREATE TABLE tandem.prices_target (amount numeric NOT NULL, state public.order_state)'],
        build: ['ALTER TABLE tandem.prices_target ADD PRIMARY KEY (amount)'],
      },
    });
    await moving.prepare();
    const keys = async () => (await moving.quarantined()).map((q) => q.key[0]);
    expect(await keys()).toEqual(['2.0']);
    await pool.query(
      "UPDATE public.prices SET amount = 2.00 WHERE amount = 2; UPDATE public.prices SET state = 'odd' WHERE amount = 3",
    );
    await moving.drain();
    expect(await keys()).toEqual(['2.00', '3.0']);
    expect(await moving.compare()).toMatchObject([{ rows: 1, leftOut: 2, differences: [] }]);
    await pool.query(
      "UPDATE public.prices SET amount = 3.000, state = 'paid' WHERE amount = 3; DELETE FROM public.prices WHERE amount = 2",
    );
    await moving.drain();
    expect(await keys()).toEqual([]);
    expect(await moving.compare()).toMatchObject([{ rows: 2, leftOut: 0, differences: [] }]);
  });
});

describe('on the way back', () => {
  /** The retired table refuses what the new one takes: a quantity below 1. */
  async function baking(): Promise<Moving> {
    const moving = await orders();
    await database.pool.query('ALTER TABLE public.orders ADD CONSTRAINT at_least_one CHECK (quantity > 0)');
    await moving.prepare();
    await moving.swap();
    return moving;
  }
  const refused = (id: number) => ({
    table: 'orders',
    key: [String(id)],
    reason: 'new row for relation "orders_retired" violates check constraint "at_least_one"',
  });

  test('a row that the retired table cannot hold keeps its last state there, and comes in once it fits', async () => {
    const moving = await baking();
    const application = await database.connect();
    await application.query(`UPDATE public.orders SET quantity = 0 WHERE id = 1;
      UPDATE public.orders SET quantity = 99 WHERE id = 2; INSERT INTO public.orders VALUES (30, 'new', 0); DELETE FROM public.orders WHERE id = 3`);
    await moving.drain();
    expect(await moving.quarantined()).toEqual([refused(1), refused(30)]);
    const retired = 'SELECT id, quantity FROM tandem.orders_retired WHERE id IN (1, 2, 3, 30) ORDER BY id';
    expect((await application.query(retired)).rows).toEqual([
      { id: 1, quantity: 1 },
      { id: 2, quantity: 99 },
    ]);
    expect(await moving.compare()).toMatchObject([{ rows: 18, leftOut: 2, differences: [] }]);
    await application.query(
      'UPDATE public.orders SET quantity = 5 WHERE id = 1; DELETE FROM public.orders WHERE id = 30',
    );
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    expect(await moving.compare()).toMatchObject([{ rows: 19, leftOut: 0, differences: [] }]);
  });

  test('a retired table that is widened takes in what it refused, with the next catching up', async () => {
    const moving = await baking();
    const application = await database.connect();
    await application.query('UPDATE public.orders SET quantity = 0 WHERE id = 1');
    await moving.drain();
    expect(await moving.quarantined()).toEqual([refused(1)]);
    await application.query('ALTER TABLE tandem.orders_retired DROP CONSTRAINT at_least_one');
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    expect(await moving.compare()).toMatchObject([{ rows: 20, leftOut: 0, differences: [] }]);
  });

  test('the run goes back all the same, and keeps the record', async () => {
    const moving = await baking();
    const application = await database.connect();
    await application.query(
      'UPDATE public.orders SET quantity = 0 WHERE id = 1; UPDATE public.orders SET quantity = 7 WHERE id = 2',
    );
    await moving.swap();
    expect(await moving.quarantined()).toEqual([refused(1)]);
    const { rows } = await application.query('SELECT id, quantity FROM public.orders WHERE id < 3 ORDER BY id');
    expect(rows).toEqual([
      { id: 1, quantity: 1 },
      { id: 2, quantity: 7 },
    ]);
  });

  test('what was in the way of a row may be gone by the time of the rollback: it is tried again', async () => {
    const { pool } = database;
    const moving = await orders();
    await pool.query('CREATE UNIQUE INDEX one_quantity ON public.orders (quantity)');
    await moving.prepare();
    await moving.swap();
    await pool.query('UPDATE public.orders SET quantity = 2 WHERE id = 1');
    await moving.drain();
    expect(await moving.quarantined()).toHaveLength(1);
    await pool.query('UPDATE public.orders SET quantity = 1000 WHERE id = 2');
    await moving.swap();
    expect(await moving.quarantined()).toEqual([]);
    const { rows } = await pool.query('SELECT id, quantity FROM public.orders WHERE id < 3 ORDER BY id');
    expect(rows).toEqual([
      { id: 1, quantity: 2 },
      { id: 2, quantity: 1000 },
    ]);
  });
});
