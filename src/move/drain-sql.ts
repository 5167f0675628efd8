import { z } from 'zod';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import {
  changeLogName,
  type DirectedColumn,
  type Direction,
  fitsCondition,
  keyAsJson,
  keyMatch,
  unfitColumns,
} from './direction.ts';
import { hasOneSpelling } from './key-types.ts';

/** What the statements below return: entries taken and not put back, and rows of the other side. */
export const countsRow = z.object({ taken: z.number(), written: z.number(), removed: z.number(), unfit: z.number() });
export type DrainCounts = z.infer<typeof countsRow>;

// Planned for a few keys against a large table: an index probe each. A plan that reads the table would be proportional
// to it, and the same statement runs under the cutover's lock.
export const PLAN_BY_KEY =
  'SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off';

/**
 * One batch of the drain, in ONE statement and so in one snapshot: what a taken entry announces is seen. `$1` is the
 * table's short name, `$2` the number of entries to take.
 *
 *     WITH taken AS (DELETE FROM changes … RETURNING …), keys AS (… one row a key), cur AS (… current rows …),
 *          gone AS (DELETE FROM target …), put AS (INSERT INTO target … ON CONFLICT … DO UPDATE …) SELECT counts
 *
 * Returns one row: taken, removed, written, unfit.
 */
export function drainSql(direction: Direction): string {
  return `WITH taken AS (
      ${takeSql(direction, 2)} RETURNING seq, ${logKey(direction)}),
    ${applySql(direction)}`;
}

/**
 * Takes the oldest entries out of the log, as many as parameter `$limit` says. By an array: one probe an entry, where a
 * join might be planned to read the entries again for each of them.
 */
export function takeSql(direction: Direction, limit: number): string {
  const log = quoteName(direction.log);
  return `DELETE FROM ${log} e WHERE seq = ANY (ARRAY(SELECT seq FROM ${log} WHERE k1 IS NOT NULL ORDER BY seq LIMIT $${limit}))`;
}

/** The same for given keys, in their order: `$2` and the following are arrays of the keys' values as text. */
export function drainKeysSql(direction: Direction): string {
  return `WITH ${givenKeysSql(direction, 'taken', 2)},
    ${applySql(direction)}`;
}

/** A CTE of given keys with their place as `seq`, read from one text array a key column: `$first` and the following. */
export function givenKeysSql(direction: Direction, name: string, first: number): string {
  const typed = direction.key.map((k) => `g.${k.log}::${k.type} AS ${k.log}`).join(', ');
  const arrays = direction.key.map((_, i) => `$${i + first}::text[]`).join(', ');
  return `${name} AS MATERIALIZED (
      SELECT g.seq, ${typed} FROM unnest(${arrays}) WITH ORDINALITY AS g (${logKey(direction)}, seq))`;
}

/**
 * What follows CTE `taken` (the entries' keys, however each was spelled): `cur` (one row a key, with `present` false
 * where the row is gone), `gone`, `put`, `unfit`, `mended` (and `again`, `due`) bring the other side to the keys' current state.
 * Nothing joins `cur` with itself: every other relation is probed once a key.
 */
function applySql(direction: Direction): string {
  const to = quoteName(direction.to);
  const { conflict, columns } = direction;
  // Of the same key, a row of another partition is another row.
  const sameRow = ['c.present', 'c.fits'].concat(
    conflict.flatMap((c) =>
      direction.key.some((k) => k.to === c) ? [] : [`${valueAlias(direction, c)} = t.${quoteIdent(c)}`],
    ),
  );
  // As they were written, and after the rows that go: a unique value that one row gave up and another took is free.
  const order = [...direction.insertOrder.map((column) => valueAlias(direction, column)), 'c.seq'].join(', ');
  const updates = updateList(direction);
  const held = heldSql(direction);
  return `keys AS MATERIALIZED (SELECT ${logKey(direction)}, max(seq) AS seq FROM taken GROUP BY ${logKey(direction)}),
    spelled AS MATERIALIZED (SELECT DISTINCT ${keyAsJson(direction, 'e', 'log')} AS key FROM taken e),
    cur AS MATERIALIZED (
      SELECT ${direction.key.map((k) => `k.${k.log}`).join(', ')}, k.seq, tandem_row.present, tandem_row.fits,
             CASE WHEN tandem_row.present AND NOT tandem_row.fits THEN ${unfitColumns(direction)} END AS unfit,
             CASE WHEN tandem_row.present AND NOT tandem_row.fits THEN ${keyAsJson(direction, 's', 'from')} END AS unfit_key,
             ${[
               ...direction.parents.map((p, i) => `s.${quoteIdent(p.from)} AS p${i}`),
               ...columns.map(
                 (c, i) => `CASE WHEN tandem_row.present AND tandem_row.fits THEN ${c.expression} END AS v${i}`,
               ),
             ].join(', ')}
        FROM keys k
        LEFT JOIN ${quoteName(direction.from)} s ON ${keyMatch(direction, { alias: 's', side: 'from' }, { alias: 'k', side: 'log' })}
        ${direction.joins}
       CROSS JOIN LATERAL (
         SELECT s.ctid IS NOT NULL AS present, CASE WHEN s.ctid IS NULL THEN false ELSE ${fitsCondition(direction)} END AS fits OFFSET 0
       ) AS tandem_row),
    gone AS (
      DELETE FROM ${to} t USING cur c
       WHERE ${keyMatch(direction, { alias: 't', side: 'to' }, { alias: 'c', side: 'log' })}
         AND (${sameRow.join(' AND ')}) IS NOT TRUE RETURNING 1),
    put AS (
      INSERT INTO ${to} AS s (${columns.map((c) => quoteIdent(c.column)).join(', ')}) OVERRIDING SYSTEM VALUE
      SELECT ${columns.map((c, i) => (c.once ? `CASE WHEN held.stands THEN held.o${i} ELSE c.v${i} END` : `c.v${i}`)).join(', ')}
        FROM cur c${held}
       WHERE c.present AND c.fits AND (SELECT count(*) FROM gone) >= 0 ORDER BY ${order}
      ON CONFLICT (${conflict.map(quoteIdent).join(', ')}) ${updates ? `DO UPDATE SET ${updates}` : 'DO NOTHING'} RETURNING 1),
    unfit AS (
      INSERT INTO tandem.quarantine (table_name, key, reason)
      SELECT $1::text, c.unfit_key, 'does not fit: ' || pg_catalog.array_to_string(c.unfit, ', ')
        FROM cur c WHERE c.present AND NOT c.fits
      ON CONFLICT (table_name, key) DO UPDATE SET reason = EXCLUDED.reason RETURNING 1),
    mended AS (
      DELETE FROM tandem.quarantine WHERE ctid = ANY (ARRAY(
        SELECT q.ctid FROM spelled k
         CROSS JOIN LATERAL (SELECT ctid FROM tandem.quarantine WHERE table_name = $1 AND key = k.key LIMIT 1) q
         WHERE k.key NOT IN (SELECT c.unfit_key FROM cur c WHERE c.present AND NOT c.fits))))${parentsSql(direction)}${direction.dependents
           .map((dependent, i) => dependentSql(direction, dependent, i))
           .join('')}
    SELECT ((SELECT count(*) FROM taken) - (SELECT count(*) FROM again))::int AS taken, (SELECT count(*) FROM gone)::int AS removed,
           (SELECT count(*) FROM put)::int AS written, (SELECT count(*) FROM unfit)::int AS unfit`;
}

function logKey(direction: Direction): string {
  return direction.key.map((k) => k.log).join(', ');
}

/** `cur` carries every written value under its position, so that no column's name can clash with a key's. */
function valueAlias(direction: Direction, column: string): string {
  return `c.v${direction.columns.findIndex((d) => d.column === column)}`;
}

/**
 * What the other side holds in the columns that are written once, under the row's key: a row that moves to another
 * partition is another row there, and keeps them.
 */
function heldSql(direction: Direction): string {
  const once = direction.columns.flatMap((c, i) => (c.once ? [`t.${quoteIdent(c.column)} AS o${i}`] : []));
  if (once.length === 0) return '';
  return ` LEFT JOIN LATERAL (
          SELECT true AS stands, ${once.join(', ')} FROM ${quoteName(direction.to)} t
           WHERE ${keyMatch(direction, { alias: 't', side: 'to' }, { alias: 'c', side: 'log' })} LIMIT 1) held ON true`;
}

/** The SET list of the upsert. The row that stands there is `s`, as in every mapping: what it reads as can be asked of it. */
function updateList(direction: Direction): string {
  return direction.columns
    .filter((c) => !c.once && (!direction.conflict.includes(c.column) || mayBeSpelledAnew(direction, c)))
    .map((c) => {
      const column = quoteIdent(c.column);
      if (c.readsAs === null) return `${column} = EXCLUDED.${column}`;
      // Read the same way, the value that stands and the one that comes: where they read the same, the older one stays.
      const read = `(${c.readsAs})::text COLLATE "C"`;
      return `${column} = CASE WHEN ${read} IS NOT DISTINCT FROM (SELECT ${read} FROM (SELECT EXCLUDED.*) AS s) THEN s.${column} ELSE EXCLUDED.${column} END`;
    })
    .join(', ');
}

/** Keys may be equal and yet not the same: citext `a` and `A`, numeric 1.0 and 1.00. */
function mayBeSpelledAnew(direction: Direction, column: DirectedColumn): boolean {
  return direction.key.some((k) => k.to === column.column) && !hasOneSpelling(column.type);
}

/** So many waiting keys of a table that this one looks at are searched for a row's own; of more, any may be it. */
const MAX_WAITING = 20_000;

/**
 * CTE `again`: rows that looked at a row of another table which is still waiting in that table's log. The state that
 * they saw may be gone again by the time that it is drained, unseen then: they go back into their own log, and are
 * drained again after it.
 */
function parentsSql(direction: Direction): string {
  const waits = direction.parents.map(
    (parent, i) =>
      `(c.p${i} ${parent.equals} ANY (SELECT w.k1 FROM waiting${i} w) OR (SELECT count(*) FROM waiting${i}) > ${MAX_WAITING})`,
  );
  const waiting = direction.parents.map(
    (parent, i) =>
      `,
    waiting${i} AS MATERIALIZED (SELECT l.k1 FROM ${quoteName(parent.log)} l LIMIT ${MAX_WAITING + 1})`,
  );
  return `${waiting.join('')},
    again AS (
      INSERT INTO ${quoteName(direction.log)} (${logKey(direction)})
      SELECT ${direction.key.map((k) => `c.${k.log}`).join(', ')} FROM cur c WHERE c.present AND (${waits.join(' OR ') || 'false'}) RETURNING 1)`;
}

/**
 * Rows of another table whose computed columns follow this one's (a message's language follows its session's): where a
 * row comes to the target or leaves it, or one of the columns differs from what the target holds, their keys are put
 * into their log.
 */
function dependentSql(direction: Direction, dependent: Direction['dependents'][number], place: number): string {
  const log = quoteName(changeLogName({ name: dependent.move }));
  const key = direction.key[0];
  if (!key) throw new Error(`${direction.name} has no key`);
  const differs = dependent.when
    .map(
      (column) =>
        `(t.${quoteIdent(column)})::text COLLATE "C" IS DISTINCT FROM (${valueAlias(direction, column)})::text COLLATE "C"`,
    )
    .join(' OR ');
  // Two steps: a session that was merely touched is dropped before any of its messages is looked at.
  return `,
    changed${place} AS MATERIALIZED (
      SELECT c.${key.log} FROM cur c
        LEFT JOIN LATERAL (
          SELECT ${differs} AS differs FROM ${quoteName(direction.to)} t
           WHERE t.${quoteIdent(key.to)} ${key.equals} c.${key.log} LIMIT 1) held ON true
       WHERE CASE WHEN c.present AND c.fits THEN held.differs IS NOT FALSE ELSE c.present OR held.differs IS NOT NULL END),
    due${place} AS (
      INSERT INTO ${log} (k1)
      SELECT m.${quoteIdent(dependent.sourceKey)} FROM changed${place} c
        JOIN ${quoteName(dependent.source)} m ON m.${quoteIdent(dependent.column)} ${key.equals} c.${key.log})`;
}
