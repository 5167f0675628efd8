import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { TandemError } from '../engine/errors.ts';
import { connectionFailure } from './server-error.ts';
import { isConnectionLoss, isTransient, sqlStateOf } from './sqlstate.ts';
import { rememberStatements } from './statement-of.ts';

/** Anything that runs a query: a pool, or one of its clients. */
export type Queryable = Pick<pg.ClientBase, 'query'>;
export type { ClientBase as Client, Pool } from 'pg';

export const MINIMUM_SERVER_VERSION = 15;

/**
 * What a role, a database or a server may have set for its sessions: what would end a long statement of ours, what would
 * let a statement read an older snapshot than the locks it waited for, how values are spelt as text, which keys are
 * compared by, how the server writes names and reads SQL, and whether a read-only look at policies is filtered or refused.
 * Nothing that is read once is worth compiling: a look at a large catalog would take longer than the locks may be held.
 */
const SESSION = `SET search_path = ''; SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;
  SET lock_timeout = 0; SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off;
  SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 1;
  SET bytea_output = 'hex'; SET quote_all_identifiers = off; SET standard_conforming_strings = on; SET array_nulls = on;
  SET transform_null_equals = off; SET xmloption = 'content'; SET row_security = on; SET enable_partition_pruning = on;
  SET check_function_bodies = on; SET jit = off;
  SELECT pg_catalog.set_config('transaction_timeout', '0', false)
   WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL`;

/**
 * Closes its socket where signing in fails here and not on the server, as it does without a password: the server would
 * wait for one for a minute, and the process with it.
 */
class ClosingClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.connection.on('error', () => this.connection.stream.destroy());
  }
}

/**
 * A pool on the target database. Sessions pin `search_path` to nothing but pg_catalog, so that no name in Tandem's SQL
 * can be caught by a user's object, and identify themselves in pg_stat_activity. `readOnly`: their transactions only read.
 *
 * @throws TD008 for what is no URL of a PostgreSQL database
 */
export function createPool(databaseUrl: string, options: { max?: number; readOnly?: boolean } = {}): pg.Pool {
  const pool = new pg.Pool({
    Client: ClosingClient,
    connectionString: parseUrl(databaseUrl),
    max: options.max ?? 6,
    application_name: 'tandem',
    connectionTimeoutMillis: 10_000,
    onConnect: async (client) => {
      // A connection may go while nothing is asked of it, in or out of the pool, and an error that nobody listens to
      // would end the process; the next query reports the loss.
      client.on('error', () => undefined);
      rememberStatements(client);
      await client.query(SESSION);
      if (options.readOnly) await client.query('SET default_transaction_read_only = on');
    },
  });
  pool.on('error', () => undefined);
  return pool;
}

/**
 * The URL with TLS as psql reads it: `sslmode=require` encrypts, and asks for no certificate that this machine knows.
 * `pg` would ask for one, warn that it will stop to, and refuse hosts with an authority of their own.
 */
function readLikePsql(databaseUrl: string): string {
  const url = new URL(withHost(databaseUrl));
  if (!['prefer', 'require', 'verify-ca'].includes(url.searchParams.get('sslmode') ?? '')) return withHost(databaseUrl);
  url.searchParams.set('uselibpqcompat', 'true');
  return url.href;
}

/**
 * `postgres://user:password@/app?host=/var/run/postgresql` is how libpq names a server by its socket, and no URL for
 * everybody else. The host of the query counts.
 */
function withHost(databaseUrl: string): string {
  return databaseUrl.replace(/^(\w+:\/\/[^/?#]*@)(?=[/?#]|$)/, '$1localhost');
}

// `pg` reads anything else as a path on a host named `base`, and asks that one.
function parseUrl(databaseUrl: string): string {
  let connectionString = '';
  let why: { detail?: string } = {};
  try {
    if (/^(postgres|postgresql):\/\//i.test(databaseUrl)) {
      connectionString = readLikePsql(databaseUrl);
      new pg.Client({ connectionString });
      return connectionString;
    }
  } catch (error) {
    // The error of a URL may hold it, and so the password: neither error nor cause is carried on. Others speak of files
    // and settings.
    if (connectionString !== '' && error instanceof Error) why = { detail: error.message };
  }
  throw new TandemError('TD008', 'The database URL cannot be read.', {
    hint: 'It looks like postgres://user:password@host:5432/database; in a password, characters such as / # ? % are written %2F %23 %3F %25.',
    ...why,
  });
}

export interface ServerState {
  /** The major version. */
  readonly version: number;
  /** A hot standby, or a role, database or server whose transactions read only. */
  readonly standby: boolean;
  readonly readOnly: boolean;
}

/**
 * Connects once, and turns the ways in which that fails into one sentence each. Returns the major version.
 *
 * @throws TD001, TD002, TD003, TD006, TD026 where there is no connection; TD004 for a server that is too old; TD009 where
 * `writes` is set and the server only reads
 */
export async function assertServer(
  pool: pg.Pool,
  databaseUrl: string,
  needs: { writes?: boolean } = {},
): Promise<number> {
  const where = describeUrl(databaseUrl);
  let server: ServerState | undefined;
  try {
    const { rows } = await pool.query<ServerState>(
      `SELECT pg_catalog.current_setting('server_version_num')::int / 10000 AS version,
              pg_catalog.pg_is_in_recovery() AS standby,
              pg_catalog.current_setting('transaction_read_only') = 'on' AS "readOnly"`,
    );
    server = rows[0];
  } catch (error) {
    throw connectionFailure(error, where);
  }
  if (!server) throw new TandemError('TD099', `The server at ${where} did not say what it is.`);
  assertVersion(server.version, where);
  if (needs.writes === true) assertWritable(server, where);
  return server.version;
}

/** @throws TD004 below version 15 */
export function assertVersion(version: number, where: string): void {
  if (version >= MINIMUM_SERVER_VERSION) return;
  throw new TandemError(
    'TD004',
    `The server at ${where} is PostgreSQL ${version}; Tandem needs ${MINIMUM_SERVER_VERSION} or newer.`,
    { hint: 'Upgrade the server first, or run Tandem against an upgraded copy.' },
  );
}

/** @throws TD009 where the server, or this role or database on it, only reads */
export function assertWritable({ standby, readOnly }: Omit<ServerState, 'version'>, where: string): void {
  if (standby) {
    throw new TandemError('TD009', `The server at ${where} is a standby: it only reads.`, {
      hint: 'Give the address of the primary.',
    });
  }
  if (readOnly) {
    throw new TandemError('TD009', `Transactions on ${where} read only: default_transaction_read_only is on.`, {
      hint: 'Find out why (hosts turn it on where a disk is full), then turn it off for the server, the database or the role.',
    });
  }
}

/** `host:port/database` without user and password: what may stand in a message or a log. */
export function describeUrl(databaseUrl: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(withHost(databaseUrl));
    const host = searchParams.get('host') || hostname || 'localhost';
    return `${host}:${searchParams.get('port') || port || '5432'}${decodeURI(pathname)}`;
  } catch {
    return 'the given address';
  }
}

/** How often a transaction is run that the server gave up for the sake of another one. */
const MAX_RUNS = 10;

/**
 * `inTransaction` for work that may be done again from its beginning: where the server ended it to resolve a deadlock
 * (40P01), or because it could not be serialized (40001), it is.
 */
export async function inRepeatableTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  begin = 'BEGIN',
): Promise<T> {
  for (let run = 1; ; run++) {
    try {
      return await inTransaction(pool, work, begin);
    } catch (error) {
      if (!isTransient(sqlStateOf(error)) || run >= MAX_RUNS) throw error;
      // The other one goes on meanwhile.
      await sleep(run * 20 * (0.5 + Math.random()));
    }
  }
}

/** Runs `work` in one transaction on one client: commits its result, or rolls back and throws what it threw. */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  begin = 'BEGIN',
): Promise<T> {
  const client = await pool.connect();
  let failed: unknown = null;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    failed = error;
    // Where the connection itself is gone, so is the transaction; the first error is the one to report.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    client.release(failed !== null && isConnectionLoss(failed));
  }
}
