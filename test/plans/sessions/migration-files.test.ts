import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { migrationFileNames, renderMigrationFiles } from '../../../plans/sessions/migration-files.ts';
import { catalogDifference, catalogSnapshot } from '../../../src/db/catalog-snapshot.ts';
import { packageRoot, splitStatements } from '../../../src/db/sql-file.ts';
import { createTestDatabase, useDatabase } from '../../support/database.ts';
import { psqlPath } from '../../support/sql-file.ts';
import {
  count,
  flat,
  insertFeedback,
  insertMessage,
  insertSession,
  insertUser,
  migrated,
  only,
  runMigrationFiles,
} from './fixtures.ts';

const directory = join(packageRoot(), 'supabase/migrations');
const SCHEMAS = ['public', 'private', 'auth', 'tandem_flat'];

/** Flat rows of all kinds, as an application would have written them. */
async function insertFlatRows(client: pg.ClientBase): Promise<void> {
  const [a, b] = [await insertUser(client), await insertUser(client)];
  for (const [i, language] of ['en', 'es', 'fr', 'de'].entries()) {
    for (const status of ['active', 'archived', 'deleted']) {
      const user = i % 2 === 0 ? a : b;
      const session = await insertSession(client, user, { language, status, title: `${language} ${status} 'q' \\ 🐘` });
      for (let n = 1; n <= 3; n++) await insertMessage(client, session, user, `Los gatos ${n}\n\t" ' \\ ü`, n);
    }
  }
  await client.query(
    `INSERT INTO public.messages (session_id, user_id, type, sequence_number, content, created_at)
     SELECT id, user_id, 'audio', -1, '', '-infinity' FROM public.sessions LIMIT 2`,
  );
  await client.query(
    "UPDATE public.sessions SET title = NULL, updated_at = '2001-01-01 00:00:00.123456+05' WHERE status = 'deleted'",
  );
}

const contentOf = async (client: pg.ClientBase) => ({
  sessions: (
    await client.query(
      `SELECT id, user_id, language::text, level::text, status::text, title, created_at::text, updated_at::text, last_accessed::text
         FROM public.sessions ORDER BY id`,
    )
  ).rows,
  messages: (
    await client.query(
      'SELECT id, session_id, user_id, type::text, sequence_number, content, created_at::text FROM public.messages ORDER BY id',
    )
  ).rows,
});

test('the files on disk are what the templates give: `npm run generate` writes them', () => {
  const onDisk = Object.fromEntries(
    readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  );
  expect(onDisk).toEqual(renderMigrationFiles());
});

describe('on an empty database', () => {
  const database = useDatabase();

  test('the files lead to the end state, and a second run of each changes nothing', async () => {
    const client = await database.connect();
    await runMigrationFiles(client);
    const snapshot = await catalogSnapshot(client, SCHEMAS);
    const user = await insertUser(client);
    await insertMessage(client, await insertSession(client, user), user);
    const before = await contentOf(client);
    for (const name of [...migrationFileNames, ...[...migrationFileNames].reverse()]) {
      await runMigrationFiles(client, name);
      expect(catalogDifference(snapshot, await catalogSnapshot(client, SCHEMAS))).toEqual([]);
    }
    expect(await contentOf(client)).toEqual(before);
  });

  test.skipIf(!psqlPath)('`psql -f` leads to the same catalog', async () => {
    for (const _ of [1, 2]) for (const name of migrationFileNames) await database.psql(join(directory, name));
    const client = await database.connect();
    const byPsql = await catalogSnapshot(client, SCHEMAS);
    const other = await createTestDatabase(migrated);
    try {
      expect(catalogDifference(byPsql, await catalogSnapshot(await other.connect(), SCHEMAS))).toEqual([]);
    } finally {
      await other.drop();
    }
  });

  test('so does a tool that sends one statement at a time, prepared, in one transaction', async () => {
    const client = await database.connect();
    for (const sql of Object.values(renderMigrationFiles())) {
      await client.query('BEGIN');
      // Parameters, even none, make the driver prepare the statement.
      for (const text of splitStatements(sql)) await client.query({ text, values: [], name: '' });
      await client.query('COMMIT');
    }
    const other = await createTestDatabase(migrated);
    try {
      const snapshot = await catalogSnapshot(await other.connect(), SCHEMAS);
      expect(catalogDifference(snapshot, await catalogSnapshot(client, SCHEMAS))).toEqual([]);
    } finally {
      await other.drop();
    }
  });

  test('each file says which one is missing before it', async () => {
    const client = await database.connect();
    await expect(runMigrationFiles(client, 'phase5')).rejects.toMatchObject({
      code: '42P01',
      hint: expect.stringContaining('flat_tables.sql'),
    });
    await runMigrationFiles(client, 'flat_tables');
    await expect(runMigrationFiles(client, 'phase5')).rejects.toMatchObject({
      code: '42P01',
      hint: expect.stringContaining('phase1'),
    });
  });

  test('the settings of the session are as before', async () => {
    const client = await database.connect();
    await client.query("SET search_path = public, auth; SET lock_timeout = '7s'; SET client_min_messages = 'log'");
    for (const _ of [1, 2]) await runMigrationFiles(client);
    const { rows } = await client.query(
      `SELECT current_setting('search_path') AS path, current_setting('lock_timeout') AS wait, current_setting('client_min_messages') AS messages,
              current_setting('statement_timeout') AS timeout`,
    );
    expect(rows).toEqual([{ path: 'public, auth', wait: '7s', messages: 'log', timeout: '0' }]);
  });
});

describe('on flat tables with rows', () => {
  const database = useDatabase(flat);
  let client: pg.Client;

  beforeEach(async () => {
    client = await database.connect();
    await insertFlatRows(client);
  });

  test('every row comes along, and the catalog is that of an empty database', async () => {
    const before = await contentOf(client);
    await runMigrationFiles(client, 'phase1');
    const feedback = await insertFeedback(client, before.messages[0]?.id);
    await runMigrationFiles(client, 'phase5');
    expect(await contentOf(client)).toEqual(before);
    expect(await count(client, 'public.message_feedback WHERE id = $1', [feedback])).toBe(1);
    expect(
      await count(
        client,
        'public.messages m JOIN public.sessions s ON s.id = m.session_id WHERE m.language = s.language',
      ),
    ).toBe(before.messages.length);
    expect(await count(client, 'private.session_keys')).toBe(before.sessions.length);
    expect(await count(client, 'public.sessions_archived')).toBe(4);
    expect(await count(client, 'public.session_stats')).toBe(6);
    const other = await createTestDatabase(migrated);
    try {
      const snapshot = await catalogSnapshot(await other.connect(), SCHEMAS);
      expect(catalogDifference(snapshot, await catalogSnapshot(client, SCHEMAS))).toEqual([]);
    } finally {
      await other.drop();
    }
  });

  test('foreign keys, plain indexes and comments of the application are kept', async () => {
    await client.query(`
      CREATE TABLE public.bookmarks (id int PRIMARY KEY, session_id uuid CONSTRAINT of_session REFERENCES public.sessions ON DELETE SET NULL,
        message_id uuid CONSTRAINT of_message REFERENCES public.messages DEFERRABLE INITIALLY DEFERRED);
      INSERT INTO public.bookmarks SELECT row_number() OVER (), session_id, id FROM public.messages;
      CREATE INDEX sessions_user_id_idx ON public.sessions (user_id);
      CREATE INDEX messages_session_id_idx ON public.messages (session_id);
      CREATE INDEX messages_of_today ON public.messages (created_at) WHERE sequence_number > 0;
      COMMENT ON TABLE public.sessions IS 'It''s ours'; COMMENT ON COLUMN public.messages.content IS 'What was said'`);
    await runMigrationFiles(client, 'phase');
    const lines = await catalogSnapshot(client, SCHEMAS);
    expect(lines).toContain(
      'constraint public.bookmarks of_session | FOREIGN KEY (session_id) REFERENCES private.session_keys(id) ON DELETE SET NULL',
    );
    expect(lines).toContain(
      'constraint public.bookmarks of_message | FOREIGN KEY (message_id) REFERENCES public.messages(id) DEFERRABLE INITIALLY DEFERRED',
    );
    expect(lines).toContain(
      'index public.messages messages_of_today | CREATE INDEX messages_of_today ON public.messages USING btree (created_at) WHERE (sequence_number > 0)',
    );
    expect(lines).toContain(
      'index public.sessions sessions_user_id_idx | CREATE INDEX sessions_user_id_idx ON ONLY public.sessions USING btree (user_id)',
    );
    expect(lines.filter((line) => line.startsWith('index public.sessions_active'))).toHaveLength(3);
    expect(lines).toContain("comment table public.sessions | It's ours");
    expect(lines).toContain('comment table column public.messages.content | What was said');
    const { rows } = await client.query('SELECT session_id FROM public.bookmarks WHERE id = 1');
    await client.query(
      'DELETE FROM public.bookmarks b USING public.messages m WHERE m.id = b.message_id AND m.session_id = $1 AND b.id > 1',
      [only(rows).session_id],
    );
    await client.query('UPDATE public.bookmarks SET message_id = NULL WHERE id = 1');
    await client.query('DELETE FROM public.sessions WHERE id = $1', [only(rows).session_id]);
    expect(await count(client, 'public.bookmarks WHERE id = 1 AND session_id IS NULL')).toBe(1);
  });

  test('columns that are varchar or already the enums are read as well', async () => {
    await runMigrationFiles(client, 'phase1');
    await client.query(`
      ALTER TABLE public.sessions ALTER level TYPE varchar(20), ALTER title TYPE varchar(200),
        ALTER status DROP DEFAULT, ALTER status TYPE public.session_status USING status::public.session_status`);
    const before = await contentOf(client);
    await runMigrationFiles(client, 'phase5');
    expect(await contentOf(client)).toEqual(before);
  });

  test.each<[string, string, string]>([
    [
      'a column of its own',
      'ALTER TABLE public.sessions ADD pinned boolean',
      'public.sessions has a column of its own: pinned',
    ],
    [
      'no such column',
      'ALTER TABLE public.messages DROP sequence_number',
      'public.messages has no column sequence_number',
    ],
    [
      'another type',
      'ALTER TABLE public.messages ALTER created_at TYPE timestamp',
      'public.messages.created_at is timestamp without time zone',
    ],
    [
      'a check',
      'ALTER TABLE public.sessions ADD CONSTRAINT brief CHECK (length(title) < 500)',
      'public.sessions has the constraint brief',
    ],
    [
      'a unique index',
      'CREATE UNIQUE INDEX one ON public.messages (id, session_id)',
      'public.messages has the unique index public.one',
    ],
    ['a policy', 'CREATE POLICY mine ON public.sessions USING (true)', 'public.sessions has the policy mine'],
    [
      'a trigger',
      'CREATE TRIGGER seldom BEFORE UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
      'public.sessions has the trigger seldom',
    ],
    [
      'privileges of another role',
      'GRANT SELECT ON public.sessions TO pg_monitor',
      'public.sessions grants privileges to pg_monitor',
    ],
    [
      'privileges of everybody',
      'GRANT SELECT ON public.messages TO PUBLIC',
      'public.messages grants privileges to PUBLIC',
    ],
    [
      'privileges on a column',
      'GRANT SELECT (id) ON public.sessions TO pg_monitor',
      'public.sessions grants privileges on column id',
    ],
    [
      'a view',
      'CREATE VIEW public.recent AS SELECT * FROM public.messages',
      'view public.recent depends on public.messages',
    ],
    [
      'a function of its row type',
      "CREATE FUNCTION public.label(public.sessions) RETURNS text LANGUAGE sql AS 'SELECT $1.title'",
      'function public.label(public.sessions) depends on public.sessions',
    ],
    [
      'a publication',
      'CREATE PUBLICATION live FOR TABLE public.messages',
      'publication of table public.messages in publication live depends on public.messages',
    ],
    [
      'forced row security',
      'ALTER TABLE public.sessions FORCE ROW LEVEL SECURITY',
      'public.sessions forces row security on its owner',
    ],
    [
      'a child',
      'CREATE TABLE public.child () INHERITS (public.sessions)',
      'public.child inherits from public.sessions',
    ],
  ])('%s is refused before anything changes', async (_, change, detail) => {
    await client.query(change);
    await runMigrationFiles(client, 'phase1');
    const snapshot = await catalogSnapshot(client, SCHEMAS);
    await expect(runMigrationFiles(client, 'phase5')).rejects.toMatchObject({
      code: '0A000',
      detail: expect.stringContaining(detail),
      hint: expect.stringContaining('tandem migrate'),
    });
    expect(catalogDifference(snapshot, await catalogSnapshot(client, SCHEMAS))).toEqual([]);
  });

  test('another owner is refused', async () => {
    await client.query('ALTER TABLE public.messages OWNER TO pg_monitor');
    await runMigrationFiles(client, 'phase1').catch(() => undefined);
    await expect(runMigrationFiles(client, 'phase5')).rejects.toMatchObject({
      detail: expect.stringContaining('public.messages belongs to pg_monitor'),
    });
  });

  test('values that do not fit are refused, each with how many rows have it', async () => {
    await runMigrationFiles(client, 'phase1');
    await client.query(
      "UPDATE public.sessions SET language = 'it' WHERE language = 'de'; UPDATE public.sessions SET status = 'Active' WHERE status = 'active'",
    );
    await client.query('ALTER TABLE public.messages DROP CONSTRAINT messages_session_id_fkey');
    await client.query('UPDATE public.messages SET session_id = gen_random_uuid() WHERE sequence_number = -1');
    await client.query(
      'ALTER TABLE public.messages ALTER type DROP NOT NULL; UPDATE public.messages SET type = NULL WHERE sequence_number = 1',
    );
    const before = await contentOf(client);
    await expect(runMigrationFiles(client, 'phase5')).rejects.toMatchObject({
      code: '22000',
      detail: [
        "public.messages has 2 rows whose session_id is 'the id of no session'",
        'public.messages has 12 rows whose type is null',
        "public.sessions has 3 rows whose language is 'it'",
        "public.sessions has 4 rows whose status is 'Active'",
      ].join('\n'),
      hint: expect.stringContaining('tandem migrate'),
    });
    expect(await contentOf(client)).toEqual(before);
    expect(await count(client, "pg_class WHERE relname = 'sessions' AND relkind = 'r'")).toBe(1);
  });

  test('a failure at the very end changes nothing either', async () => {
    await runMigrationFiles(client, 'phase1');
    // Nothing that the checks look for: the function of the last template collides.
    await client.query(
      'CREATE FUNCTION public.search_messages(text, uuid, uuid) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    );
    const [snapshot, before] = [await catalogSnapshot(client, SCHEMAS), await contentOf(client)];
    await expect(runMigrationFiles(client, 'phase5')).rejects.toMatchObject({ code: '42723' });
    expect(catalogDifference(snapshot, await catalogSnapshot(client, SCHEMAS))).toEqual([]);
    expect(await contentOf(client)).toEqual(before);
  });

  test('a table partitioned by somebody else is left alone', async () => {
    await runMigrationFiles(client, 'phase1');
    await client.query(`
      ALTER TABLE public.sessions RENAME TO other;
      CREATE TABLE public.sessions (id uuid) PARTITION BY HASH (id)`);
    await expect(runMigrationFiles(client, 'phase5')).rejects.toMatchObject({ code: '42809' });
  });
});
