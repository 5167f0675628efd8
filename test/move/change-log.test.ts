import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { expect, test } from 'vitest';
import { inTransaction } from '../../src/db/connect.ts';
import { backlog, hasChangeLog } from '../../src/move/change-log.ts';
import { forward } from '../../src/move/direction.ts';
import { drainWithin } from '../../src/move/drain.ts';
import { useDatabase } from '../support/database.ts';
import { Moving, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();

async function guests(partitioned = false): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem; CREATE TABLE public.guests (id integer, name text, room text NOT NULL DEFAULT 'a', PRIMARY KEY (id, name));
    INSERT INTO public.guests SELECT n, 'guest ' || n FROM generate_series(1, 20) AS n`);
  const move = await writeMove(pool, {
    name: 'guests',
    source: { schema: 'public', name: 'guests' },
    ...(partitioned ? { targetKey: ['id', 'name', 'room'] } : {}),
    columns: [sameColumn('id', 'integer'), sameColumn('name', 'text'), sameColumn('room', 'text')],
  });
  return new Moving(pool, [move], {
    guests: {
      create: [
        `CREATE TABLE tandem.guests_target (id integer NOT NULL, name text NOT NULL, room text NOT NULL DEFAULT 'a') ${partitioned ? 'PARTITION BY LIST (room)' : ''}`,
        ...(partitioned
          ? ['a', 'b'].map(
              (r) => `CREATE TABLE tandem.guests_${r} PARTITION OF tandem.guests_target FOR VALUES IN ('${r}')`,
            )
          : []),
      ],
      build: [`ALTER TABLE tandem.guests_target ADD PRIMARY KEY (id, name${partitioned ? ', room' : ''})`],
    },
  });
}

const moveOf = (moving: Moving) => {
  const [move] = moving.moves;
  if (!move) throw new Error('There is no move.');
  return move;
};

/** A session whose names all lead astray, of a role that may do nothing but write to the one table. */
async function stranger(): Promise<{ client: pg.Client; role: string }> {
  const client = await database.connect();
  const role = `stranger_${new URL(database.url).pathname.slice(-10)}`;
  await client.query(`CREATE ROLE ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON public.guests TO ${role};
    CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO ${role};
    CREATE TABLE evil.changes_guests (seq bigint, k1 integer CHECK (false), k2 text);
    CREATE FUNCTION evil.caught(record, record) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
    CREATE FUNCTION evil.caught(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
    CREATE FUNCTION evil.record_image_ne(record, record) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
    CREATE OPERATOR evil.= (FUNCTION = evil.caught, LEFTARG = text, RIGHTARG = text)`);
  await client.query(
    `SET ROLE ${role}; CREATE TEMPORARY TABLE changes_guests (seq bigint, k1 integer CHECK (false), k2 text)`,
  );
  await client.query('SET search_path = evil, pg_temp, pg_catalog; SET row_security = off; SET lock_timeout = 1000');
  return { client, role };
}

async function writeEverything(client: pg.Client): Promise<void> {
  await client.query("INSERT INTO public.guests VALUES (30, 'new'), (31, 'new')");
  await client.query("UPDATE public.guests SET room = 'b' WHERE id = 1");
  await client.query("UPDATE public.guests SET name = 'renamed' WHERE id = 2");
  await client.query('DELETE FROM public.guests WHERE id = 3');
  const stream = client.query(copyFrom('COPY public.guests (id, name) FROM STDIN'));
  stream.end('40\tcopied\n41\tcopied\n');
  await once(stream, 'finish');
  await client
    .query("INSERT INTO public.guests VALUES (30, 'new', 'b') ON CONFLICT (id, name) DO UPDATE SET room = 'a'")
    .catch(async (error: { code: string }) => {
      // A partitioned table has no key of these two columns.
      expect(error.code).toBe('42P10');
    });
  await client.query('TRUNCATE public.guests');
  await client.query("INSERT INTO public.guests VALUES (1, 'only')");
}

test.each([false, true])(
  'no statement of the application fails because of the log, whoever and wherever it is (partitioned: %s)',
  async (partitioned) => {
    const moving = await guests(partitioned);
    await moving.begin();
    const { client, role } = await stranger();
    try {
      await writeEverything(client);
      await moving.copy();
      await moving.build();
      await moving.drain();
      expect(await moving.compare()).toMatchObject([{ rows: 1, differences: [] }]);
      await moving.pool.query(`GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON tandem.guests_target TO ${role}`);
      await moving.swap();
      await writeEverything(client);
      await moving.drain();
      expect(await moving.compare()).toMatchObject([{ rows: 1, differences: [] }]);
      for (const sql of [
        'SELECT FROM tandem.changes_guests',
        'DELETE FROM tandem.changes_guests',
        'SELECT tandem.log_guests_source()',
      ])
        await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.query(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  },
);

test('a writer waits neither for a drain that is under way, nor for VACUUM of the log', async () => {
  const moving = await guests();
  await moving.prepare();
  const application = await database.connect();
  await application.query("SET lock_timeout = 200; UPDATE public.guests SET room = 'b'");
  await inTransaction(database.pool, async (client) => {
    expect(await drainWithin(client, forward(moveOf(moving)), 10)).toMatchObject({ taken: 10 });
    await application.query("UPDATE public.guests SET room = 'c'; INSERT INTO public.guests VALUES (50, 'new')");
    await application.query('DELETE FROM public.guests WHERE id = 5');
  });
  await Promise.all([
    database.pool.query('VACUUM tandem.changes_guests'),
    application.query("UPDATE public.guests SET room = 'd' WHERE id < 10"),
  ]);
  await moving.drain();
  expect(await moving.compare()).toMatchObject([{ rows: 20, differences: [] }]);
});

test('serializable transactions of the application do not fail on the log', async () => {
  const moving = await guests();
  await moving.prepare();
  const [one, two] = [await database.connect(), await database.connect()];
  for (const client of [one, two])
    await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT FROM public.guests WHERE id = 20');
  await one.query("UPDATE public.guests SET room = 'b' WHERE id = 1");
  await moving.drain();
  await two.query("UPDATE public.guests SET room = 'b' WHERE id = 2");
  await one.query('COMMIT');
  await moving.drain();
  await two.query('COMMIT');
  await moving.drain();
  expect(await moving.compare()).toMatchObject([{ rows: 20, leftOut: 0, differences: [] }]);
});

test('an entry is written for each key that a row had and has, and for nothing that was rolled back', async () => {
  const moving = await guests();
  await moving.begin();
  const application = await database.connect();
  const keys = async () => {
    const { rows } = await application.query(
      'WITH d AS (DELETE FROM tandem.changes_guests RETURNING *) SELECT k1, k2 FROM d ORDER BY seq',
    );
    return rows.map((row) => `${row.k1} ${row.k2}`);
  };
  await application.query(
    "UPDATE public.guests SET room = 'b' WHERE id = 1; UPDATE public.guests SET name = 'x' WHERE id = 2",
  );
  await application.query(
    "BEGIN; DELETE FROM public.guests; ROLLBACK; INSERT INTO public.guests VALUES (1, 'guest 1') ON CONFLICT DO NOTHING",
  );
  await application.query('DELETE FROM public.guests WHERE id = 3; TRUNCATE public.guests');
  expect(await keys()).toEqual(['1 guest 1', '2 guest 2', '2 x', '3 guest 3', 'null null']);
  expect(await backlog(database.pool, moveOf(moving))).toBe(0);
});

test.each([
  ['dropped', 'DROP TRIGGER tandem_log ON public.guests'],
  ['switched off', 'ALTER TABLE public.guests DISABLE TRIGGER ALL'],
  [
    'switched off and on again, for ordinary writers only',
    'ALTER TABLE public.guests DISABLE TRIGGER ALL; ALTER TABLE public.guests ENABLE TRIGGER ALL',
  ],
])('a log that was %s stops the cutover, and the rollback: writes may have been missed', async (_, sql) => {
  const moving = await guests();
  await moving.prepare();
  const application = await database.connect();
  expect(await hasChangeLog(database.pool, moveOf(moving).source)).toBe(true);
  const triggers =
    "SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'public.guests'::regclass ORDER BY 1";
  const before = (await application.query(triggers)).rows;
  await application.query(sql);
  expect(await hasChangeLog(database.pool, moveOf(moving).source)).toBe(false);
  await expect(moving.swap()).rejects.toMatchObject({ code: 'TD023' });
  const again = await guestsLog(application, 'source');
  expect((await application.query(triggers)).rows).toEqual(before);
  expect(again).toBe(true);
  await moving.swap();
  await application.query(sql);
  await expect(moving.swap()).rejects.toMatchObject({ code: 'TD023' });
});

/** Puts the log's triggers back as they were. */
async function guestsLog(client: pg.Client, side: 'source' | 'target'): Promise<boolean> {
  await client.query(`CREATE OR REPLACE TRIGGER tandem_log AFTER INSERT OR UPDATE OR DELETE ON public.guests FOR EACH ROW EXECUTE FUNCTION tandem.log_guests_${side}();
    ALTER TABLE public.guests ENABLE ALWAYS TRIGGER tandem_log; ALTER TABLE public.guests ENABLE ALWAYS TRIGGER tandem_log_truncate`);
  return hasChangeLog(client, { schema: 'public', name: 'guests' });
}
