import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { CutoverOptions } from '../../src/move/cutover.ts';
import { useDatabase } from '../support/database.ts';
import { backendOf, swapMeeting, untilBlocked } from './blocked.ts';
import { incomingOf, limits, Moving, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();

/** Books, which have an owner and are lent: one table that they refer to, one that refers to them. */
async function books(rows = 50): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem; CREATE TABLE public.owners (id integer PRIMARY KEY);
    CREATE TABLE public.books (id integer PRIMARY KEY, title text, owner integer REFERENCES public.owners);
    CREATE TABLE public.loans (id integer PRIMARY KEY, book integer REFERENCES public.books);
    INSERT INTO public.owners VALUES (1); INSERT INTO public.books SELECT n, 'title ' || n, 1 FROM generate_series(1, ${rows}) AS n;
    INSERT INTO public.loans VALUES (1, 1); ANALYZE`);
  const base = await writeMove(pool, {
    name: 'books',
    source: { schema: 'public', name: 'books' },
    columns: [sameColumn('id', 'integer'), sameColumn('title', 'text'), sameColumn('owner', 'integer')],
  });
  const move = { ...base, incoming: await incomingOf(pool, base) };
  return new Moving(pool, [move], {
    books: {
      create: ['CREATE TABLE tandem.books_target (id integer NOT NULL, title text, owner integer)'],
      build: ['ALTER TABLE tandem.books_target ADD PRIMARY KEY (id)', 'ANALYZE tandem.books_target'],
    },
  });
}

const isNew = async () => {
  const { rows } = await database.pool.query<{ retired: boolean }>(
    "SELECT to_regclass('tandem.books_retired') IS NOT NULL AS retired",
  );
  return rows[0]?.retired === true;
};
const attempts = (moving: Moving) =>
  moving.events.flatMap((event) =>
    event.event === 'lock_attempt' ? [{ obtained: event.obtained, reason: event.reason }] : [],
  );
const few = { ...limits, attempts: 3 };

test.each(['books', 'loans', 'owners'])(
  "attempts give up within their bound while somebody reads %s, end nobody's session, and succeed afterwards",
  async (table) => {
    const moving = await books();
    await moving.prepare();
    for (const _ of ['forward', 'back']) {
      const before = moving.isBaking;
      const [reader, writer] = [await database.connect(), await database.connect()];
      await reader.query(`BEGIN; SELECT FROM public.${table}`);
      moving.events.length = 0;
      const startedAt = performance.now();
      const swapped = moving.swap({ limits: few });
      // It waits behind an attempt, and no longer.
      await writer.query("SET lock_timeout = '5s'; UPDATE public.books SET title = 'written meanwhile' WHERE id = 2");
      await expect(swapped).rejects.toMatchObject({ code: 'TD020' });
      // Three tables at most, each waited for as long as an attempt may; and slack for a busy machine.
      expect(performance.now() - startedAt).toBeLessThan(3 * (3 * few.lockTimeoutMs + few.maxPauseMs) + 4000);
      expect(attempts(moving).map((a) => a.obtained)).toEqual([false, false, false]);
      expect(moving.isBaking).toBe(before);
      expect(await isNew()).toBe(before);
      await reader.query('SELECT FROM public.books; COMMIT');
      await moving.swap();
      expect(await isNew()).toBe(!before);
    }
  },
);

test('where the application and Tandem wait for each other, it is Tandem that gives up', async () => {
  const moving = await books();
  await moving.prepare();
  const application = await database.connect();
  await application.query("BEGIN; UPDATE public.books SET title = 'first' WHERE id = 3");
  const pid = await backendOf(application);
  const swapped = moving.swap();
  // The other way round than the locks are taken: Tandem holds `loans` by now, and wants `books`.
  let waited = false;
  for (let locked = false; !locked; ) {
    const { rowCount } = await database.pool.query(
      `SELECT FROM pg_locks WHERE relation = 'public.loans'::regclass AND mode = 'AccessExclusiveLock' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    locked = (rowCount ?? 0) > 0;
  }
  const second = application.query('UPDATE public.loans SET book = 3').then(() => {
    waited = true;
  });
  await untilBlockedOrDone(pid, () => waited);
  await second;
  await application.query('COMMIT');
  expect((await swapped).attempts).toBeGreaterThan(1);
  expect((await application.query('SELECT title FROM public.books WHERE id = 3')).rows).toEqual([{ title: 'first' }]);
});

test('who is about to look for a deadlock finds none with Tandem, which lets that pass before it takes a lock', async () => {
  const admin = await database.connect();
  await admin.query(`ALTER DATABASE "${new URL(database.url).pathname.slice(1)}" SET deadlock_timeout = '2s'`);
  const moving = await books();
  await moving.prepare();
  const [one, other] = [await database.connect(), await database.connect()];
  await one.query("BEGIN; UPDATE public.books SET title = 'one' WHERE id = 1");
  await other.query("BEGIN; UPDATE public.books SET title = 'other' WHERE id = 2");
  const pid = await backendOf(one);
  const waits = one.query("UPDATE public.books SET title = 'one' WHERE id = 2");
  waits.catch(() => undefined);
  const so = async (condition: string) => (await admin.query(`SELECT (${condition}) AS so`)).rows[0].so === true;
  const waited = `SELECT clock_timestamp() - waitstart > '1.3 s' FROM pg_locks WHERE pid = ${pid} AND NOT granted`;
  while (!(await so(waited)));
  // Were `loans` locked now, and `books` waited for, the circle would be closed when the first session looks.
  const swapped = moving.swap({ limits: { ...limits, lockTimeoutMs: 900 } });
  swapped.catch(() => undefined);
  const loansAreLocked = `SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'public.loans'::regclass AND granted
     AND mode = 'AccessExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`;
  while (!(await so(loansAreLocked)));
  await other.query('UPDATE public.loans SET book = 3; COMMIT');
  await waits;
  await one.query('COMMIT');
  await swapped;
  expect((await one.query('SELECT title FROM public.books WHERE id IN (1, 2)')).rows).toEqual([
    { title: 'one' },
    { title: 'one' },
  ]);
});

async function untilBlockedOrDone(pid: number, done: () => boolean): Promise<void> {
  await Promise.race([
    untilBlocked(database.pool, pid),
    (async () => {
      while (!done()) await database.pool.query('SELECT 1');
    })(),
  ]);
}

const tooLong: readonly (readonly [string, Partial<CutoverOptions>])[] = [
  ['a statement takes too long', { live: ['SELECT pg_catalog.pg_sleep(20)'] }],
  ['the process says nothing any more', { record: async (client) => void (await once(client, 'end')) }],
];

test.each(tooLong)('locks are given back after their time, where %s', async (_, options) => {
  const moving = await books();
  await moving.prepare();
  const application = await database.connect();
  const swapped = moving.swap({ limits: { ...limits, attempts: 2, maxLockMs: 150 }, ...options });
  await application.query("SET lock_timeout = '15s'");
  for (let i = 0; i < 5; i++)
    await application.query('UPDATE public.books SET title = $1 WHERE id = 1', [`written ${i}`]);
  await expect(swapped).rejects.toMatchObject({
    code: 'TD020',
    detail: expect.stringContaining('the locks were held for'),
  });
  expect(await isNew()).toBe(false);
  await moving.swap();
  expect((await application.query('SELECT title FROM public.books WHERE id = 1')).rows).toEqual([
    { title: 'written 4' },
  ]);
});

test('a swap that took too long in all is undone, though no single statement did', async () => {
  const moving = await books();
  await moving.prepare();
  const swapped = moving.swap({
    limits: { ...few, maxLockMs: 200 },
    record: async (client) => {
      for (let i = 0; i < 4; i++) await client.query('SELECT pg_catalog.pg_sleep(0.06)');
    },
  });
  await expect(swapped).rejects.toMatchObject({ code: 'TD020' });
  expect(attempts(moving)).toHaveLength(3);
  expect(await isNew()).toBe(false);
});

test('what is recorded stands and falls with the swap', async () => {
  const moving = await books();
  await moving.prepare();
  await database.pool.query('CREATE TABLE public.recorded (n integer)');
  let tries = 0;
  await moving.swap({
    limits: { ...limits, maxLockMs: 2000 },
    record: async (client) => {
      tries += 1;
      await client.query('INSERT INTO public.recorded VALUES ($1)', [tries]);
      if (tries === 1) await client.query('SELECT pg_catalog.pg_sleep(5)');
    },
  });
  expect((await database.pool.query('SELECT n FROM public.recorded')).rows).toEqual([{ n: tries }]);
  expect(tries).toBeGreaterThan(1);
});

test("an error of the plan's own statements is an error, and changes nothing", async () => {
  const moving = await books();
  await moving.prepare();
  await expect(moving.swap({ live: ['SELECT 1 / 0'] })).rejects.toMatchObject({ code: '22012' });
  expect(attempts(moving)).toEqual([]);
  expect(await isNew()).toBe(false);
  await moving.swap();
});

test('a log that grows faster than it is drained ends in an error that says so', async () => {
  const moving = await books();
  await moving.prepare();
  const drop = ["UPDATE public.books SET title = title || '.'"];
  const swapped = moving.swap({ limits: { ...few, maxBacklog: 20 }, dependents: { drop, create: [] } });
  await expect(swapped).rejects.toMatchObject({
    code: 'TD024',
    detail: 'more than 20 changes of public.books are waiting',
  });
  expect(attempts(moving)).toHaveLength(3);
});

test('a signal ends the attempts', async () => {
  const moving = await books();
  await moving.prepare();
  const reader = await database.connect();
  await reader.query('BEGIN; SELECT FROM public.books');
  const stop = new AbortController();
  const swapped = moving.swap({
    signal: stop.signal,
    emit: (event) => {
      if (event.event === 'lock_attempt') stop.abort();
    },
  });
  await expect(swapped).rejects.toMatchObject({ code: 'TD022' });
  expect(await isNew()).toBe(false);
});

test.each(['repeatable read', 'serializable'])(
  'where transactions are %s by default, no write is missed all the same',
  async (isolation) => {
    const admin = await database.connect();
    const name = new URL(database.url).pathname.slice(1);
    await admin.query(`ALTER DATABASE "${name}" SET default_transaction_isolation = '${isolation}'`);
    const moving = await books();
    const application = await database.connect();
    await moving.begin();
    await application.query("UPDATE public.books SET title = 'before the copy' WHERE id = 1");
    await moving.copy();
    await moving.build();
    for (const place of ['under the first locks', 'under the second locks']) {
      await application.query("UPDATE public.books SET title = title || '.' WHERE id < 20");
      await swapMeeting(moving, admin, async () => {
        await application.query('UPDATE public.books SET title = $1 WHERE id IN (2, 3)', [place]);
      });
      const { rows } = await application.query('SELECT DISTINCT title FROM public.books WHERE id IN (2, 3)');
      expect(rows).toEqual([{ title: place }]);
      if (!moving.isBaking) break;
      await moving.drain();
      expect(await moving.compare()).toMatchObject([{ differences: [], leftOut: 0 }]);
    }
  },
);

test('under the locks, nothing is read that grows with the tables, neither way', async () => {
  const moving = await books(20_000);
  await moving.prepare();
  const application = await database.connect();
  await application.query("UPDATE public.books SET title = title || '!'");
  await moving.drain();
  const gate = await database.connect();
  for (const _ of ['forward', 'back']) {
    let read: unknown[] = ['nothing was looked at'];
    await swapMeeting(
      moving,
      gate,
      async () => {
        await application.query(
          "UPDATE public.books SET title = title || '?' WHERE id % 100 = 0; DELETE FROM public.books WHERE id % 5000 = 2",
        );
      },
      {
        // The server counts what a session reads, transaction after transaction.
        first: [
          'CREATE TEMPORARY TABLE read_before ON COMMIT DROP AS SELECT * FROM pg_catalog.pg_stat_xact_all_tables',
        ],
        record: async (client) => {
          const { rows } = await client.query<{ name: string; seq: number; idx: number }>(
            `SELECT now.relname AS name, (now.seq_tup_read - coalesce(b.seq_tup_read, 0))::int AS seq,
                    (now.idx_tup_fetch - coalesce(b.idx_tup_fetch, 0))::int AS idx
               FROM pg_catalog.pg_stat_xact_all_tables now LEFT JOIN pg_temp.read_before b USING (relid)
              WHERE now.relname ~ '^(books|loans|owners|changes_books)'`,
          );
          read = rows.filter((row) => row.seq > 0 || row.idx > 5 * 204);
          expect(rows.some((row) => row.idx > 200)).toBe(true);
        },
      },
    );
    expect(read).toEqual([]);
    if (!moving.isBaking) break;
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ differences: [], leftOut: 0 }]);
  }
});
