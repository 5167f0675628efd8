/**
 * Types whose hash function reads every bit of the value, so that unequal values are hashed apart. Others are compared
 * by their text: numeric (1.0 = 1.00), jsonb, intervals, floats' signed zero, domains, extension types, and time, whose
 * hash, like every hash of 64-bit integers, folds both halves into one.
 */
const EXACT = new Set(['boolean', 'date', 'bytea', 'inet', 'cidr', 'macaddr']);

/** The same, by functions that SQL can call one by one: no row is formed around the value. */
const DIRECT: Readonly<Record<string, string>> = {
  uuid: 'uuid_hash_extended',
  smallint: 'hashint2extended',
  integer: 'hashint4extended',
  oid: 'hashoidextended',
};

const TIMESTAMP = 'timestamp without time zone';
const TIMESTAMPTZ = 'timestamp with time zone';

/** SQL that differs, as an image, wherever `expression` differs in a byte. */
export function byteExact(expression: string, type: string): string {
  if (EXACT.has(type) || type in DIRECT || [TIMESTAMP, TIMESTAMPTZ, 'bigint'].includes(type)) return expression;
  // A collation may call unequal bytes equal, and its hash with them; "C" compares bytes. An enum is compared as text so
  // that the two sides may be of different types.
  return `(${expression})::text COLLATE "C"`;
}

/** What decides which function hashes a column, beside its type's name. */
export interface HashFacts {
  readonly isEnum: boolean;
  /** The server's major version. */
  readonly version: number;
}

/**
 * SQL for a 64-bit hash of `expression` that goes on from `seed` (SQL, another such hash): equal values and equal seeds
 * give equal hashes; where either differs, so does the hash, but once in 2^64. NULL gives NULL, where not 0.
 *
 *     pg_catalog.uuid_hash_extended(s."id", pg_catalog.hashint4extended(s."sequence_number", 11))
 */
export function hashSql(expression: string, type: string, facts: HashFacts, seed: string): string {
  const direct = DIRECT[type];
  if (direct !== undefined) return `pg_catalog.${direct}(${expression}, ${seed})`;
  // Both sides read as the very same type: the label's oid says it all.
  if (facts.isEnum) return `pg_catalog.hashenumextended(${expression}, ${seed})`;
  // The function folds 64 bits into 32 before it hashes them (-1 and 4294967295 are one); with the value itself laid
  // over the hash, what was folded together is apart again.
  if (type === 'bigint')
    return `(pg_catalog.hashint8extended(${expression}, ${seed}) OPERATOR(pg_catalog.#) (${expression}))`;
  if (type === TIMESTAMP) {
    return hashTimestamp(expression, `pg_catalog.timestamp_hash_extended(${expression}, ${seed})`, 'ts', '');
  }
  if (type === TIMESTAMPTZ) {
    // By a name of its own from 18 on; before, through a row.
    const folded =
      facts.version >= 18 ? `pg_catalog.timestamptz_hash_extended(${expression}, ${seed})` : hashRow(expression, seed);
    return hashTimestamp(expression, folded, 'tstz', '+00');
  }
  if (EXACT.has(type)) return hashRow(expression, seed);
  return `pg_catalog.hashtextextended(${byteExact(expression, type)}, ${seed})`;
}

/**
 * A timestamp's hash folds its 64 bits into 32, too. Its distance from 2000 as a double has every microsecond of 1728
 * to 2272, and further away what is rounded are so few low bits that the folded hash tells them apart.
 */
function hashTimestamp(expression: string, folded: string, range: 'ts' | 'tstz', zone: '' | '+00'): string {
  const type = range === 'ts' ? TIMESTAMP : TIMESTAMPTZ;
  const distance = `pg_catalog.${range}range_subdiff(${expression}, '2000-01-01 00:00:00${zone}'::${type})`;
  return `pg_catalog.hashfloat8extended(${distance}, ${folded})`;
}

const hashRow = (expression: string, seed: string) => `pg_catalog.hash_record_extended(ROW(${expression}), ${seed})`;
