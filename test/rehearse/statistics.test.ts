import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createPool, type Pool } from '../../src/db/connect.ts';
import { type LocalServer, startLocalServer } from '../../src/db/local-server.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { urlOf, withClient } from '../support/template.ts';
import { flatRows, rehearseOn, USER } from './rehearsing.ts';

/** The servers of the other tests load no library at their start. */
const installed = await hasExtension();
if (!installed)
  console.error('SKIPPED: this PostgreSQL comes without pg_stat_statements, and its statements are not rehearsed.');

async function hasExtension(): Promise<boolean> {
  return withClient(inject('serverUrl'), async (client) => {
    const { rowCount } = await client.query("SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements'");
    return rowCount === 1;
  });
}

describe.skipIf(!installed)('pg_stat_statements', () => {
  let server: LocalServer;
  let url: string;
  let pool: Pool;

  beforeAll(async () => {
    const binDir = inject('binDir');
    server = await startLocalServer({
      settings: { shared_preload_libraries: 'pg_stat_statements' },
      ...(binDir && { binDir }),
    });
    await withClient(server.url, async (client) => {
      await client.query('CREATE DATABASE app');
      await client.query('CREATE DATABASE other');
      await client.query(
        "CREATE ROLE app_user LOGIN PASSWORD 'x'; CREATE ROLE reporter LOGIN PASSWORD 'x'; CREATE ROLE watcher LOGIN PASSWORD 'x'",
      );
      await client.query('ALTER ROLE reporter IN DATABASE app SET search_path = reports, public');
    });
    url = urlOf(server.url, 'app');
    await withClient(url, async (client) => {
      await flatRows.run(client);
      await client.query('CREATE SCHEMA extensions; CREATE EXTENSION pg_stat_statements SCHEMA extensions');
      await client.query('CREATE SCHEMA reports; CREATE TABLE reports.sessions (id uuid, status text)');
      await client.query(
        'GRANT ALL ON ALL TABLES IN SCHEMA public, reports TO app_user, reporter; GRANT USAGE ON SCHEMA reports TO reporter',
      );
    });
    pool = createPool(url, { max: 10 });
    await tandemOn({ pool }, {}, { createAuth: true }).migrate({ stopBefore: 'cutover' });
    await withClient(url, (client) => client.query('SELECT extensions.pg_stat_statements_reset()'));
    await use('app_user', async (query) => {
      for (let i = 0; i < 5; i++) await query('SELECT id FROM sessions WHERE status LIKE $1', ['a%']);
      for (let i = 0; i < 3; i++) await query("SELECT id FROM sessions WHERE status = 'active'");
      await query(
        "SELECT id FROM sessions WHERE created_at > now() - interval '1 day' AND extract(year FROM created_at) > 2000",
      );
      await query("SELECT count(*) FROM sessions WHERE user_id = $1 AND status IN ('active', 'archived')", [USER]);
      await query('SELECT 1 AS sessions');
      await query('SET lock_timeout = 1000');
    });
    await use('reporter', (query) => query("SELECT id FROM sessions WHERE status LIKE 'a%' AND true"));
    await withClient(urlOf(server.url, 'other'), async (client) => {
      await client.query('CREATE TABLE sessions (status text)');
      await client.query("SELECT status FROM sessions WHERE status LIKE 'another database'");
    });
  });
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  type Query = (sql: string, values?: unknown[]) => Promise<unknown>;
  async function use(role: string, work: (query: Query) => Promise<unknown>): Promise<void> {
    const as = new URL(url);
    as.username = role;
    as.password = 'x';
    await withClient(as.href, (client) => work((sql, values) => client.query(sql, values)));
  }

  test('the statements of this database, the most-called first, as each role means them', async () => {
    const { statements, sources } = await rehearseOn({ pool });
    const counted = statements.filter(({ origin }) => origin.kind === 'pg_stat_statements');
    expect(
      counted.map(({ sql, verdict, origin }) => [
        origin.kind === 'pg_stat_statements' && [origin.calls, ...origin.roles],
        sql.slice(0, 44),
        verdict,
      ]),
    ).toEqual([
      [[5, 'app_user'], 'SELECT id FROM sessions WHERE status LIKE $1', 'breaks'],
      [[3, 'app_user'], 'SELECT id FROM sessions WHERE status = $1', 'reconnect'],
      [[1, 'app_user'], 'SELECT count(*) FROM sessions WHERE user_id ', 'reconnect'],
      [[1, 'app_user'], 'SELECT id FROM sessions WHERE created_at > n', 'holds'],
    ]);
    expect(sources[0]).toBe('pg_stat_statements: 4 statements on the tables.');
  });

  test('only so many, and it is said', async () => {
    const { statements, sources } = await rehearseOn({ pool }, [], { limit: 1 });
    expect(statements.filter(({ origin }) => origin.kind === 'pg_stat_statements')).toHaveLength(1);
    expect(sources[0]).toBe('pg_stat_statements: 1 statements on the tables; only the 1 called most were looked at.');
  });

  test('a role that may not see those of others is told so', async () => {
    await withClient(url, (client) =>
      client.query(
        'GRANT USAGE ON SCHEMA extensions TO watcher; GRANT pg_read_all_data TO watcher; GRANT CREATE ON DATABASE app TO watcher',
      ),
    );
    const as = new URL(url);
    as.username = 'watcher';
    as.password = 'x';
    const watching = createPool(as.href);
    const { rows } = await watching.query("SELECT current_setting('is_superuser') AS super");
    expect(rows).toEqual([{ super: 'off' }]);
    const { sources } = await rehearseOn({ pool: watching });
    await watching.end();
    expect(sources[0]).toMatch(/\d+ of other roles are hidden from this one, which lacks pg_read_all_stats\.$/);
  });
});

describe('without pg_stat_statements', () => {
  const database = useDatabase(flatRows);

  test('it says where else statements can come from', async () => {
    const { sources, statements } = await rehearseOn(database);
    expect(sources[0]).toBe(
      'pg_stat_statements: 0 statements on the tables; it is not installed in this database, so give the statements in a file.',
    );
    expect(statements).toEqual([]);
  });

  test.skipIf(!installed)('an extension whose library was not loaded is no reason to fail', async () => {
    const client = await database.connect();
    await client.query('CREATE EXTENSION pg_stat_statements');
    const { sources } = await rehearseOn(database);
    expect(sources[0]).toContain('it cannot be read (55000: ');
  });
});
