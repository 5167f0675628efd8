import { describe, expect, test } from 'vitest';
import { useDatabase } from '../support/database.ts';
import { Moving, newColumn, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();

describe('a mapping that loses something', () => {
  /** `state`: done and finished both read as closed; `level`: NULL reads as 0; `code`: case is lost. */
  async function tickets(): Promise<Moving> {
    const { pool } = database;
    await pool.query(`CREATE TYPE public.ticket_state AS ENUM ('open', 'closed'); CREATE SCHEMA tandem;
      CREATE TABLE public.tickets (id integer PRIMARY KEY, state text, level integer, code text COLLATE "C", at_time timestamp);
      INSERT INTO public.tickets VALUES (1, 'done', NULL, 'Ab', NULL), (2, 'finished', 3, 'cD', '2024-01-01'),
        (3, 'open', NULL, 'ef', NULL), (4, 'done', NULL, 'GH', NULL)`);
    const state = "CASE s.state WHEN 'done' THEN 'closed' WHEN 'finished' THEN 'closed' ELSE s.state END";
    const move = await writeMove(pool, {
      name: 'tickets',
      source: { schema: 'public', name: 'tickets' },
      columns: [
        sameColumn('id', 'integer'),
        sameColumn('state', 'public.ticket_state', {
          forward: `(${state})::public.ticket_state`,
          backward: 's.state::text',
          sourceType: 'text',
          lossy: true,
        }),
        sameColumn('level', 'integer', { forward: 'coalesce(s.level, 0)', lossy: true }),
        // Upper case in the new table, lower case where it goes back: the text of the two never is the same.
        sameColumn('code', 'text', { forward: 'upper(s.code)', backward: 'lower(s.code)', lossy: true }),
        sameColumn('at_time', 'timestamp with time zone', {
          forward: "coalesce(s.at_time, '2020-01-01') AT TIME ZONE 'UTC'",
          backward: "s.at_time AT TIME ZONE 'UTC'",
          sourceType: 'timestamp without time zone',
          lossy: true,
        }),
      ],
    });
    return new Moving(pool, [move], {
      tickets: {
        create: [
          `CREATE TABLE tandem.tickets_target (id integer NOT NULL, state public.ticket_state, level integer, code text, at_time timestamptz)`,
        ],
        build: ['ALTER TABLE tandem.tickets_target ADD PRIMARY KEY (id)'],
      },
    });
  }
  const rowsOf = async (table: string) =>
    (await database.pool.query(`SELECT id, state, level, code, at_time::text FROM ${table} ORDER BY id`)).rows.map(
      (row) => Object.values(row),
    );

  test('going back, a source value stays where it still reads as the new one, and else the new one is taken', async () => {
    const moving = await tickets();
    await moving.prepare();
    expect(await moving.compare()).toMatchObject([{ rows: 4, differences: [] }]);
    await moving.swap();
    const application = await database.connect();
    await application.query(`
      UPDATE public.tickets SET level = level WHERE id = 1;
      UPDATE public.tickets SET level = 4 WHERE id = 2;
      UPDATE public.tickets SET state = 'closed', code = 'NEW' WHERE id = 3;
      UPDATE public.tickets SET state = 'open', at_time = '2021-01-01 00:00:00+00' WHERE id = 4;
      INSERT INTO public.tickets VALUES (5, 'closed', 0, 'X', '2022-01-01 00:00:00+00')`);
    await moving.drain();
    const expected = [
      [1, 'done', null, 'Ab', null],
      [2, 'finished', 4, 'cD', '2024-01-01 00:00:00'],
      [3, 'closed', null, 'new', null],
      [4, 'open', null, 'GH', '2021-01-01 00:00:00'],
      [5, 'closed', 0, 'x', '2022-01-01 00:00:00'],
    ];
    expect(await rowsOf('tandem.tickets_retired')).toEqual(expected);
    expect(await moving.compare()).toMatchObject([{ rows: 5, differences: [] }]);
    await moving.swap();
    expect(await rowsOf('public.tickets')).toEqual(expected);
  });
});

describe('a column that the target fills itself, once', () => {
  /** Lines get a number within the target; the source has none. Partitioned, so that a row can move. */
  async function lines(): Promise<Moving> {
    const { pool } = database;
    await pool.query(`CREATE SCHEMA tandem;
      CREATE TABLE public.lines (id integer PRIMARY KEY, kind text NOT NULL, body text);
      INSERT INTO public.lines SELECT n, 'a', 'line ' || n FROM generate_series(1, 6) AS n`);
    const move = await writeMove(pool, {
      name: 'lines',
      source: { schema: 'public', name: 'lines' },
      targetKey: ['id', 'kind'],
      columns: [
        sameColumn('id', 'integer'),
        sameColumn('kind', 'text'),
        sameColumn('body', 'text'),
        newColumn('number', 'integer', '0', { once: true }),
        newColumn('first_seen_as', 'text', 's.body', { once: true }),
      ],
      other: {
        insertOrder: ['body'],
        settle: [
          `UPDATE tandem.lines_target t SET number = n.number FROM (
             SELECT id, (SELECT max(number) FROM tandem.lines_target) + row_number() OVER (ORDER BY id) AS number
               FROM tandem.lines_target WHERE number = 0) n WHERE n.id = t.id`,
        ],
      },
    });
    return new Moving(pool, [move], {
      lines: {
        create: [
          `CREATE TABLE tandem.lines_target (id integer NOT NULL, kind text NOT NULL, body text, number integer NOT NULL,
             first_seen_as text, arrived bigint) PARTITION BY LIST (kind)`,
          "CREATE TABLE tandem.lines_a PARTITION OF tandem.lines_target FOR VALUES IN ('a')",
          "CREATE TABLE tandem.lines_b PARTITION OF tandem.lines_target FOR VALUES IN ('b')",
        ],
        build: ['ALTER TABLE tandem.lines_target ADD PRIMARY KEY (id, kind)'],
      },
    });
  }
  const numbers = async (table = 'tandem.lines_target') =>
    (await database.pool.query(`SELECT id, kind, body, number, first_seen_as FROM ${table} ORDER BY id`)).rows.map(
      (row) => Object.values(row),
    );

  test('is written when a row first comes, and stays: through updates, and through moves between partitions', async () => {
    const moving = await lines();
    await moving.prepare();
    const application = await database.connect();
    await application.query(`UPDATE public.lines SET body = 'new' WHERE id = 2; UPDATE public.lines SET kind = 'b', body = 'moved' WHERE id = 3;
      DELETE FROM public.lines WHERE id = 4; INSERT INTO public.lines VALUES (7, 'b', 'seven')`);
    await moving.drain();
    await application.query(
      "UPDATE public.lines SET kind = 'b' WHERE id = 2; UPDATE public.lines SET kind = 'a' WHERE id = 7",
    );
    await moving.drain();
    const expected = [
      [1, 'a', 'line 1', 1, 'line 1'],
      [2, 'b', 'new', 2, 'line 2'],
      [3, 'b', 'moved', 3, 'line 3'],
      [5, 'a', 'line 5', 5, 'line 5'],
      [6, 'a', 'line 6', 6, 'line 6'],
      [7, 'a', 'seven', 7, 'seven'],
    ];
    expect(await numbers()).toEqual(expected);
    // Nor is it compared: the source knows nothing of it.
    expect(await moving.compare()).toMatchObject([{ rows: 6, differences: [] }]);
    // Settled under the locks, too: a row that comes at the last moment has its number when the application sees it.
    await application.query("INSERT INTO public.lines VALUES (8, 'a', 'eight')");
    await moving.swap();
    expect(await numbers('public.lines')).toEqual([...expected, [8, 'a', 'eight', 8, 'eight']]);
  });

  test('drained rows are inserted in the order asked for', async () => {
    const moving = await lines();
    await moving.prepare();
    const application = await database.connect();
    await application.query(`CREATE SEQUENCE tandem.arrivals;
      ALTER TABLE tandem.lines_target ALTER COLUMN arrived SET DEFAULT nextval('tandem.arrivals');
      INSERT INTO public.lines VALUES (9, 'a', 'c'), (10, 'a', 'a'), (11, 'b', 'b')`);
    await moving.drain();
    const { rows } = await application.query(
      'SELECT body FROM tandem.lines_target WHERE arrived IS NOT NULL ORDER BY arrived',
    );
    expect(rows.map((row) => row.body)).toEqual(['a', 'b', 'c']);
  });
});

describe('columns that go one way only', () => {
  test('are compared before the cutover, and left alone in the bake', async () => {
    const { pool } = database;
    await pool.query(`CREATE SCHEMA tandem; CREATE TABLE public.words (id integer PRIMARY KEY, word text, note text DEFAULT 'none');
      INSERT INTO public.words VALUES (1, 'one', 'a'), (2, 'two', 'b')`);
    const move = await writeMove(pool, {
      name: 'words',
      source: { schema: 'public', name: 'words' },
      columns: [
        sameColumn('id', 'integer'),
        sameColumn('word', 'text'),
        sameColumn('note', 'text', { backward: null }),
        newColumn('length', 'integer', 'length(s.word)'),
        newColumn('added', 'text', null),
      ],
    });
    const moving = new Moving(pool, [move], {
      words: {
        create: [
          "CREATE TABLE tandem.words_target (id integer NOT NULL, word text, note text, length integer, added text DEFAULT 'new')",
        ],
        build: ['ALTER TABLE tandem.words_target ADD PRIMARY KEY (id)'],
      },
    });
    await moving.prepare();
    await pool.query('UPDATE tandem.words_target SET length = 7 WHERE id = 1');
    expect((await moving.compare())[0]?.differences).toEqual([{ key: '1', kind: 'changed', columns: ['length'] }]);
    await pool.query('UPDATE public.words SET word = word WHERE id = 1');
    await moving.drain();
    await moving.swap();
    await pool.query(
      "UPDATE public.words SET note = 'changed', length = -1 WHERE id = 2; INSERT INTO public.words VALUES (3, 'three', 'c', 5)",
    );
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 3, differences: [] }]);
    const { rows } = await pool.query('SELECT id, word, note FROM tandem.words_retired ORDER BY id');
    expect(rows.map((row) => Object.values(row))).toEqual([
      [1, 'one', 'a'],
      [2, 'two', 'b'],
      [3, 'three', 'none'],
    ]);
  });

  test('a value that goes back less exactly is no difference in the bake, and hides none', async () => {
    const { pool } = database;
    await pool.query(`CREATE SCHEMA tandem; CREATE TABLE public.times (id integer PRIMARY KEY, at_time timestamp(3) with time zone);
      INSERT INTO public.times SELECT n, '2024-01-01 00:00:00.123+00' FROM generate_series(1, 3000) AS n`);
    const move = await writeMove(pool, {
      name: 'times',
      source: { schema: 'public', name: 'times' },
      columns: [
        sameColumn('id', 'integer'),
        sameColumn('at_time', 'timestamp with time zone', {
          sourceType: 'timestamp(3) with time zone',
          roundTrip: 's.at_time::timestamp(3) with time zone',
        }),
      ],
    });
    const moving = new Moving(pool, [move], {
      times: {
        create: ['CREATE TABLE tandem.times_target (id integer NOT NULL, at_time timestamptz)'],
        build: ['ALTER TABLE tandem.times_target ADD PRIMARY KEY (id)'],
      },
    });
    await moving.prepare();
    await moving.swap();
    await pool.query("UPDATE public.times SET at_time = '2024-01-01 00:00:00.4567+00'");
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 3000, differences: [] }]);
    await pool.query("UPDATE tandem.times_retired SET at_time = '2024-01-01 00:00:00.456+00' WHERE id = 1234");
    expect((await moving.compare())[0]?.differences).toEqual([{ key: '1234', kind: 'changed', columns: ['at_time'] }]);
  });

  test('columns that change their names, the key among them', async () => {
    const { pool } = database;
    await pool.query(`CREATE SCHEMA tandem; CREATE TABLE public.old_names (nr serial PRIMARY KEY, text text);
      INSERT INTO public.old_names (text) VALUES ('a'), ('b')`);
    const renamed = (source: string, target: string, type: string) =>
      sameColumn(source, type, { target, backward: `s."${target}"` });
    const move = await writeMove(pool, {
      name: 'old_names',
      source: { schema: 'public', name: 'old_names' },
      columns: [renamed('nr', 'id', 'integer'), renamed('text', 'nr', 'text')],
    });
    const moving = new Moving(pool, [move], {
      old_names: {
        create: [
          "CREATE TABLE tandem.old_names_target (nr text, id integer NOT NULL DEFAULT nextval('public.old_names_nr_seq'))",
        ],
        build: ['ALTER TABLE tandem.old_names_target ADD PRIMARY KEY (id)'],
      },
    });
    await moving.prepare();
    await pool.query(
      "UPDATE public.old_names SET text = 'bb' WHERE nr = 2; UPDATE public.old_names SET nr = 9 WHERE nr = 1",
    );
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 2, differences: [] }]);
    await moving.swap();
    await pool.query(
      "INSERT INTO public.old_names (nr) VALUES ('c'); UPDATE public.old_names SET id = 20 WHERE nr = 'bb'",
    );
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 3, differences: [] }]);
    await moving.swap();
    await pool.query("INSERT INTO public.old_names (text) VALUES ('d')");
    const { rows } = await pool.query('SELECT nr, text FROM public.old_names ORDER BY nr');
    expect(rows.map((row) => Object.values(row))).toEqual([
      [3, 'c'],
      [4, 'd'],
      [9, 'a'],
      [20, 'bb'],
    ]);
    const { rows: owned } = await pool.query("SELECT pg_get_serial_sequence('public.old_names', 'nr') AS sequence");
    expect(owned).toEqual([{ sequence: 'public.old_names_nr_seq' }]);
  });
});
