import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';
import { isConnectionLoss } from '../db/sqlstate.ts';
import type { Caller, Identity } from './caller.ts';
import { delay } from './delay.ts';
import { preparedFailure, preparedName } from './prepared.ts';
import { isWorthRetrying, storeFailure } from './store-error.ts';

/** How often a transaction is run again that failed with 40001 or 40P01, and how long is waited before it. */
export interface Retries {
  /** Attempts in all. */
  readonly attempts: number;
  /** Milliseconds before the attempt that follows the given one (1, 2, …). */
  readonly backoff: (attempt: number) => number;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** How statements are sent to the server, for all callers of a store. */
export interface Sending {
  readonly retries: Retries;
  /** Whether they are prepared by name; no longer once a pooler turns out not to keep them. */
  prepare: boolean;
}

/** Runs one statement as the caller, and returns its rows. */
export type Run = (statement: (identity: Identity) => Statement) => Promise<readonly unknown[]>;

/**
 * Each statement in a transaction of its own, in which role and claims are set (`SET LOCAL`), so that row security
 * applies and nothing is left to the next one on the connection, behind a pooler in transaction mode or not:
 *
 * ```sql
 * BEGIN ISOLATION LEVEL READ COMMITTED;
 * SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true), set_config('request.jwt.claim.sub', $3, true);
 * …;
 * COMMIT;
 * ```
 */
export function runAs(pool: Pool, caller: Caller, sending: Sending): Run {
  const { retries } = sending;
  return async (statement) => {
    const identity = await caller();
    const { text, values } = statement(identity);
    let prepare = sending.prepare;
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await inCallersTransaction(pool, identity, { text, values: [...values] }, prepare);
        return result.rows;
      } catch (error) {
        const failure = prepare ? preparedFailure(error) : null;
        if (failure === 'not_kept') sending.prepare = false;
        if (failure !== null) {
          // The transaction was undone: once more as it is sent without preparing, at once.
          prepare = false;
          continue;
        }
        if (attempt >= retries.attempts || !isWorthRetrying(error)) throw storeFailure(error);
        await delay(retries.backoff(attempt));
      }
    }
  };
}

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

// Both of PostgREST's settings, so that one which a session was left with says nobody else.
const CALLER = `SELECT pg_catalog.set_config('request.jwt.claims', $1, true), pg_catalog.set_config('request.jwt.claim.sub', $2, true)`;
const ROLE = `${CALLER}, pg_catalog.set_config('role', $3, true)`;

async function inCallersTransaction(
  pool: Pool,
  { role, claims, userId }: Identity,
  statement: QueryConfig,
  prepare: boolean,
): Promise<QueryResult> {
  const caller = [JSON.stringify(claims), userId ?? ''];
  const settings = role === null ? { text: CALLER, values: caller } : { text: ROLE, values: [...caller, role] };
  const named = async (of: QueryConfig) => (prepare ? { ...of, name: await preparedName(of.text) } : of);
  const [setCaller, run] = [await named(settings), await named(statement)];
  const client = await pool.connect();
  let broken = false;
  // A connection that is lost tells its queries, and then everybody: an error that nobody listens to ends the process, and
  // the pool listens only to those that are idle.
  const lost = () => {
    broken = true;
  };
  client.on('error', lost);
  try {
    return await resultOf(client, [
      () => client.query(BEGIN),
      () => client.query(setCaller),
      () => client.query(run),
      () => client.query('COMMIT'),
    ]);
  } catch (error) {
    broken ||= isConnectionLoss(error) || !(await rolledBack(client));
    // Its prepared statement would fail again, for whoever is given the connection next.
    broken ||= prepare && preparedFailure(error) === 'outdated';
    throw error;
  } finally {
    client.release(broken);
    // Only now: in between nobody would listen.
    client.off('error', lost);
  }
}

type Query = () => Promise<QueryResult>;

/**
 * The result of the third query. Each is sent when the one before was answered: nothing may ever run with the role of the
 * pool instead of the caller's. On a connection with `pipeline: true` the last three are sent at once, to the same effect:
 * what follows a failed statement of a transaction fails, and COMMIT is then a rollback. Not so what follows a BEGIN that
 * fails, at a `statement_timeout` for example: it would run by itself, as the pool, and be committed.
 */
async function resultOf(client: PoolClient, [begin, settings, statement, commit]: [Query, Query, Query, Query]) {
  await begin();
  if (!('pipeline' in client && client.pipeline === true)) {
    await settings();
    const result = await statement();
    await commit();
    return result;
  }
  const all = [settings(), statement(), commit()] as const;
  // The connection is to be quiet before anybody else is given it.
  await Promise.allSettled(all);
  return (await Promise.all(all))[1];
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  );
}
