import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { forward } from '../../src/move/direction.ts';
import { drainBatch } from '../../src/move/drain.ts';
import { differencesAsFindings } from '../../src/move/verify-rows.ts';
import { useDatabase } from '../support/database.ts';
import { Moving, newColumn, sameColumn, writeMove } from './moving.ts';

interface Pair {
  readonly type: string;
  /** SQL of a value and of another one that differs from it as little as can be. */
  readonly value: string;
  readonly other: string;
  /** As format_type writes it, where that is not `type`. */
  readonly formatted?: string;
}

const pair = (type: string, value: string, other: string, formatted?: string): Pair => ({
  type,
  value,
  other,
  ...(formatted ? { formatted } : {}),
});

const pairs: readonly Pair[] = [
  pair('text', "'a'", "'b'"),
  pair('text', "''", 'NULL'),
  pair('text', "U&'\\00E9'", "U&'e\\0301'"),
  pair('text', "'tail'", "'tail '"),
  pair('text', "repeat('long ', 100000)", "repeat('long ', 99999) || 'lonG '"),
  pair('text COLLATE public.caseless', "'name'", "'Name'", 'text'),
  pair('character varying(10)', "'a'", "'a '"),
  pair('character(5)', "'a'", "'A'"),
  pair('"char"', "'a'", "'b'"),
  pair('name', "'a'", "'A'"),
  pair('numeric', '1.0', '1.00'),
  pair('numeric', "'NaN'", 'NULL'),
  pair('numeric(30,20)', '0.1', '0.10000000000000000001'),
  pair('real', '0', "'-0'"),
  pair('double precision', '0', "'-0'"),
  pair('double precision', '0.1', '0.10000000000000002'),
  pair('double precision', "'Infinity'", "'NaN'"),
  pair('smallint', '1', '2'),
  pair('integer', '0', 'NULL'),
  pair('integer', '-1', '0'),
  pair('bigint', '-1', '4294967295'),
  pair('bigint', '1', '4294967297'),
  pair('bigint', '9223372036854775807', "'-9223372036854775808'"),
  pair('oid', '1', '2'),
  pair('boolean', 'true', 'false'),
  pair('boolean', 'false', 'NULL'),
  pair('money', '1.00', '1.01'),
  pair('uuid', "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000101'"),
  pair('bytea', "'\\x00'", "'\\x0000'"),
  pair('bytea', "decode(repeat('00', 70000), 'hex')", "decode(repeat('00', 69999) || '01', 'hex')"),
  pair('json', '\'{"a": 1}\'', '\'{"a":1}\''),
  pair('jsonb', '\'{"a": 1.0}\'', '\'{"a": 1.00}\''),
  pair('jsonb', "'null'", 'NULL'),
  pair('date', "'infinity'", "'-infinity'"),
  pair('date', "'2024-02-29'", "'2024-03-01'"),
  pair('timestamp without time zone', "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'"),
  pair('timestamp without time zone', "'2000-01-01 00:00:00'", "'2000-01-01 01:11:34.967296'"),
  pair('timestamp with time zone', "'2024-01-01 00:00:00.000001+00'", "'2024-01-01 00:00:00.000002+00'"),
  pair('timestamp with time zone', "'infinity'", "'-infinity'"),
  pair('timestamp with time zone', "'294276-12-31 23:59:59.999999+00'", "'294276-12-31 23:59:59.999998+00'"),
  pair('timestamp with time zone', "'4713-01-01 00:00:00.000001+00 BC'", "'4713-01-01 00:00:00.000002+00 BC'"),
  pair('timestamp(0) with time zone', "'2024-01-01 00:00:00+00'", "'2024-01-01 00:00:01+00'"),
  pair('time without time zone', "'24:00:00'", "'00:00:00'"),
  pair('time with time zone', "'12:00:00+00'", "'13:00:00+01'"),
  pair('interval', "'1 day'", "'24:00:00'"),
  pair('interval', "'1 mon'", "'30 days'"),
  pair('integer[]', "'{1,2}'", "'[0:1]={1,2}'"),
  pair('text[]', "'{NULL}'", '\'{"NULL"}\''),
  pair('numeric[]', "'{1.0}'", "'{1.00}'"),
  pair('public.mood', "'fine'", "'bad'"),
  pair('inet', "'10.0.0.1'", "'10.0.0.1/8'"),
  pair('cidr', "'10.0.0.0/8'", "'10.0.0.0/9'"),
  pair('macaddr', "'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"),
  pair('macaddr8', "'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"),
  pair('int4range', "'[1,2)'", "'[1,3)'"),
  pair('int4range', "'empty'", "'(,)'"),
  pair('numrange', "'[1.0,2]'", "'[1.00,2]'"),
  pair('tstzmultirange', "'{}'", "'{(,)}'"),
  pair('public.price', '1.0', '1.00'),
  pair('public.pair', 'ROW(1, NULL)', "ROW(1, '')"),
  pair('bit(3)', "B'101'", "B'111'"),
  pair('bit varying(5)', "B'1'", "B'10'"),
  pair('point', "'(0,0)'", "'(0,-0)'"),
  pair('tsvector', "'a:1'", "'a:2'"),
];

const columnName = (i: number) => `c${i}`;

describe('one flipped byte is found, and named by key and column', () => {
  const database = useDatabase(undefined, { per: 'suite' });
  let moving: Moving;
  let application: pg.Client;

  beforeAll(async () => {
    const { pool } = database;
    application = await database.connect();
    await application.query(`
      CREATE COLLATION public.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      CREATE TYPE public.mood AS ENUM ('fine', 'bad');
      CREATE DOMAIN public.price AS numeric;
      CREATE TYPE public.pair AS (a integer, b text);
      CREATE SCHEMA tandem;`);
    const columns = pairs.map((p, i) => `${columnName(i)} ${p.type}`).join(', ');
    await application.query(
      `CREATE TABLE public.kinds (region text, id integer, ${columns}, PRIMARY KEY (region, id))`,
    );
    await application.query(
      `INSERT INTO public.kinds SELECT 'north', n, ${pairs.map((p) => `${p.value}::${p.type.replace(/ COLLATE.*/, '')}`).join(', ')}
         FROM generate_series(1, 3) AS n`,
    );
    // Wide values make no difference to the hash: the pool compares with the settings that it has.
    const move = await writeMove(pool, {
      name: 'kinds',
      source: { schema: 'public', name: 'kinds' },
      columns: [
        sameColumn('region', 'text'),
        sameColumn('id', 'integer'),
        ...pairs.map((p, i) => sameColumn(columnName(i), p.formatted ?? p.type)),
      ],
    });
    moving = new Moving(pool, [move], {
      kinds: {
        create: ['CREATE TABLE tandem.kinds_target (LIKE public.kinds)'],
        build: ['ALTER TABLE tandem.kinds_target ADD PRIMARY KEY (region, id)'],
      },
    });
    await moving.prepare();
  });

  test('where nothing differs, nothing is reported', async () => {
    expect(await moving.compare()).toMatchObject([{ rows: 3, leftOut: 0, differences: [] }]);
  });

  const shown = (p: Pair) => `${p.type}: ${p.value.slice(0, 45)} and ${p.other.slice(0, 45)}`;
  test.each(pairs.map((p, i) => [shown(p), p, i] as const))('%s', async (_, { type, value, other }, i) => {
    const set = (sql: string) =>
      application.query(
        `UPDATE tandem.kinds_target SET ${columnName(i)} = ${sql}::${type.replace(/ COLLATE.*/, '')} WHERE id = 2`,
      );
    await set(other);
    try {
      for (const bits of [64, 128] as const) {
        expect(await moving.compare({ bits })).toMatchObject([
          { rows: 3, differences: [{ key: 'north,2', kind: 'changed', columns: [columnName(i)] }] },
        ]);
      }
    } finally {
      await set(value);
    }
    expect(await moving.compare({ bits: 128 })).toMatchObject([{ differences: [] }]);
  });

  test('a row that is missing, and one that is there too much', async () => {
    await application.query(`UPDATE tandem.kinds_target SET id = 7 WHERE id = 3`);
    expect(await moving.compare()).toMatchObject([
      {
        differences: [
          { key: 'north,3', kind: 'missing', columns: [] },
          { key: 'north,7', kind: 'extra', columns: [] },
        ],
      },
    ]);
    await application.query(`UPDATE tandem.kinds_target SET id = 3 WHERE id = 7`);
  });

  test('values that change places between two rows, or between two columns', async () => {
    await application.query('UPDATE public.kinds SET c0 = id::text, c3 = id::text');
    await moving.drain();
    await application.query('UPDATE tandem.kinds_target SET c0 = (3 - id)::text WHERE id IN (1, 2)');
    const rowsChanged = [
      { key: 'north,1', kind: 'changed', columns: ['c0'] },
      { key: 'north,2', kind: 'changed', columns: ['c0'] },
    ];
    expect((await moving.compare())[0]?.differences).toEqual(rowsChanged);
    await application.query("UPDATE tandem.kinds_target SET c0 = id::text; UPDATE public.kinds SET c3 = 'other'");
    await moving.drain();
    await application.query('UPDATE tandem.kinds_target SET c0 = c3, c3 = c0 WHERE id = 1');
    expect((await moving.compare())[0]?.differences).toEqual([
      { key: 'north,1', kind: 'changed', columns: ['c0', 'c3'] },
    ]);
  });
});

describe('citext', () => {
  const database = useDatabase();
  test('case is found, though the type calls it equal', async ({ skip }) => {
    const { pool } = database;
    const { rowCount } = await pool.query("SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'citext'");
    if (rowCount === 0) skip('this server has no extension citext');
    await pool.query(`CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE SCHEMA tandem;
      CREATE TABLE public.people (email extensions.citext PRIMARY KEY, name extensions.citext);
      INSERT INTO public.people VALUES ('A@example.org', 'Ann'), ('b@example.org', 'Bob')`);
    const move = await writeMove(pool, {
      name: 'people',
      source: { schema: 'public', name: 'people' },
      columns: [sameColumn('email', 'extensions.citext'), sameColumn('name', 'extensions.citext')],
    });
    const moving = new Moving(pool, [move], {
      people: {
        create: ['CREATE TABLE tandem.people_target (LIKE public.people)'],
        build: ['ALTER TABLE tandem.people_target ADD PRIMARY KEY (email)'],
      },
    });
    await moving.prepare();
    expect(await moving.compare()).toMatchObject([{ rows: 2, differences: [] }]);
    await pool.query(
      `UPDATE tandem.people_target SET name = lower(name::text)::extensions.citext WHERE name::text = 'Ann';
       UPDATE tandem.people_target SET email = 'B@EXAMPLE.ORG' WHERE name::text = 'Bob'`,
    );
    expect((await moving.compare())[0]?.differences).toEqual([
      { key: 'A@example.org', kind: 'changed', columns: ['name'] },
      { key: 'b@example.org', kind: 'changed', columns: ['email'] },
    ]);
  });
});

describe('many rows', () => {
  const database = useDatabase();

  async function manyRows(rows: number): Promise<Moving> {
    const { pool } = database;
    await pool.query(`CREATE SCHEMA tandem; CREATE TABLE public.many (id integer PRIMARY KEY, note text, n bigint);
      INSERT INTO public.many SELECT n, 'note ' || n, n FROM generate_series(1, ${rows}) AS n; ANALYZE public.many`);
    const move = await writeMove(pool, {
      name: 'many',
      source: { schema: 'public', name: 'many' },
      columns: [
        sameColumn('id', 'integer'),
        sameColumn('note', 'text'),
        sameColumn('n', 'bigint'),
        newColumn('doubled', 'bigint', 's.n * 2'),
      ],
    });
    return new Moving(pool, [move], {
      many: {
        create: ['CREATE TABLE tandem.many_target (id integer, note text, n bigint, doubled bigint)'],
        build: ['ALTER TABLE tandem.many_target ADD PRIMARY KEY (id)', 'ANALYZE tandem.many_target'],
      },
    });
  }

  test('differences are listed up to the limit, and said to be more', async () => {
    const moving = await manyRows(20_000);
    await moving.prepare();
    await database.pool.query('UPDATE tandem.many_target SET n = -n WHERE id % 2 = 0');
    const [compared] = await moving.compare({ limit: 15 });
    expect(compared?.rows).toBe(20_000);
    expect(compared?.truncated).toBe(true);
    expect(compared?.differences).toHaveLength(15);
    expect(new Set(compared?.differences.map((d) => d.columns.join()))).toEqual(new Set(['n']));
  });

  test('a row that is there twice', async () => {
    const moving = await manyRows(100);
    await moving.begin();
    await moving.copy();
    await database.pool.query('INSERT INTO tandem.many_target SELECT * FROM tandem.many_target WHERE id = 7');
    const [compared] = await moving.compare();
    expect(compared?.differences).toHaveLength(1);
    expect(differencesAsFindings(compared ? [compared] : [])).toMatchObject([
      {
        severity: 'blocks',
        subject: 'public.many',
        message: expect.stringContaining('the digests of both sides differ'),
      },
    ]);
  });

  test('one row among many', async () => {
    const moving = await manyRows(20_000);
    await moving.prepare();
    await database.pool.query("UPDATE tandem.many_target SET note = 'note 777 ' WHERE id = 777");
    expect(await moving.compare()).toMatchObject([
      { rows: 20_000, truncated: false, differences: [{ key: '777', kind: 'changed', columns: ['note'] }] },
    ]);
  });

  test('writers do not disturb it: what differs rightly is in the log of the very snapshot', async () => {
    const moving = await manyRows(5_000);
    await moving.prepare();
    const [move] = moving.moves;
    if (!move) throw new Error('There is no move.');
    const writers = await Promise.all([database.connect(), database.connect()]);
    let stopped = false;
    let written = 0;
    const writing = writers.map(async (writer, w) => {
      for (let n = 0; !stopped; n++) {
        const id = 1 + ((n * 7919 + w * 2503) % 5000);
        if (n % 5 === 0) await writer.query('DELETE FROM public.many WHERE id = $1', [id]);
        else if (n % 5 === 1)
          await writer.query('INSERT INTO public.many VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET n = $3', [
            id,
            'again',
            n,
          ]);
        else await writer.query('UPDATE public.many SET n = n + 1, note = $2 WHERE id = $1', [id, `by ${w}, ${n}`]);
        written += 1;
      }
    });
    let leftOut = 0;
    try {
      for (let round = 0; round < 12; round++) {
        const before = written;
        const [compared] = await moving.compare();
        expect(compared?.differences).toEqual([]);
        leftOut += compared?.leftOut ?? 0;
        await drainBatch(database.pool, forward(move), 40);
        while (written < before + 20) await database.pool.query('SELECT 1');
      }
    } finally {
      stopped = true;
      await Promise.all(writing);
    }
    expect(leftOut).toBeGreaterThan(0);
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ differences: [], leftOut: 0 }]);
  });
});
