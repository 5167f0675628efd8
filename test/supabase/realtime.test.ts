import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type LocalServer, startLocalServer } from '../../src/db/local-server.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { checkPlan } from '../../src/engine/migrate.ts';
import { flatWithRows } from '../engine/flat-database.ts';
import { tandemOn } from '../engine/tandem.ts';
import {
  asRole,
  insertMessage,
  insertSession,
  insertUser,
  migrated,
  runMigrationFiles,
} from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';

describe('a flat table that Realtime tells of', () => {
  const database = useDatabase(flatWithRows('variants', { sessions: 60, messages: 300 }));
  const found = async () => {
    const { plan, options } = tandemOn(database);
    return (await checkPlan(database.pool, plan, options)).map(({ message }) => message);
  };
  const silent = expect.stringContaining('postgres_changes');

  test('is told before anything is done that its subscriptions will be silent', async () => {
    await database.pool.query('CREATE PUBLICATION another FOR TABLE public.sessions');
    await database.pool.query('CREATE PUBLICATION supabase_realtime FOR TABLE public.messages');
    expect(await found()).not.toContainEqual(silent);
    await database.pool.query('ALTER PUBLICATION supabase_realtime ADD TABLE public.sessions');
    expect(await found()).toContainEqual(silent);
  });

  test('is told no more once it is partitioned', async () => {
    await database.pool.query('CREATE PUBLICATION supabase_realtime FOR TABLE public.sessions');
    await tandemOn(database).migrate();
    expect(await found()).not.toContainEqual(silent);
  });
});

const WAL2JSON = '/usr/lib/postgresql/15/lib/wal2json.so';
const installed = existsSync(WAL2JSON);
if (!installed) console.warn('NOT TESTED: what wal2json sees. Install it: apt-get install postgresql-15-wal2json');

// Debian has it for its own server only.
describe.skipIf(!installed || inject('binDir') === null)('wal2json, which Realtime reads with', () => {
  let server: LocalServer;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startLocalServer({ binDir: inject('binDir') ?? '', settings: { wal_level: 'logical' } });
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await runMigrationFiles(client);
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  test('gives changes of messages by their table, and of sessions none', async () => {
    await client.query(
      `CREATE PUBLICATION supabase_realtime FOR TABLE public.sessions, public.messages WITH (publish_via_partition_root = true)`,
    );
    await client.query("SELECT pg_create_logical_replication_slot('realtime', 'wal2json')");
    const user = await insertUser(client);
    await insertMessage(client, await insertSession(client, user), user);
    // As realtime.list_changes asks: for the tables of the publication.
    const { rows } = await client.query<{ table: string; action: string }>(
      `SELECT data::jsonb ->> 'table' AS table, data::jsonb ->> 'action' AS action
         FROM pg_logical_slot_get_changes('realtime', NULL, NULL, 'format-version', '2', 'include-transaction', 'false',
              'add-tables', (SELECT string_agg(schemaname || '.' || tablename, ',') FROM pg_publication_tables WHERE pubname = 'supabase_realtime'))`,
    );
    expect(rows).toEqual([{ table: 'messages', action: 'I' }]);
  });
});

describe('the broadcast of docs/supabase.md', () => {
  const database = useDatabase(migrated);

  test('tells each user of their sessions, whatever becomes of them', async () => {
    const client = await database.connect();
    // Supabase's, as far as a caller sees it.
    await client.query(`CREATE SCHEMA realtime; CREATE TABLE realtime.sent (n serial, payload jsonb, event text, topic text, private boolean);
      CREATE FUNCTION realtime.send(payload jsonb, event text, topic text, private boolean DEFAULT true) RETURNS void LANGUAGE sql AS
        'INSERT INTO realtime.sent (payload, event, topic, private) VALUES ($1, $2, $3, $4)'`);
    const section = readFileSync(join(packageRoot(), 'docs/supabase.md'), 'utf8').split('## Realtime')[1] ?? '';
    await client.query(/```sql\n([\s\S]*?)```/.exec(section)?.[1] ?? '');
    const user = await insertUser(client);
    await asRole(
      client,
      'authenticated',
      { setting: 'json', sub: user },
      async () => {
        const session = await insertSession(client, user);
        await client.query("UPDATE public.sessions SET title = 'New' WHERE id = $1", [session]);
        await client.query("UPDATE public.sessions SET status = 'archived' WHERE id = $1", [session]);
        await client.query('DELETE FROM public.sessions WHERE id = $1', [session]);
      },
      { keep: true },
    );
    const { rows } = await client.query<{ said: string }>(
      "SELECT concat_ws(' ', event, payload ->> 'status', payload ->> 'title') AS said, topic, private FROM realtime.sent ORDER BY n",
    );
    expect(rows.map(({ said }) => said)).toEqual([
      'INSERT active A title',
      'UPDATE active New',
      'DELETE active',
      'INSERT archived New',
      'DELETE archived',
    ]);
    expect(rows).toEqual(rows.map(({ said }) => ({ said, topic: `sessions:${user}`, private: true })));
  });
});
