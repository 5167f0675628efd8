import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, inject } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { quoteIdent } from '../../src/db/identifier.ts';
import { runFile, runPsql } from './sql-file.ts';
import { ensureTemplate, type Setup, urlOf, withClient } from './template.ts';

export type { Setup } from './template.ts';

export interface TestDatabase {
  readonly url: string;
  /** Tandem's own pool, made on first use. */
  readonly pool: pg.Pool;
  /** A plain session, as an application has; it is closed with the database. */
  connect(): Promise<pg.Client>;
  /** Runs a file of SQL in one implicit transaction. */
  runFile(file: string): Promise<void>;
  /** Runs a file through `psql`; see `psqlPath` for where that is missing. */
  psql(file: string): Promise<string>;
}

export interface OwnedDatabase extends TestDatabase {
  /** Closes all that was opened here, and drops the database, whoever else is connected. */
  drop(): Promise<void>;
  /** Closes all that was opened here, but leaves the database. */
  release(): Promise<void>;
}

/** Creates a database: empty, or a clone of the setup's template. The caller drops it; `useDatabase` does by itself. */
export async function createTestDatabase(setup?: Setup): Promise<OwnedDatabase> {
  const serverUrl = inject('serverUrl');
  const template = setup ? await ensureTemplate(serverUrl, inject('runId'), setup) : 'template0';
  const name = `test_${setup?.name ?? 'empty'}_${randomBytes(5).toString('hex')}`;
  await withClient(serverUrl, (admin) =>
    admin.query(`CREATE DATABASE ${quoteIdent(name)} TEMPLATE ${quoteIdent(template)}`),
  );
  const url = urlOf(serverUrl, name);
  const clients: pg.Client[] = [];
  let pool: pg.Pool | null = null;

  const release = async () => {
    await Promise.all(clients.map((client) => client.end()));
    if (pool && !(await Promise.race([pool.end().then(() => true), delay(5_000, false, { ref: false })]))) {
      throw new Error(`The test left a client of its pool unreleased, or a query running, on ${url}`);
    }
  };
  return {
    url,
    get pool() {
      pool ??= createPool(url, { max: 10 });
      return pool;
    },
    async connect() {
      const client = new pg.Client({ connectionString: url, application_name: 'test' });
      // A session that the test itself ends from outside reports that to the query at hand; there may be none.
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    runFile: (file) => runFile(url, file),
    psql: (file) => runPsql(url, file),
    release,
    async drop() {
      await release();
      await withClient(serverUrl, (admin) => admin.query(`DROP DATABASE ${quoteIdent(name)} WITH (FORCE)`));
    },
  };
}

/**
 * A database of its own for each test of the file or `describe` it is called in, or one for all of them
 * (`{ per: 'suite' }`). It is dropped afterwards, but kept where a test failed, and its URL printed.
 */
export function useDatabase(setup?: Setup, options: { per?: 'test' | 'suite' } = {}): TestDatabase {
  let current: OwnedDatabase | null = null;
  let failed = false;
  const create = async () => {
    current = await createTestDatabase(setup);
    failed = false;
  };
  const remove = async () => {
    const database = current;
    current = null;
    if (!database) return;
    if (!failed) return database.drop();
    console.error(`Kept the database of the failed test: ${database.url}\n${HOW_TO_SEE_IT}`);
    // What the test left open is no news once it has failed.
    await database.release().catch(() => undefined);
  };
  const perSuite = options.per === 'suite';
  if (perSuite) beforeAll(create);
  else beforeEach(create);
  if (perSuite) afterAll(remove);
  afterEach(async ({ task }) => {
    failed ||= task.result?.state === 'fail';
    if (!perSuite) await remove();
  });

  const database = () => {
    if (!current) throw new Error('The database is there only while a test runs.');
    return current;
  };
  return {
    get url() {
      return database().url;
    },
    get pool() {
      return database().pool;
    },
    connect: () => database().connect(),
    runFile: (file) => database().runFile(file),
    psql: (file) => database().psql(file),
  };
}

const HOW_TO_SEE_IT =
  'It lives as long as the server: use `npx vitest` (watch mode), or a server of your own in TANDEM_TEST_URL.';
