import type { Pool } from 'pg';
import { cancelledBy } from '../db/cancel.ts';
import { inTransaction } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import { isDataError, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import { type Direction, fromClause } from './direction.ts';
import { BEGIN } from './drain.ts';

/**
 * Puts the key of every row that the two sides do not have alike into the change log, so that the drain brings the side
 * that is written up to date without a copy. The log must be on the side that is read by then: what is written after this
 * statement's snapshot announces itself.
 *
 *     INSERT INTO changes (k1) SELECT … FROM (SELECT … FROM source s) a FULL JOIN target t ON … WHERE one is missing, or differs
 *
 * Values are compared as text, in which some are told apart that are equal (1.0, 1.00): a key too many is a row drained
 * for nothing. Where a value cannot be read as the other side's at all (a number too large for its type), every key is
 * logged: the drain sets such a row aside and says which, and what is not seen here would not be found by it.
 *
 * @returns how many keys there are
 * @throws TD022 where `signal` is aborted: both tables are read whole, and nobody who stops the run waits for that
 */
export async function logDifferences(pool: Pool, direction: Direction, signal: AbortSignal): Promise<number> {
  try {
    return await logKeys(pool, differencesSql(direction), signal);
  } catch (error) {
    if (!isDataError(sqlStateOf(error))) throw error;
    return logKeys(pool, allKeysSql(direction), signal);
  }
}

async function logKeys(pool: Pool, sql: string, signal: AbortSignal): Promise<number> {
  try {
    return await inTransaction(
      pool,
      async (client) => {
        // A policy that would hide rows raises instead: a row that is not seen would be taken for one that is gone.
        await client.query('SET LOCAL row_security = off');
        return await cancelledBy(pool, client, signal, async () => (await client.query(sql)).rowCount ?? 0);
      },
      BEGIN,
    );
  } catch (error) {
    if (!signal.aborted || (error !== signal.reason && sqlStateOf(error) !== SqlState.queryCanceled)) throw error;
    throw new TandemError('TD022', 'Stopped while the rows of both versions were compared.', {
      hint: 'Run the same command again to go on.',
      cause: error,
    });
  }
}

function differencesSql(direction: Direction): string {
  // What is written once goes its own way on the side written.
  const compared = direction.columns.filter((column) => !column.once);
  const values = compared.map((column, i) => `(${column.expression})::text AS v${i}`);
  const differ = compared.map(
    (column, i) => `a.v${i} COLLATE "C" IS DISTINCT FROM t.${quoteIdent(column.column)}::text COLLATE "C"`,
  );
  const [first] = direction.key;
  return `${keysSql(direction, values)}
      WHERE ${[`a.${first?.log} IS NULL`, `t.${quoteIdent(first?.to ?? '')} IS NULL`, ...differ].join(' OR ')}`;
}

const allKeysSql = (direction: Direction) => keysSql(direction, []);

function keysSql(direction: Direction, values: readonly string[]): string {
  const keys = direction.key.map((k) => `s.${quoteIdent(k.from)} AS ${k.log}`);
  const match = direction.key.map((k) => `a.${k.log} ${k.equals} t.${quoteIdent(k.to)}`).join(' AND ');
  return `INSERT INTO ${quoteName(direction.log)} (${direction.key.map((k) => k.log).join(', ')})
     SELECT ${direction.key.map((k) => `coalesce(a.${k.log}, t.${quoteIdent(k.to)})`).join(', ')}
       FROM (SELECT ${[...keys, ...values].join(', ')} ${fromClause(direction)}) a
       FULL JOIN ${quoteName(direction.to)} t ON ${match}`;
}
