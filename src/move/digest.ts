import type { Client } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import { byteExact, hashSql } from './byte-exact.ts';
import { type Direction, fromClause, keyAsJson } from './direction.ts';

/** A row that is not the same on both sides. `columns` is empty where the row is on one side only. */
export interface Difference {
  readonly key: string;
  readonly kind: 'missing' | 'extra' | 'changed';
  readonly columns: readonly string[];
}

export interface DigestResult {
  /** Rows compared on the side that is read. */
  readonly rows: number;
  /** Keys left out: they wait in the change log (as seen by this snapshot) or in quarantine. */
  readonly leftOut: number;
  /** Chunks whose digests differ; 0 where the sides are equal. */
  readonly differingChunks: number;
  /** Rows that differ, up to the limit asked for. */
  readonly differences: Difference[];
  /** Rows of each partition of the side that is written; null where rows were left out, and so not counted. */
  readonly partitions: Readonly<Record<string, number>> | null;
}

export interface CompareOptions {
  /** Rows that differ are named up to this many. */
  readonly limit?: number | undefined;
  /** Of each row's hash: how seldom a row that differs goes unnoticed, and nearly twice the time for twice as many. */
  readonly bits?: 64 | 128 | undefined;
}

const ROWS_PER_CHUNK = 4000;
const MAX_CHUNKS = 16_384;

/**
 * Compares every written column of every row of both sides. The caller's transaction must be REPEATABLE READ, so that
 * both sides and the log are one snapshot. Each side is read once, in whatever order it lies, by parallel workers;
 * nothing is sorted or grouped: its digest is the number of rows with the exact sum of their hashes.
 * Only where the digests differ do rows fall into chunks, by the hash of their key, each with a digest of its own, and
 * chunks that differ are compared row by row.
 *
 * Keys in the log of this very snapshot are left out on both sides: exactly these may rightly differ.
 */
export async function compareSides(
  client: Client,
  direction: Direction,
  { limit = 20, bits = 64 }: CompareOptions = {},
): Promise<DigestResult> {
  const scope = await digestScope(client, direction, bits);
  const from = await digestSide(client, scope, 'from');
  const to = await digestSide(client, scope, 'to');
  const result = { rows: from.rows, leftOut: scope.leftOut, partitions: scope.isWhole ? to.partitions : null };
  if (from.digest === to.digest) return { ...result, differingChunks: 0, differences: [] };
  const chunks = await chunkCount(client, direction);
  const fromChunks = await digestChunks(client, scope, 'from', chunks);
  const toChunks = await digestChunks(client, scope, 'to', chunks);
  const differing = [...new Set([...fromChunks.keys(), ...toChunks.keys()])].filter(
    (chunk) => fromChunks.get(chunk) !== toChunks.get(chunk),
  );
  const differences = await differingRows(client, scope, chunks, differing.slice(0, limit), limit);
  return { ...result, differingChunks: differing.length, differences };
}

/** What is read, as this snapshot has it. */
interface Scope {
  readonly direction: Direction;
  readonly leftOut: number;
  readonly inLog: boolean;
  readonly inQuarantine: boolean;
  /** Those whose log holds a key now: the rows that look at it are left out, too. */
  readonly parents: Direction['parents'];
  /** No row is left out. */
  readonly isWhole: boolean;
  /** A row's hash has 64 bits for each: the two are independent. */
  readonly seeds: readonly number[];
  readonly version: number;
  /** The columns of the side that is written. */
  readonly columns: ReadonlyMap<string, { readonly isEnum: boolean; readonly notNull: boolean }>;
  readonly isPartitioned: boolean;
}

async function digestScope(client: Client, direction: Direction, bits: 64 | 128): Promise<Scope> {
  const waiting = await client.query<{ log: number; quarantine: number; parents: boolean[] }>(
    `SELECT (SELECT count(*) FROM (SELECT DISTINCT ${direction.key.map((k) => k.log).join(', ')} FROM ${quoteName(direction.log)}) l)::int AS log,
            (SELECT count(*) FROM tandem.quarantine WHERE table_name = $1)::int AS quarantine,
            ARRAY[${direction.parents.map((p) => `EXISTS (SELECT FROM ${quoteName(p.log)})`).join(', ')}]::boolean[] AS parents`,
    [direction.name],
  );
  const { log = 0, quarantine = 0, parents: parentWaits = [] } = waiting.rows[0] ?? {};
  const { rows: columns } = await client.query<{
    name: string;
    is_enum: boolean;
    not_null: boolean;
    is_partitioned: boolean;
    version: number;
  }>(
    `SELECT a.attname AS name, t.typtype = 'e' AS is_enum, a.attnotnull AS not_null, c.relkind = 'p' AS is_partitioned,
            current_setting('server_version_num')::int / 10000 AS version
       FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
      WHERE a.attrelid = $1::regclass AND a.attnum > 0`,
    [quoteName(direction.to)],
  );
  const parents = direction.parents.filter((_, i) => parentWaits[i]);
  return {
    direction,
    leftOut: log + quarantine,
    inLog: log > 0,
    inQuarantine: quarantine > 0,
    parents,
    isWhole: log + quarantine + parents.length === 0,
    seeds: SEEDS.slice(0, bits / 64),
    version: columns[0]?.version ?? 0,
    columns: new Map(columns.map((c) => [c.name, { isEnum: c.is_enum, notNull: c.not_null }])),
    isPartitioned: columns[0]?.is_partitioned === true,
  };
}

/** Any numbers but 0, with which the hash functions begin otherwise; far enough apart for a place to be added. */
const SEEDS = [1_000, 7_000_000];

async function chunkCount(client: Client, direction: Direction): Promise<number> {
  const { rows } = await client.query<{ estimate: number }>(
    `SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::float8 AS estimate
       FROM pg_catalog.pg_partition_tree($1::regclass) p JOIN pg_catalog.pg_class c ON c.oid = p.relid WHERE p.isleaf
      UNION ALL SELECT greatest(reltuples, 0)::float8 FROM pg_catalog.pg_class WHERE oid = $1::regclass AND relkind = 'r'`,
    [quoteName(direction.to)],
  );
  const estimate = Math.max(0, ...rows.map((row) => row.estimate));
  const wanted = Math.max(64, Math.ceil(estimate / ROWS_PER_CHUNK));
  return Math.min(MAX_CHUNKS, 2 ** Math.ceil(Math.log2(wanted)));
}

type Side = 'from' | 'to';

const keyRow = (direction: Direction, side: Side) =>
  `ROW(${direction.key.map((k) => `s.${quoteIdent(k[side])}`).join(', ')})`;

function chunkOf(direction: Direction, side: Side, chunks: number): string {
  return `(pg_catalog.hash_record_extended(${keyRow(direction, side)}, 7) & ${chunks - 1})`;
}

/** The values that must be equal, in a form whose hash tells any two of them apart that differ in a byte. */
function comparedValues(direction: Direction, side: Side): string[] {
  return direction.columns.map((c) => byteExact(comparedSql(c, side), c.type));
}

/** SQL over a row `s` of the side for the value that is compared: hashed first, and looked at where the hashes differ. */
function comparedSql(column: Direction['columns'][number], side: Side): string {
  return side === 'from' ? column.expression : (column.comparedAs ?? `s.${quoteIdent(column.column)}`);
}

function sideClause(scope: Scope, side: Side): string {
  const { direction } = scope;
  const conditions: string[] = [];
  if (scope.inLog) {
    const match = direction.key.map((k) => `l.${k.log} ${k.equals} s.${quoteIdent(k[side])}`).join(' AND ');
    conditions.push(`NOT EXISTS (SELECT FROM ${quoteName(direction.log)} l WHERE ${match})`);
  }
  if (scope.inQuarantine) {
    conditions.push(
      `NOT EXISTS (SELECT FROM tandem.quarantine q WHERE q.table_name = $1 AND q.key = ${keyAsJson(direction, 's', side)})`,
    );
  }
  for (const parent of scope.parents) {
    conditions.push(
      `NOT EXISTS (SELECT FROM ${quoteName(parent.log)} l WHERE l.k1 ${parent.equals} s.${quoteIdent(parent[side])})`,
    );
  }
  // The parameter is always there, so that the statement has one shape.
  conditions.push('$1::text IS NOT NULL');
  const from = side === 'from' ? fromClause(direction) : `FROM ${quoteName(direction.to)} s`;
  return `${from} WHERE ${conditions.join(' AND ')}`;
}

/**
 * A 64-bit hash of a row, from a seed: each column's hash is the seed of the next one's, the key's comes last, so that a value counts
 * only in its own row and place. A column that may be NULL is hashed apart, with a seed of its own, and laid over the
 * seed of the others; where a column that may not is NULL on the side read, so is its row's hash, and the sides differ.
 */
function rowHash(scope: Scope, side: Side, start: number): string {
  const { direction } = scope;
  const keys = direction.key.map((k) => k.to);
  const parts = direction.columns.map((c, i) => ({
    place: i + 1,
    isKey: keys.includes(c.column),
    mayBeNull: scope.columns.get(c.column)?.notNull !== true && !keys.includes(c.column),
    hash: (seed: string) =>
      hashSql(
        comparedSql(c, side),
        c.type,
        { isEnum: scope.columns.get(c.column)?.isEnum === true, version: scope.version },
        seed,
      ),
  }));
  let hash = String(start);
  for (const part of parts.filter((p) => p.mayBeNull))
    hash = `(${hash} OPERATOR(pg_catalog.#) coalesce(${part.hash(String(start + part.place))}, ${start - part.place}))`;
  for (const part of parts.filter((p) => !p.mayBeNull && !p.isKey)) hash = part.hash(hash);
  for (const part of parts.filter((p) => p.isKey)) hash = part.hash(hash);
  return hash;
}

/** SQL for the digest of the rows that are read: `17/-1606938…` or, with 128 bits, `17/-1606938…/551…`. */
function digestSql(scope: Scope, side: Side): string {
  const sums = scope.seeds.map((seed) => `coalesce(sum(${rowHash(scope, side, seed)}), 0)`);
  return `pg_catalog.concat_ws('/', count(*), ${sums.join(', ')})`;
}

/** Reads a side once. */
async function digestSide(client: Client, scope: Scope, side: Side) {
  const isPartitioned = side === 'to' && scope.isPartitioned;
  const { rows } = await client.query<{ partition: string | null; digest: string }>(
    `SELECT c.relname AS partition, a.digest
       FROM (SELECT ${isPartitioned ? 's.tableoid' : 'NULL::oid'} AS partition, ${digestSql(scope, side)} AS digest
               ${sideClause(scope, side)} ${isPartitioned ? 'GROUP BY s.tableoid' : ''}) a
       LEFT JOIN pg_catalog.pg_class c ON c.oid = a.partition`,
    [scope.direction.name],
  );
  const parts = rows.map((row) => ({ partition: row.partition, values: row.digest.split('/').map(BigInt) }));
  const total = [0n, ...scope.seeds.map(() => 0n)].map((zero, i) =>
    parts.reduce((sum, { values }) => sum + (values[i] ?? 0n), zero),
  );
  const partitions = parts.flatMap(({ partition, values }) =>
    partition === null ? [] : [[partition, Number(values[0])] as const],
  );
  return {
    rows: Number(total[0]),
    digest: total.join('/'),
    partitions: Object.fromEntries(partitions.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** The digest of each chunk. */
async function digestChunks(client: Client, scope: Scope, side: Side, chunks: number): Promise<Map<string, string>> {
  const { rows } = await client.query<{ chunk: string; digest: string }>(
    `SELECT ${chunkOf(scope.direction, side, chunks)}::text AS chunk, ${digestSql(scope, side)} AS digest
       ${sideClause(scope, side)} GROUP BY 1`,
    [scope.direction.name],
  );
  return new Map(rows.map((r) => [r.chunk, r.digest]));
}

async function differingRows(
  client: Client,
  scope: Scope,
  chunks: number,
  differing: string[],
  limit: number,
): Promise<Difference[]> {
  const { direction } = scope;
  const side = (name: Side) => {
    const values = comparedValues(direction, name).map((value, i) => `${value} AS v${i}`);
    const keys = direction.key.map((k, i) => `s.${quoteIdent(k[name])} AS k${i + 1}`);
    return `SELECT ${keys.join(', ')}, ${values.join(', ')} ${sideClause(scope, name)}
              AND ${chunkOf(direction, name, chunks)} = ANY ($2::bigint[])`;
  };
  const match = direction.key.map((k, i) => `a.k${i + 1} ${k.equals} b.k${i + 1}`).join(' AND ');
  const changed = direction.columns.map(
    (_, i) => `CASE WHEN pg_catalog.record_image_ne(ROW(a.v${i}), ROW(b.v${i})) THEN $${i + 4}::text END`,
  );
  const { rows } = await client.query<{ key: string; missing: boolean; extra: boolean; columns: string[] }>(
    `SELECT concat_ws(',', ${direction.key.map((_, i) => `coalesce(a.k${i + 1}, b.k${i + 1})::text`).join(', ')}) AS key,
            b.k1 IS NULL AS missing, a.k1 IS NULL AS extra, array_remove(ARRAY[${changed.join(', ')}]::text[], NULL) AS columns
       FROM (${side('from')}) a FULL JOIN (${side('to')}) b ON ${match}
      WHERE a.k1 IS NULL OR b.k1 IS NULL OR ${direction.columns.map((_, i) => `pg_catalog.record_image_ne(ROW(a.v${i}), ROW(b.v${i}))`).join(' OR ')}
      ORDER BY 1 LIMIT $3`,
    [direction.name, differing, limit, ...direction.columns.map((c) => c.column)],
  );
  return rows.map((row) => ({
    key: row.key,
    kind: row.missing ? 'missing' : row.extra ? 'extra' : 'changed',
    columns: row.missing || row.extra ? [] : row.columns,
  }));
}
