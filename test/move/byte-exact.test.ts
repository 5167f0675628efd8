import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byteExact, hashSql } from '../../src/move/byte-exact.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase(undefined, { per: 'suite' });

const digits = (max: number) => fc.bigInt({ min: -(1n << BigInt(max)), max: (1n << BigInt(max)) - 1n }).map(String);
const microseconds = (years: number) =>
  fc
    .tuple(fc.integer({ min: 1970 - years, max: 1970 + years }), fc.integer({ min: 0, max: 86_399 }), fc.nat(999_999))
    .map(([year, second, micro]) => {
      const time = new Date(second * 1000).toISOString().slice(11, 19);
      return `${String(Math.max(1, year)).padStart(4, '0')}-03-01 ${time}.${String(micro).padStart(6, '0')}`;
    });
const bytes = fc.uint8Array({ maxLength: 6 }).map((a) => `\\x${Buffer.from(a).toString('hex')}`);
const text = fc.string({ unit: fc.constantFrom('a', 'A', 'b', ' ', 'é', 'e\u0301', 'ß', '\n'), maxLength: 5 });

/** Types, and texts of their values: near each other, so that many pairs are equal by the type and not by the byte. */
const types: Readonly<Record<string, fc.Arbitrary<string>>> = {
  smallint: digits(4),
  integer: fc.oneof(digits(3), digits(31)),
  bigint: fc.oneof(digits(3), digits(63), digits(33), fc.constantFrom('-1', '4294967295', '4294967296', '0')),
  oid: fc.nat(9).map(String),
  boolean: fc.boolean().map(String),
  uuid: fc.constantFrom('0', '1', 'f').map((d) => `00000000-0000-4000-8000-00000000000${d}`),
  date: fc.constantFrom('2024-01-01', '2024-01-02', 'infinity', '-infinity', '4713-01-01 BC'),
  bytea: bytes,
  'timestamp without time zone': fc.oneof(
    microseconds(1),
    microseconds(4000),
    fc.constantFrom('infinity', '-infinity'),
  ),
  'timestamp with time zone': fc
    .oneof(microseconds(1), microseconds(4000), fc.constantFrom('infinity', '-infinity'))
    .map((t) => (t.includes('inf') ? t : `${t}+00`)),
  'time without time zone': fc.constantFrom('00:00', '24:00', '12:00:00.000001', '12:00'),
  interval: fc.constantFrom('1 day', '24:00', '1 mon', '30 days', '-1 day', '0'),
  numeric: fc.constantFrom('1', '1.0', '1.00', '-0', '0', 'NaN', '1e10', '10000000000', '0.1'),
  'double precision': fc.constantFrom('0', '-0', '1', 'NaN', 'Infinity', '0.1', '0.10000000000000002'),
  text,
  'character varying(5)': text,
  'character(5)': text,
  jsonb: fc.constantFrom('1', '1.0', '{"a":1}', '{"a": 1.0}', 'null', '"a"', '[]'),
  json: fc.constantFrom('1', '1.0', '{"a":1}', '{"a": 1}', 'null'),
  inet: fc.constantFrom('10.0.0.1', '10.0.0.1/8', '10.0.0.1/32', '::1', '::ffff:10.0.0.1'),
  cidr: fc.constantFrom('10.0.0.0/8', '10.0.0.0/16', '::/0'),
  macaddr: fc.constantFrom('08:00:2b:01:02:03', '08:00:2b:01:02:04'),
  int4range: fc.constantFrom('empty', '[1,2)', '[1,1]', '(,)', '[1,3)'),
  'text[]': fc.constantFrom('{}', '{NULL}', '{"NULL"}', '{a,b}', '[0:1]={a,b}', '{"a,b"}'),
};

const facts = async () => {
  const { rows } = await database.pool.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS version",
  );
  return { isEnum: false, version: rows[0]?.version ?? 0 };
};

test.each(Object.keys(types))(
  '%s: two values have one hash, and one exact form, just where their texts are the same',
  async (type) => {
    const value = types[type] ?? fc.constant('');
    const known = await facts();
    const hash = (of: string) => hashSql(of, type, known, '77');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(value, value), { minLength: 40, maxLength: 40 }), async (values) => {
        const { rows } = await database.pool.query(
          `SELECT a, b, a::text COLLATE "C" = b::text COLLATE "C" AS same, ${hash('a')} = ${hash('b')} AS hashed,
                NOT record_image_ne(ROW(${byteExact('a', type)}), ROW(${byteExact('b', type)})) AS exact
           FROM (SELECT l::${type} AS a, r::${type} AS b FROM unnest($1::text[], $2::text[]) AS v (l, r)) v`,
          [values.map(([a]) => a), values.map(([, b]) => b)],
        );
        for (const row of rows) expect(row).toMatchObject({ hashed: row.same, exact: row.same });
      }),
      { numRuns: 8 },
    );
  },
);

test.each(Object.keys(types))('%s: the hash goes on from its seed', async (type) => {
  const known = await facts();
  const [sample] = fc.sample(types[type] ?? fc.constant(''), { numRuns: 1, seed: 1 });
  const seeds = ['1', '2', '3000000000', '-5'];
  const { rows } = await database.pool.query<{ hashes: string[] }>(
    `SELECT ARRAY[${seeds.map((seed) => `${hashSql('a', type, known, seed)}::text`).join(', ')}] AS hashes FROM (SELECT $1::text::${type} AS a) v`,
    [sample],
  );
  expect(new Set(rows[0]?.hashes).size).toBe(seeds.length);
});
