import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { archiveDue } from '../../../../plans/sessions/keeper/archive.ts';
import { examine } from '../../../../plans/sessions/keeper/doctor.ts';
import { purging } from '../../../../plans/sessions/keeper/doctor-purge.ts';
import { unarchive } from '../../../../plans/sessions/keeper/unarchive.ts';
import { createPool } from '../../../../src/db/connect.ts';
import { tandem } from '../../../cli/tandem.ts';
import { urlAs, useRoles } from '../../../engine/roles.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, idOf, names, never, run, statuses, statusOf, usePolicy } from './keeping.ts';

const roles = useRoles({ keeper: 'LOGIN' });
const database = useDatabase(idleSessions);
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;
const [first, second, third] = [idOf('deleted', 10), idOf('deleted', 9), idOf('deleted', 8)];
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-purged-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Purges sessions that have been idle for longer. */
const purge = (days = 170) =>
  run(database.pool, { archiveAfterDays: null, purgeAfterDays: days, archiveDirectory: directory });
const bringBack = async (only: string | null = null) => {
  const results = [];
  for (const file of (await readdir(directory)).toSorted())
    results.push(...(await unarchive(database.pool, names, join(directory, file), only, never())));
  return results;
};

/** What an application might have beside: by session, by message, by score, over two tables, to itself, partitioned. */
const OWN = ['bookmarks', 'tags', 'marks', 'comments', 'links', 'pins'];
const makeOwnTables = () =>
  query(`
    CREATE EXTENSION citext SCHEMA public;
    CREATE SCHEMA app;
    CREATE TABLE app.bookmarks (id bigint GENERATED ALWAYS AS IDENTITY, session_id uuid NOT NULL REFERENCES private.session_keys ON DELETE CASCADE,
      name public.citext NOT NULL, doubled text GENERATED ALWAYS AS (name::text || name::text) STORED, PRIMARY KEY (name, session_id));
    CREATE TABLE app.tags (bookmark public.citext, session_id uuid, tag jsonb, FOREIGN KEY (bookmark, session_id) REFERENCES app.bookmarks (name, session_id) ON DELETE CASCADE);
    CREATE TABLE app.marks (message_id uuid REFERENCES public.messages ON DELETE CASCADE, colour text) PARTITION BY LIST (colour);
    CREATE TABLE app."red Marks" PARTITION OF app.marks FOR VALUES IN ('red');
    CREATE TABLE app.other_marks PARTITION OF app.marks DEFAULT;
    CREATE TABLE app.comments (id int PRIMARY KEY, parent_id int REFERENCES app.comments ON DELETE CASCADE,
      feedback_id uuid REFERENCES public.message_feedback ON DELETE CASCADE, said text);
    CREATE TABLE app.links (a uuid REFERENCES private.session_keys ON DELETE CASCADE, b uuid REFERENCES private.session_keys ON DELETE CASCADE);
    CREATE TABLE app.pins (session_id uuid, status public.session_status,
      FOREIGN KEY (session_id, status) REFERENCES public.sessions (id, status) ON UPDATE CASCADE ON DELETE CASCADE);
    CREATE TABLE app.views (session_id uuid REFERENCES private.session_keys ON DELETE SET NULL);

    INSERT INTO app.bookmarks (session_id, name) SELECT id, 'Mine' FROM public.sessions WHERE status = 'deleted';
    INSERT INTO app.tags SELECT 'mINE', session_id, 'null' FROM app.bookmarks;
    INSERT INTO app.marks SELECT m.id, c FROM public.messages m JOIN public.sessions s ON s.id = m.session_id, unnest(ARRAY['red', NULL]) c WHERE s.status = 'deleted';
    INSERT INTO app.comments SELECT row_number() OVER (), NULL, f.id, 'well said' FROM public.message_feedback f;
    INSERT INTO app.comments SELECT 1000 + id, id, NULL, 'is it?' FROM app.comments;
    INSERT INTO app.comments SELECT 1000 + id, id, NULL, 'yes' FROM app.comments WHERE id > 1000;
    INSERT INTO app.links VALUES ('${first}', '${second}'), ('${second}', '${first}'), ('${first}', '${third}');
    INSERT INTO app.pins SELECT id, status FROM public.sessions WHERE status = 'deleted';
    INSERT INTO app.views SELECT id FROM public.sessions`);
const everything = () =>
  query(
    `${OWN.map((table) => `SELECT '${table}' AS t, r::text AS row FROM app.${table} r`).join(' UNION ALL ')} ORDER BY 1, 2`,
  );

test('rows of other tables that go with a session are in its file, and come back', async () => {
  await makeOwnTables();
  const before = await everything();
  expect(await purge()).toMatchObject({ purged: 2 });
  const left = await everything();
  // Of either session: a bookmark, a tag, a pin, 19 messages with two marks each, three comments on each score; and three links.
  expect(before.length - left.length).toBe(2 + 2 + 2 + 38 + 6 + 3);
  expect(await query('SELECT count(*)::int AS n FROM app.views WHERE session_id IS NULL')).toEqual([{ n: 2 }]);

  // The link between both stands with the last of them.
  expect(await bringBack(second)).toMatchObject([{ outcome: 'restored', others: 1 + 1 + 1 + 18 + 3 }]);
  expect(await bringBack()).toMatchObject([
    { session: second, outcome: 'present' },
    { session: first, outcome: 'restored', others: 1 + 1 + 1 + 20 + 3 + 3 },
  ]);
  expect(await everything()).toEqual(before);
});

test('the command says how many came back, and a dry run which tables they are of', async () => {
  await makeOwnTables();
  await run(database.pool, { archiveAfterDays: null, purgeAfterDays: 1000, archiveDirectory: directory });
  expect(await tandem(['archive', '--dry-run'], { url: database.url })).toMatchObject({
    stdout: expect.stringContaining(
      `  rows of app.bookmarks, app.comments, app.links, app.marks, app.pins, app.tags go with a session, and are written to its file\n  rows of app.views stay, and lose what they refer to`,
    ),
  });
  await purge(190);
  const [file = ''] = await readdir(directory);
  expect(await tandem(['unarchive', join(directory, file)], { url: database.url })).toMatchObject({
    code: 0,
    stdout: '1 sessions are back, with 10 messages and 1 scores, and 29 rows of other tables.\n',
  });
});

test('a session with such a row that somebody is writing to is left to the next run', async () => {
  await makeOwnTables();
  const client = await database.connect();
  await client.query('BEGIN');
  await client.query(
    "UPDATE app.comments SET said = 'no' WHERE said = 'yes' AND id - 2000 = (SELECT c.id FROM app.comments c JOIN public.message_feedback f ON f.id = c.feedback_id JOIN public.messages m ON m.id = f.message_id WHERE m.session_id = $1)",
    [first],
  );
  expect(await purge()).toMatchObject({ purged: 1 });
  expect(await statusOf(database.pool, first)).toBe('deleted');
  await client.query('COMMIT');
  expect(await purge()).toMatchObject({ purged: 1 });
  // Its link to the other one, which went first, waits for this one to be there.
  await bringBack();
  await bringBack();
  expect(await statuses(database.pool)).toMatchObject({ deleted: 10 });
  expect(await query('SELECT count(*)::int AS n FROM app.links')).toEqual([{ n: 3 }]);
  expect(await query("SELECT said FROM app.comments WHERE said = 'no'")).toHaveLength(1);
});

test('what a role may read only in part is not deleted: nothing is purged, and the doctor says why', async () => {
  await makeOwnTables();
  await usePolicy(database.pool, { archiveAfterDays: null, purgeAfterDays: 170, archiveDirectory: directory });
  await query(`
    GRANT USAGE ON SCHEMA public, private, keeper, app TO ${roles.keeper};
    GRANT ALL ON ALL TABLES IN SCHEMA public, private, keeper, app TO ${roles.keeper};
    GRANT ALL ON ALL FUNCTIONS IN SCHEMA public, private, keeper TO ${roles.keeper};
    ALTER TABLE private.session_keys OWNER TO ${roles.keeper};
    ALTER TABLE public.sessions OWNER TO ${roles.keeper};
    ALTER TABLE public.messages OWNER TO ${roles.keeper};
    ALTER TABLE public.message_feedback OWNER TO ${roles.keeper};
    ALTER TABLE app.tags ENABLE ROW LEVEL SECURITY;
    CREATE POLICY partly ON app.tags TO ${roles.keeper} USING (session_id <> '${first}')`);
  const pool = createPool(urlAs(database.url, roles.keeper));
  const archive = () => archiveDue({ pool, names, signal: never() });
  try {
    await expect(archive()).rejects.toMatchObject({ code: '42501' });
    expect(await statuses(database.pool)).toMatchObject({ deleted: 10 });
    expect(await purging(pool, names)).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('all rows of app.tags,'),
    });
    await query('ALTER TABLE app.tags DISABLE ROW LEVEL SECURITY');
    expect(await purging(pool, names)).toMatchObject({
      state: 'ok',
      message: expect.stringContaining('app.tags go with their session, and are written'),
    });
    expect(await archive()).toMatchObject({ purged: 2 });
  } finally {
    await pool.end();
  }
});

test('the doctor names tables that keep sessions from being purged', async () => {
  await query('CREATE TABLE public.invoices (session_id uuid REFERENCES private.session_keys)');
  await usePolicy(database.pool);
  expect(await purging(database.pool, names)).toBeNull();
  await usePolicy(database.pool, { purgeAfterDays: 170 });
  expect(await purging(database.pool, names)).toMatchObject({
    state: 'warning',
    message: expect.stringContaining('public.invoices'),
  });
  expect((await examine(database.pool, names)).map((check) => check.name)).toContain('purging');
});

test('a session whose own table is gone is refused, and one that takes another session with it brings it back', async () => {
  await query(`
    CREATE TABLE public.notes (session_id uuid REFERENCES private.session_keys ON DELETE CASCADE, body text);
    ALTER TABLE public.sessions ADD COLUMN forked_from uuid REFERENCES private.session_keys ON DELETE CASCADE;
    INSERT INTO public.notes VALUES ('${second}', 'x');
    UPDATE public.sessions SET forked_from = '${first}' WHERE id IN ('${idOf('active', 1)}');
    INSERT INTO public.notes VALUES ('${idOf('active', 1)}', 'of the fork')`);
  const before = await query('SELECT m::text FROM public.messages m ORDER BY 1');
  expect(await purge()).toMatchObject({ purged: 2 });
  expect(await statuses(database.pool)).toEqual({ active: 9, archived: 10, deleted: 8 });
  await query('ALTER TABLE public.notes RENAME TO memos');
  expect(await bringBack()).toMatchObject([
    { session: second, outcome: 'refused', reason: 'There is no table public.notes any more, of which it had rows.' },
    { session: first, outcome: 'refused' },
  ]);
  await query('ALTER TABLE public.memos RENAME TO notes');
  expect(await bringBack()).toMatchObject([{ outcome: 'restored' }, { outcome: 'restored', others: 4 }]);
  expect(await query('SELECT m::text FROM public.messages m ORDER BY 1')).toEqual(before);
  expect(await query('SELECT body FROM public.notes ORDER BY 1')).toEqual([{ body: 'of the fork' }, { body: 'x' }]);
});
