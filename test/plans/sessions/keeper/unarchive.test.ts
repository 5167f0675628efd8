import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileOfSession, unarchive } from '../../../../plans/sessions/keeper/unarchive.ts';
import { tandem } from '../../../cli/tandem.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, idOf, names, never, run, statuses, statusOf } from './keeping.ts';

const database = useDatabase(idleSessions);
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;
const [first, second] = [idOf('deleted', 10), idOf('deleted', 9)];
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-purged-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Purges the two sessions that have been idle for longest. */
const purge = () => run(database.pool, { archiveAfterDays: null, purgeAfterDays: 170, archiveDirectory: directory });
const onlyFile = async () => {
  const [name = ''] = await readdir(directory);
  return join(directory, name);
};
const bringBack = async (path?: string) =>
  (await unarchive(database.pool, names, path ?? (await onlyFile()), null, never())).map((r) => [r.session, r.outcome]);

/** Every value of every row of the sessions, as the server writes it. */
const everything = () =>
  query(
    `SELECT s::text AS row FROM public.sessions s WHERE id = ANY ($1)
     UNION ALL SELECT m::text FROM public.messages m WHERE session_id = ANY ($1)
     UNION ALL SELECT f::text FROM public.message_feedback f JOIN public.messages m ON m.id = f.message_id WHERE m.session_id = ANY ($1)
     ORDER BY 1`,
    [[first, second]],
  );

test('what was purged comes back as it was, value by value', async () => {
  await query(`
    ALTER TABLE public.sessions ADD COLUMN until timestamptz DEFAULT 'infinity', ADD COLUMN kind char(5) DEFAULT 'a';
    ALTER TABLE public.messages ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY, ADD COLUMN nothing jsonb DEFAULT 'null', ADD COLUMN none jsonb, ADD COLUMN spelt json DEFAULT '{"b":1,  "a":2}',
      ADD COLUMN score numeric DEFAULT 'NaN', ADD COLUMN ratio float8 DEFAULT 0.1 + 0.2, ADD COLUMN bytes bytea DEFAULT '\\x00ff',
      ADD COLUMN bits bit(3) DEFAULT '101', ADD COLUMN tags text[] DEFAULT '{"a,b",NULL,"null"}',
      ADD COLUMN "odd ""name" text GENERATED ALWAYS AS (upper(content)) STORED`);
  await query(
    `UPDATE public.messages SET content = E'"quoted"\\n\\ttab \\\\ backslash, ü 🐘 \\u2028' WHERE session_id = $1;`.replace(
      '$1',
      `'${first}'`,
    ),
  );
  await query("UPDATE public.message_feedback SET corrections = 'null', comment = ''");
  const before = await everything();
  expect(await purge()).toMatchObject({ purged: 2 });
  expect(await everything()).toEqual([]);
  const file = await onlyFile();
  expect(await query('SELECT session_id, archive_file AS file FROM keeper.purged_sessions ORDER BY 1')).toEqual(
    [second, first].map((session_id) => ({ session_id, file })),
  );
  expect((await stat(file)).mode & 0o777).toBe(0o600);

  expect(await bringBack()).toEqual([
    [second, 'restored'],
    [first, 'restored'],
  ]);
  expect(await everything()).toEqual(before);
  expect(await query('SELECT count(*)::int AS n FROM keeper.purged_sessions WHERE restored_at IS NOT NULL')).toEqual([
    { n: 2 },
  ]);
  // They rest anew before they are purged again; and a session that is there is left alone.
  expect(await purge()).toMatchObject({ purged: 0 });
  expect(await bringBack()).toEqual([
    [second, 'present'],
    [first, 'present'],
  ]);
});

test('a batch that fails after its file is written deletes nothing, and leaves no file', async () => {
  await query(`
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no luck'; END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER DELETE ON public.messages DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
  await expect(purge()).rejects.toMatchObject({ message: 'no luck' });
  expect(await statuses(database.pool)).toMatchObject({ deleted: 10 });
  expect(await readdir(directory)).toEqual([]);
  await query('DROP TRIGGER refuse ON public.messages');
  expect(await purge()).toMatchObject({ purged: 2 });
});

test('where the file cannot be written, nothing is deleted', async () => {
  const inTheWay = join(directory, 'file');
  await writeFile(inTheWay, '');
  await expect(
    run(database.pool, { archiveAfterDays: null, purgeAfterDays: 170, archiveDirectory: join(inTheWay, 'sub') }),
  ).rejects.toMatchObject({ code: 'TD042' });
  expect(await statuses(database.pool)).toMatchObject({ deleted: 10 });
  expect(await query('SELECT purged::int, error FROM keeper.archive_runs')).toEqual([
    { purged: 0, error: expect.stringContaining('cannot be written') },
  ]);
});

test('a file that is damaged, missing or something else is refused', async () => {
  await purge();
  const whole = await readFile(await onlyFile());
  const damaged = join(directory, 'damaged.gz');
  await writeFile(damaged, whole.subarray(0, whole.length - 20));
  await expect(bringBack(damaged)).rejects.toMatchObject({ code: 'TD041' });
  await writeFile(damaged, gunzipSync(whole));
  await expect(bringBack(damaged)).rejects.toMatchObject({ code: 'TD041' });
  await expect(bringBack(join(directory, 'gone'))).rejects.toMatchObject({ code: 'TD008' });
});

test('a session that cannot come back as it was is refused, with the reason, and the others come back', async () => {
  await query("INSERT INTO auth.users (id) VALUES ('00000000-0000-0000-0000-00000000000b')");
  await query("UPDATE public.sessions SET user_id = '00000000-0000-0000-0000-00000000000b' WHERE id = $1", [first]);
  await purge();
  await query("DELETE FROM auth.users WHERE id = '00000000-0000-0000-0000-00000000000b'");
  expect(await bringBack()).toEqual([
    [second, 'restored'],
    [first, 'refused'],
  ]);
  await query('DELETE FROM public.sessions WHERE id = $1', [second]);
  await query(`
    CREATE FUNCTION public.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.content := upper(NEW.content); RETURN NEW; END $$;
    CREATE TRIGGER shout BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.shout()`);
  const results = await unarchive(database.pool, names, await onlyFile(), second, never());
  expect(results).toMatchObject([{ outcome: 'refused', reason: expect.stringContaining('a trigger alters them') }]);
  expect(await statusOf(database.pool, second)).toBeUndefined();
});

test('the command finds the file by the session', async () => {
  await purge();
  expect(await fileOfSession(database.pool, first)).toBe(await onlyFile());
  const on = (...args: string[]) => tandem(['unarchive', ...args], { url: database.url });
  expect(await on()).toMatchObject({ code: 2, stderr: expect.stringContaining('Give a file') });
  expect(await on('--session', first)).toMatchObject({
    code: 0,
    stdout: '1 sessions are back, with 10 messages and 1 scores.\n',
  });
  expect(await statuses(database.pool)).toMatchObject({ deleted: 9 });
  expect(await on(await onlyFile())).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 were there already'),
  });
  expect(await on('--session', idOf('deleted', 1))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('was not purged'),
  });
});
