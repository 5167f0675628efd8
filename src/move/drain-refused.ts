import type { Pool } from 'pg';
import { z } from 'zod';
import { type Client, inRepeatableTransaction } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import { isDataError, sqlStateOf } from '../db/sqlstate.ts';
import { type Direction, keyAsJson, keyMatch } from './direction.ts';
import { countsRow, type DrainCounts, drainKeysSql, givenKeysSql, PLAN_BY_KEY, takeSql } from './drain-sql.ts';

/** A key's values as text, in the order of the key's columns. */
type Key = readonly string[];
interface Refused {
  readonly key: Key;
  readonly reason: string;
}

const keyRows = z.array(z.array(z.string()));

/**
 * A batch that holds a row which the other side refuses (a constraint of its own, a value that cannot be cast): the
 * batch is halved until the refused rows stand alone. All of it is one transaction and one snapshot, in which the rest of
 * the batch goes through and each refused row is set aside in quarantine with the server's reason.
 *
 * Rows are re-read as they are now, and what they need may lie beyond the batch (a unique value that its old owner gave
 * up). So while there are entries beyond it, a refused key goes back to the end of the log once: `postponed` remembers
 * which.
 */
export async function drainAroundRefused(
  pool: Pool,
  direction: Direction,
  limit: number,
  postponed: Set<string>,
): Promise<DrainCounts> {
  const again: string[] = [];
  // A trigger of the target's may write to the same row: the snapshot is taken anew.
  const counts = await inRepeatableTransaction(
    pool,
    (client) => {
      again.length = 0;
      return drainBatchAround(client, direction, limit, postponed, again);
    },
    'BEGIN ISOLATION LEVEL REPEATABLE READ',
  );
  for (const key of again) postponed.add(key);
  return counts;
}

async function drainBatchAround(
  client: Client,
  direction: Direction,
  limit: number,
  postponed: ReadonlySet<string>,
  again: string[],
): Promise<DrainCounts> {
  // Deferred checks at the statement that offends them, not at the end.
  await client.query(
    `SET LOCAL synchronous_commit = off; SET LOCAL row_security = off; ${PLAN_BY_KEY}; SET CONSTRAINTS ALL IMMEDIATE`,
  );
  const { keys, entries, more } = await takeKeys(client, direction, limit);
  const total: DrainCounts = { taken: entries, written: 0, removed: 0, unfit: 0 };
  const stuck = await applyInHalves(client, direction, keys, total);
  const refused =
    stuck.length === 0
      ? []
      : await applyOneByOne(
          client,
          direction,
          stuck.map((s) => s.key),
          total,
        );
  const later = more ? refused.filter((r) => !postponed.has(JSON.stringify(r.key))) : [];
  const never = refused.filter((r) => !later.includes(r));
  if (later.length > 0) {
    await client.query(
      `WITH ${givenKeysSql(direction, 'given', 1)}
       INSERT INTO ${quoteName(direction.log)} (${logKey(direction)}) SELECT ${logKey(direction)} FROM given`,
      columnArrays(
        direction,
        later.map((r) => r.key),
      ),
    );
    again.push(...later.map((r) => JSON.stringify(r.key)));
  }
  if (never.length > 0) await quarantine(client, direction, never);
  total.unfit += never.length;
  return total;
}

/** Takes a batch's entries. `more`: does this snapshot hold entries beyond it? */
async function takeKeys(client: Client, direction: Direction, limit: number) {
  const log = quoteName(direction.log);
  const { rows } = await client.query<{ keys: unknown; entries: number }>(
    `WITH taken AS (
       ${takeSql(direction, 1)} RETURNING e.seq, ${keyAsJson(direction, 'e', 'log')} AS key)
     SELECT coalesce(pg_catalog.jsonb_agg(k.key ORDER BY k.seq), '[]') AS keys, coalesce(sum(k.entries), 0)::int AS entries
       FROM (SELECT key, max(seq) AS seq, count(*) AS entries FROM taken GROUP BY key) k`,
    [limit],
  );
  const { rows: rest } = await client.query<{ more: boolean }>(
    `SELECT EXISTS (SELECT FROM ${log} WHERE k1 IS NOT NULL ORDER BY seq LIMIT 1) AS more`,
  );
  return { keys: keyRows.parse(rows[0]?.keys), entries: rows[0]?.entries ?? 0, more: rest[0]?.more === true };
}

/** Applies as many keys together as go; returns those that are refused on their own. */
async function applyInHalves(
  client: Client,
  direction: Direction,
  keys: readonly Key[],
  total: DrainCounts,
): Promise<Refused[]> {
  if (keys.length === 0) return [];
  const reason = await attempt(client, direction, keys, total);
  if (reason === null) return [];
  const [only] = keys;
  if (keys.length === 1 && only) return [{ key: only, reason }];
  const middle = Math.ceil(keys.length / 2);
  return [
    ...(await applyInHalves(client, direction, keys.slice(0, middle), total)),
    ...(await applyInHalves(client, direction, keys.slice(middle), total)),
  ];
}

/**
 * Rows that were refused may only be in each other's way (two of them exchange a unique value): they are all taken away
 * from the other side first, and then put back one by one. Returns those that are refused even so.
 */
async function applyOneByOne(
  client: Client,
  direction: Direction,
  keys: readonly Key[],
  total: DrainCounts,
): Promise<Refused[]> {
  const kept: Refused[] = [];
  for (;;) {
    const counts: DrainCounts = { taken: 0, written: 0, removed: 0, unfit: 0 };
    const left = keys.filter((key) => !kept.some((k) => k.key === key));
    await client.query('SAVEPOINT tandem_refused');
    const once = await remove(client, direction, left);
    const refused: Refused[] = [];
    for (const [place, key] of left.entries()) {
      const reason = await attempt(client, direction, [key], counts, once.get(place + 1));
      if (reason !== null) refused.push({ key, reason });
    }
    if (refused.length === 0 || !direction.keepsRefused) {
      await client.query('RELEASE SAVEPOINT tandem_refused');
      for (const name of ['taken', 'written', 'removed', 'unfit'] as const) total[name] += counts[name];
      return [...kept, ...refused];
    }
    // What stands there stays, and may be in the way of others: the rest is tried again beside it.
    await client.query('ROLLBACK TO SAVEPOINT tandem_refused');
    kept.push(...refused);
  }
}

/** Applies the keys in a savepoint of their own. Returns the server's reason where it refuses, null where all is well. */
async function attempt(
  client: Client,
  direction: Direction,
  keys: readonly Key[],
  total: DrainCounts,
  once: readonly (string | null)[] = [],
): Promise<string | null> {
  await client.query('SAVEPOINT tandem_attempt');
  try {
    const { rows } = await client.query(drainKeysSql(direction), [direction.name, ...columnArrays(direction, keys)]);
    if (once.length > 0) await restoreOnce(client, direction, keys, once);
    await client.query('RELEASE SAVEPOINT tandem_attempt');
    const counts = countsRow.parse(rows[0]);
    for (const name of ['written', 'removed', 'unfit'] as const) total[name] += counts[name];
    // Those that went back into the log are not taken.
    total.taken -= keys.length - counts.taken;
    return null;
  } catch (error) {
    if (!isDataError(sqlStateOf(error)) || !(error instanceof Error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT tandem_attempt');
    return error.message;
  }
}

/** Takes the keys away from the other side. Returns what it held in columns written once, by the key's place (from 1). */
async function remove(
  client: Client,
  direction: Direction,
  keys: readonly Key[],
): Promise<Map<number, (string | null)[]>> {
  const once = onceColumns(direction).map((c) => `t.${quoteIdent(c.column)}::text`);
  const { rows } = await client.query<{ place: number; once: (string | null)[] }>(
    `WITH ${givenKeysSql(direction, 'given', 1)}
     DELETE FROM ${quoteName(direction.to)} t USING given
      WHERE ${keyMatch(direction, { alias: 't', side: 'to' }, { alias: 'given', side: 'log' })}
     RETURNING given.seq::int AS place, ARRAY[${once.join(', ')}]::text[] AS once`,
    columnArrays(direction, keys),
  );
  return new Map(once.length === 0 ? [] : rows.map((row) => [row.place, row.once]));
}

async function restoreOnce(
  client: Client,
  direction: Direction,
  keys: readonly Key[],
  once: readonly (string | null)[],
) {
  const columns = onceColumns(direction);
  const first = columns.length + 1;
  await client.query(
    `WITH ${givenKeysSql(direction, 'given', first)}
     UPDATE ${quoteName(direction.to)} t
        SET ${columns.map((c, i) => `${quoteIdent(c.column)} = $${i + 1}::text::${c.type}`).join(', ')}
       FROM given WHERE ${keyMatch(direction, { alias: 't', side: 'to' }, { alias: 'given', side: 'log' })}`,
    [...once, ...columnArrays(direction, keys)],
  );
}

/** Notes the rows by the key that they have, which may be spelled otherwise than the log's. */
async function quarantine(client: Client, direction: Direction, refused: readonly Refused[]): Promise<void> {
  const reasons = `$${direction.key.length + 2}::text[]`;
  await client.query(
    `WITH ${givenKeysSql(direction, 'given', 2)}
     INSERT INTO tandem.quarantine (table_name, key, reason)
     SELECT $1::text, CASE WHEN s.ctid IS NULL THEN ${keyAsJson(direction, 'given', 'log')} ELSE ${keyAsJson(direction, 's', 'from')} END,
            min((${reasons})[given.seq])
       FROM given LEFT JOIN ${quoteName(direction.from)} s
         ON ${keyMatch(direction, { alias: 's', side: 'from' }, { alias: 'given', side: 'log' })}
      GROUP BY 2
     ON CONFLICT (table_name, key) DO UPDATE SET reason = EXCLUDED.reason`,
    [
      direction.name,
      ...columnArrays(
        direction,
        refused.map((r) => r.key),
      ),
      refused.map((r) => r.reason),
    ],
  );
}

function onceColumns(direction: Direction) {
  return direction.columns.filter((c) => c.once);
}

function logKey(direction: Direction): string {
  return direction.key.map((k) => k.log).join(', ');
}

/** One text array a key column. */
function columnArrays(direction: Direction, keys: readonly Key[]): string[][] {
  return direction.key.map((_, i) => keys.map((key) => key[i] ?? ''));
}
