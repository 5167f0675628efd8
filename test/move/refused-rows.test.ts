import { describe, expect, test } from 'vitest';
import { forward } from '../../src/move/direction.ts';
import { drainBatch } from '../../src/move/drain.ts';
import { useDatabase } from '../support/database.ts';
import { swapMeeting } from './blocked.ts';
import { Moving, newColumn, sameColumn, symmetricDifference, writeMove } from './moving.ts';

const database = useDatabase();

interface Shape {
  readonly rows?: number;
  /** What the target has that the source has not. */
  readonly rules?: readonly string[];
  readonly build?: readonly string[];
  readonly numbered?: boolean;
}

/** Accounts, with an email that the source does not keep unique. */
async function accounts({ rows = 10, rules = [], build = [], numbered = false }: Shape): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem;
    CREATE TABLE public.accounts (id integer PRIMARY KEY, email text, points integer) WITH (fillfactor = 10);
    INSERT INTO public.accounts SELECT n, 'm' || n, n FROM generate_series(1, ${rows}) AS n`);
  const move = await writeMove(pool, {
    name: 'accounts',
    source: { schema: 'public', name: 'accounts' },
    columns: [
      sameColumn('id', 'integer'),
      sameColumn('email', 'text'),
      sameColumn('points', 'integer'),
      ...(numbered ? [newColumn('place', 'integer', '0', { once: true })] : []),
    ],
    other: numbered
      ? {
          settle: [
            `UPDATE tandem.accounts_target t SET place = n.place FROM (
               SELECT id, (SELECT max(place) FROM tandem.accounts_target) + row_number() OVER (ORDER BY id) AS place
                 FROM tandem.accounts_target WHERE place = 0) n WHERE n.id = t.id`,
          ],
        }
      : {},
  });
  return new Moving(pool, [move], {
    accounts: {
      create: [
        `CREATE TABLE tandem.accounts_target (id integer NOT NULL, email text, points integer
           ${numbered ? ', place integer NOT NULL' : ''} ${rules.map((rule) => `, ${rule}`).join('')})`,
      ],
      build: ['ALTER TABLE tandem.accounts_target ADD PRIMARY KEY (id)', ...build],
    },
  });
}

const UNIQUE = 'ALTER TABLE tandem.accounts_target ADD CONSTRAINT one_email UNIQUE (email)';
const taken = (id: number, table = 'accounts_target') => ({
  table: 'accounts',
  key: [String(id)],
  reason: `duplicate key value violates unique constraint "${table === 'accounts_target' ? 'one_email' : table}"`,
});
const first = (moving: Moving) => {
  const [move] = moving.moves;
  if (!move) throw new Error('There is no move.');
  return move;
};

describe('a constraint of the target', () => {
  test('that refuses rows of the copy leaves their blocks to the drain, which sets just these rows aside', async () => {
    const moving = await accounts({
      rows: 3000,
      rules: ['CONSTRAINT odd CHECK (points <> ALL (ARRAY[5, 1500, 1501, 2990]))'],
    });
    const copied = await moving.begin().then(() => moving.copy());
    // All but the rows of three blocks.
    expect(copied.rows).toBeLessThan(3000);
    expect(copied.rows).toBeGreaterThan(2900);
    await moving.build();
    await moving.drain();
    expect(await moving.quarantined()).toEqual(
      [1500, 1501, 2990, 5].map((id) => ({
        table: 'accounts',
        key: [String(id)],
        reason: expect.stringContaining('violates check constraint "odd"'),
      })),
    );
    expect(await moving.compare()).toMatchObject([{ rows: 2996, leftOut: 4, differences: [] }]);
    await database.pool.query('UPDATE public.accounts SET points = 0 WHERE points IN (5, 1500, 1501, 2990)');
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 3000, leftOut: 0, differences: [] }]);
  });

  test('that refuses every row is a mapping at fault: the copy says so instead of setting everything aside', async () => {
    const moving = await accounts({ rows: 8_000, rules: ['CONSTRAINT never CHECK (points < 0)'] });
    await moving.begin();
    await expect(moving.copy()).rejects.toMatchObject({ code: '23514', constraint: 'never' });
  });

  test('that refuses a row of a drain sets it aside with its reason, and the rest goes on', async () => {
    const moving = await accounts({ rows: 200, rules: ['CONSTRAINT positive CHECK (points > 0)'], build: [UNIQUE] });
    await moving.prepare();
    await database.pool.query(`UPDATE public.accounts SET points = points + 1000;
      UPDATE public.accounts SET points = -1 WHERE id IN (50, 150); UPDATE public.accounts SET email = 'm1' WHERE id = 2`);
    await moving.drain();
    const [positive, unique] = ['violates check constraint "positive"', 'violates unique constraint "one_email"'];
    expect(await moving.quarantined()).toEqual([
      { table: 'accounts', key: ['150'], reason: expect.stringContaining(positive) },
      { table: 'accounts', key: ['2'], reason: expect.stringContaining(unique) },
      { table: 'accounts', key: ['50'], reason: expect.stringContaining(positive) },
    ]);
    expect(await moving.compare()).toMatchObject([{ rows: 197, leftOut: 3, differences: [] }]);
    await expect(moving.swap()).rejects.toMatchObject({ code: 'TD031' });
    await database.pool.query(
      "UPDATE public.accounts SET points = 1 WHERE points < 0; UPDATE public.accounts SET email = 'free' WHERE id = 2",
    );
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 200, leftOut: 0, differences: [] }]);
    await moving.swap();
  });

  test('too large for an index, or refused by a trigger, is a row that is set aside like any other', async () => {
    const moving = await accounts({
      build: [
        'CREATE INDEX by_email ON tandem.accounts_target (email)',
        `CREATE FUNCTION tandem.no_seven() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN IF NEW.points = 7 THEN RAISE 'no seven here'; END IF; RETURN NEW; END $$`,
        `CREATE TRIGGER no_seven BEFORE INSERT OR UPDATE ON tandem.accounts_target
           FOR EACH ROW EXECUTE FUNCTION tandem.no_seven();
         ALTER TABLE tandem.accounts_target ENABLE ALWAYS TRIGGER no_seven`,
      ],
    });
    await moving.prepare();
    await database.pool.query(`UPDATE public.accounts SET email = 'm2' WHERE id = 2;
      UPDATE public.accounts SET points = 7 WHERE id = 4;
      UPDATE public.accounts SET email = (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 400) n) WHERE id = 3`);
    await moving.drain();
    expect(await moving.quarantined()).toEqual([
      { table: 'accounts', key: ['3'], reason: expect.stringMatching(/index row (size|requires) /) },
      { table: 'accounts', key: ['4'], reason: 'no seven here' },
    ]);
    expect(await moving.compare()).toMatchObject([{ rows: 8, leftOut: 2, differences: [] }]);
  });

  test('that is checked at the end of a transaction is met, too', async () => {
    const moving = await accounts({ build: [`${UNIQUE} DEFERRABLE INITIALLY DEFERRED`] });
    await moving.prepare();
    await database.pool.query(
      "UPDATE public.accounts SET email = 'm1', points = 7 WHERE id = 2; UPDATE public.accounts SET points = 8 WHERE id = 3",
    );
    await moving.drain();
    expect(await moving.quarantined()).toEqual([taken(2)]);
    expect(await moving.compare()).toMatchObject([{ rows: 9, leftOut: 1, differences: [] }]);
  });

  test('that refuses a row under the locks sends the attempt back; the row is set aside where nobody waits', async () => {
    const moving = await accounts({ build: [UNIQUE] });
    await moving.prepare();
    const swapped = swapMeeting(moving, await database.connect(), async () => {
      await database.pool.query("UPDATE public.accounts SET email = 'm1' WHERE id = 2");
    });
    await expect(swapped).rejects.toMatchObject({ code: 'TD031' });
    expect(await moving.quarantined()).toEqual([taken(2)]);
    expect(moving.events.map((event) => event.event)).toEqual(['lock_attempt']);
  });
});

describe('a unique value that changes hands', () => {
  const same = (moving: Moving) =>
    symmetricDifference(
      database.pool,
      'SELECT id, email, points FROM public.accounts',
      `SELECT id, email, points FROM tandem.accounts_${moving.isBaking ? 'retired' : 'target'}`,
    );
  const exchange = `UPDATE public.accounts SET email = 'x' WHERE id = 1;
    UPDATE public.accounts SET email = 'm1' WHERE id = 2; UPDATE public.accounts SET email = 'm2' WHERE id = 1`;
  const chain = `UPDATE public.accounts SET email = 'y' WHERE id = 5; UPDATE public.accounts SET email = 'm5' WHERE id = 4;
    UPDATE public.accounts SET email = 'm4' WHERE id = 3; UPDATE public.accounts SET points = 0 WHERE id = 5`;
  const replace = `DELETE FROM public.accounts WHERE id = 6; INSERT INTO public.accounts VALUES (60, 'm6', 6)`;

  test.each([
    ['two rows exchange it', exchange],
    ['it is handed down a chain', chain],
    ['a row is replaced by another', replace],
    ['all of it at once', [exchange, chain, replace].join(';')],
  ])('%s: no row is set aside, before the cutover, under its locks, and in the bake', async (_, sql) => {
    const moving = await accounts({ build: [UNIQUE] });
    const { pool } = database;
    await pool.query('ALTER TABLE public.accounts ADD UNIQUE (email)');
    await moving.prepare();
    await pool.query(sql);
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    expect(await same(moving)).toEqual([]);
    const back = sql.replaceAll("'m", "'n");
    await pool.query("UPDATE public.accounts SET email = 'n' || id; DELETE FROM public.accounts WHERE id = 60");
    await pool.query("INSERT INTO public.accounts VALUES (6, 'n6', 6) ON CONFLICT DO NOTHING");
    await moving.drain();
    await swapMeeting(moving, await database.connect(), () => pool.query(back).then(() => undefined));
    expect(await moving.quarantined()).toEqual([]);
    expect(await same(moving)).toEqual([]);
    await pool.query("UPDATE public.accounts SET email = 'm' || id; DELETE FROM public.accounts WHERE id = 60");
    await pool.query("INSERT INTO public.accounts VALUES (6, 'm6', 6) ON CONFLICT DO NOTHING");
    await moving.drain();
    await pool.query(sql);
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    expect(await same(moving)).toEqual([]);
  });

  test('a batch that ends before its old owner gave it up does not set the new one aside', async () => {
    const moving = await accounts({ build: [UNIQUE] });
    const { pool } = database;
    await moving.prepare();
    // The entry of row 2 comes first; that row 1 gave its value up stands beyond the batch of one.
    await pool.query(`UPDATE public.accounts SET points = 0 WHERE id = 2`);
    await pool.query(
      `UPDATE public.accounts SET email = 'x' WHERE id = 1; UPDATE public.accounts SET email = 'm1' WHERE id = 2`,
    );
    const postponed = new Set<string>();
    for (let batch = 0; batch < 5; batch++) await drainBatch(pool, forward(first(moving)), 1, postponed);
    expect(await moving.quarantined()).toEqual([]);
    expect(await same(moving)).toEqual([]);
    expect(postponed.size).toBe(1);
  });

  test('more refused rows than a batch holds come to an end', async () => {
    const moving = await accounts({ rows: 60, rules: ['CONSTRAINT positive CHECK (points > 0)'] });
    const { pool } = database;
    await moving.prepare();
    await pool.query('UPDATE public.accounts SET points = -points WHERE id <= 50');
    const postponed = new Set<string>();
    let batches = 0;
    for (; batches < 50; batches++) {
      const { taken: entries } = await drainBatch(pool, forward(first(moving)), 10, postponed);
      if (entries === 0) break;
    }
    expect(batches).toBeLessThan(20);
    expect(await moving.quarantined()).toHaveLength(50);
    expect(await moving.compare()).toMatchObject([{ rows: 10, leftOut: 50, differences: [] }]);
  });

  test('rows that exchange it keep what was written to them once', async () => {
    const moving = await accounts({ build: [UNIQUE], numbered: true });
    const { pool } = database;
    await moving.prepare();
    const places = 'SELECT id, place FROM tandem.accounts_target ORDER BY id';
    const before = (await pool.query(places)).rows;
    expect(before).toEqual(Array.from({ length: 10 }, (_, i) => ({ id: i + 1, place: i + 1 })));
    await pool.query(exchange);
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    expect((await pool.query(places)).rows).toEqual(before);
    expect(await same(moving)).toEqual([]);
  });

  test('on the way back, rows that cannot be held stay as they were, and the others find their way around them', async () => {
    const moving = await accounts({});
    const { pool } = database;
    await pool.query(
      'ALTER TABLE public.accounts ADD CONSTRAINT one_email UNIQUE (email); ALTER TABLE public.accounts ADD CHECK (points > 0)',
    );
    await moving.prepare();
    await moving.swap();
    // 1 and 2 exchange their values; 3 cannot be held, and so keeps the value that 4 has now.
    await pool.query(`${exchange}; UPDATE public.accounts SET email = 'z', points = -1 WHERE id = 3;
      UPDATE public.accounts SET email = 'm3' WHERE id = 4; UPDATE public.accounts SET points = 50 WHERE id = 5`);
    await moving.drain();
    const { rows } = await pool.query(
      'SELECT id, email, points FROM tandem.accounts_retired WHERE id <= 5 ORDER BY id',
    );
    expect(rows).toEqual([
      { id: 1, email: 'm2', points: 1 },
      { id: 2, email: 'm1', points: 2 },
      { id: 3, email: 'm3', points: 3 },
      { id: 4, email: 'm4', points: 4 },
      { id: 5, email: 'm5', points: 50 },
    ]);
    expect((await moving.quarantined()).map((q) => q.key[0])).toEqual(['3', '4']);
    await pool.query('UPDATE public.accounts SET points = 3 WHERE id = 3');
    // What was in the way of 4 is gone: it is tried again, though nobody wrote to it.
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    await moving.swap();
    const { rows: live } = await pool.query(
      'SELECT id, email, points FROM public.accounts WHERE id IN (3, 4) ORDER BY id',
    );
    expect(live).toEqual([
      { id: 3, email: 'z', points: 3 },
      { id: 4, email: 'm3', points: 4 },
    ]);
  });
});
