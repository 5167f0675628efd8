import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { createState } from '../../src/engine/run-state.ts';
import { defaultCutoverLimits } from '../../src/move/cutover.ts';
import { named, useDirectory } from '../backup/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { catalogOf, expectNothingOfTandems, rowsOf } from './snapshot.ts';
import { type Config, tandemOn } from './tandem.ts';
import { whileClientsWrite } from './writing-clients.ts';

const database = useDatabase(fewRows);
const newDirectory = useDirectory();
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;

/** Where only the backup is left. */
async function finished(config: Config = {}) {
  const directory = newDirectory();
  const tandem = tandemOn(database, config, { backupDir: directory });
  await tandem.migrate();
  await tandem.finish();
  return { tandem: tandemOn(database, config), directory };
}

/** What a run makes in the application's schemas, and nobody can tell any more who made it. */
const LEFT = /message_feedback|session_(language|level|status)|message_type|unaccent/;

describe('rollback --from', () => {
  test('stands on the backup, brings every later write over, and is swapped in by the rollback; under load', async () => {
    const { tandem, directory } = await finished();
    await whileClientsWrite(database, async ({ moreMessages }) => {
      await moreMessages(30);
      await tandem.rollbackFrom(directory);
      // Beside the live ones, which are what they were.
      expect(await query("SELECT relkind FROM pg_class WHERE oid = 'public.sessions'::regclass")).toEqual([
        { relkind: 'p' },
      ]);
      expect(await tandem.status()).toMatchObject({ phase: 'baking', cutover_at: null });
      await moreMessages(30);
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
      await tandem.rollback();
      expect(await query("SELECT relkind FROM pg_class WHERE oid = 'public.sessions'::regclass")).toEqual([
        { relkind: 'r' },
      ]);
      await moreMessages(30);
      await tandem.migrate();
    });
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  });

  test('gives the tables everything back that hung on them, and values that the new shape could not tell apart', async () => {
    await query(`
      UPDATE public.sessions SET status = 'done' WHERE status = 'archived';
      ALTER TABLE public.messages DROP COLUMN sequence_number;
      ALTER TABLE public.sessions ALTER COLUMN last_accessed TYPE timestamp(3) with time zone,
        ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 3), ADD COLUMN serial_number serial,
        ADD COLUMN title_length integer GENERATED ALWAYS AS (length(title)) STORED,
        ADD CONSTRAINT short CHECK (length(title) < 1000), ALTER COLUMN title SET DEFAULT 'it''s new';
      COMMENT ON TABLE public.sessions IS 'of learners'; COMMENT ON COLUMN public.sessions.title IS 'as shown';
      COMMENT ON CONSTRAINT short ON public.sessions IS 'short';
      COMMENT ON CONSTRAINT messages_session_id_fkey ON public.messages IS 'whose';
      CREATE INDEX sessions_title_idx ON public.sessions (lower(title)) WHERE title <> '';
      COMMENT ON INDEX public.sessions_title_idx IS 'by title';
      CREATE UNIQUE INDEX sessions_replica_idx ON public.sessions (id, status);
      ALTER TABLE public.sessions ALTER COLUMN status SET NOT NULL, REPLICA IDENTITY USING INDEX sessions_replica_idx;
      ALTER TABLE public.messages REPLICA IDENTITY FULL, ADD CONSTRAINT once UNIQUE (id, session_id) DEFERRABLE;
      CREATE STATISTICS public.language_level (dependencies) ON language, level FROM public.sessions;
      ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, SET (fillfactor = 80);
      ALTER TABLE public.sessions ALTER COLUMN title SET STATISTICS 500;
      CREATE POLICY kept_only ON public.sessions AS RESTRICTIVE TO authenticated USING (title IS NOT NULL);
      COMMENT ON POLICY kept_only ON public.sessions IS 'no ghosts';
      ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY;
      CREATE POLICY of_session ON public.messages TO authenticated USING
        (EXISTS (SELECT FROM public.sessions s WHERE s.id = messages.session_id AND s.title <> 'public.sessions'));
      CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.title := upper(NEW.title); RETURN NEW; END';
      CREATE TRIGGER touch BEFORE UPDATE ON public.sessions FOR EACH ROW WHEN (NEW.title = 'touched') EXECUTE FUNCTION public.touch();
      CREATE TRIGGER asleep BEFORE INSERT ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.touch();
      ALTER TABLE public.sessions DISABLE TRIGGER asleep;
      REVOKE ALL ON public.sessions FROM anon; GRANT SELECT (id), UPDATE (title) ON public.sessions TO anon;
      CREATE PUBLICATION titles FOR TABLE public.sessions;
      CREATE TABLE public.notes (id int PRIMARY KEY, session_id uuid REFERENCES public.sessions (id) ON DELETE SET NULL);
      CREATE VIEW public.titles AS SELECT id, title FROM public.sessions;
      CREATE MATERIALIZED VIEW public.counted AS SELECT language, count(*) FROM public.sessions GROUP BY 1`);
    const flat = await catalogOf(database.pool, ['public', 'auth']);
    const before = await rowsOf(database.pool, ['public']);
    const { tandem, directory } = await finished({ sessions: { values: { status: { done: 'archived' } } } });
    await query('ALTER PUBLICATION titles SET (publish_via_partition_root = false)');
    await tandem.rollbackFrom(directory);
    expect(await tandem.verify()).toMatchObject({ ok: true });
    await tandem.rollback();
    expect(
      catalogDifference(flat, await catalogOf(database.pool, ['public', 'auth'])).filter((l) => !LEFT.test(l)),
    ).toEqual([]);
    expect(catalogDifference(before, await rowsOf(database.pool, ['public'])).filter((l) => !LEFT.test(l))).toEqual([]);
    // In force, and no longer asleep than before.
    await query("UPDATE public.sessions SET title = 'touched'");
    expect(await query('SELECT DISTINCT title FROM public.sessions')).toEqual([{ title: 'TOUCHED' }]);
    const [{ highest }] = await query('SELECT max(number)::int AS highest FROM public.sessions');
    expect(
      await query(
        'INSERT INTO public.sessions (id, user_id, language, level, status) SELECT gen_random_uuid(), user_id, language, level, status FROM public.sessions LIMIT 1 RETURNING number::int, title',
      ),
    ).toEqual([{ number: highest + 3, title: "it's new" }]);
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true });
  });

  test('can be kept, and gone on with without a copy', async () => {
    const { tandem, directory } = await finished();
    await tandem.rollbackFrom(directory);
    await tandem.rollback({ keep: true });
    await query("UPDATE public.sessions SET title = 'flat'");
    tandem.events.length = 0;
    await tandem.migrate();
    expect(tandem.events.filter((e) => e.event === 'progress' && e.step === 'copy')).toEqual([]);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await query('SELECT DISTINCT title FROM public.sessions')).toEqual([{ title: 'flat' }]);
  });

  test('can be finished again, and leaves nothing', async () => {
    const { tandem, directory } = await finished();
    const before = [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))];
    await tandem.rollbackFrom(directory);
    await tandem.rollbackFrom(directory);
    await tandem.finish();
    await expectNothingOfTandems(database.pool);
    expect(catalogDifference(before, [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))])).toEqual(
      [],
    );
  });

  test('stopped anywhere, is completed by the same command, and no other goes on with it', async () => {
    const { tandem, directory } = await finished();
    // Whatever the process was about to do next, the server says no.
    const failing = async (table: string, on: string, when: string) => {
      await query(`CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''killed''; END';
        CREATE TRIGGER fail BEFORE ${on} ON ${table} FOR EACH ROW WHEN (${when}) EXECUTE FUNCTION public.fail()`);
      await expect(tandem.rollbackFrom(directory)).rejects.toThrow();
      await query(`DROP TRIGGER fail ON ${table}`);
    };
    await expect(tandem.rollbackFrom(newDirectory())).rejects.toMatchObject({ code: 'TD041' });
    await createState(database.pool);
    await query("UPDATE public.sessions SET title = 'since the backup'");
    // In the transaction that makes them: nothing of it is there.
    await failing('tandem.step', 'INSERT', "NEW.name = 'indexes'");
    expect(await tandem.status()).toMatchObject({ phase: 'finished', holder: null });
    // The tables stand, and nothing is logged yet.
    const holder = await database.connect();
    await holder.query('BEGIN; LOCK TABLE public.messages IN ROW EXCLUSIVE MODE');
    const impatient = tandemOn(database, {}, { cutover: { ...defaultCutoverLimits, lockTimeoutMs: 50, attempts: 1 } });
    await expect(impatient.rollbackFrom(directory)).rejects.toMatchObject({ code: 'TD020', exitCode: 4 });
    await holder.query('ROLLBACK');
    const incomplete = { code: 'TD012', message: expect.stringContaining('are not complete yet') };
    for (const command of [tandem.migrate, tandem.verify, tandem.finish, tandem.rollback])
      await expect(command()).rejects.toMatchObject(incomplete);
    await query("UPDATE public.messages SET content = 'unlogged'");
    // Logged, and nobody has noted yet what was written before.
    await failing('tandem.run', 'UPDATE', "NEW.settings->'restored'->>'complete' = 'true'");
    for (const command of [tandem.migrate, tandem.verify, tandem.finish, tandem.rollback])
      await expect(command()).rejects.toMatchObject(incomplete);
    await expect(tandem.rollbackFrom(newDirectory())).rejects.toMatchObject({ code: 'TD012' });
    await tandem.rollbackFrom(directory);
    await query('DROP FUNCTION public.fail()');
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
    expect(await query('SELECT DISTINCT title FROM public.sessions')).toEqual([{ title: 'since the backup' }]);
    expect(await query('SELECT DISTINCT content FROM public.messages')).toEqual([{ content: 'unlogged' }]);
  });

  test('names the rows that the old types cannot hold, and goes back once they are mended', async () => {
    await query('ALTER TABLE public.messages ALTER COLUMN sequence_number TYPE smallint');
    const { tandem, directory } = await finished();
    const [{ id }] = await query(
      'UPDATE public.messages SET sequence_number = 40000 WHERE id = (SELECT id FROM public.messages LIMIT 1) RETURNING id',
    );
    await query("UPDATE public.messages SET content = 'since the backup'");
    await tandem.rollbackFrom(directory);
    await expect(tandem.rollback()).rejects.toMatchObject({ code: 'TD031', detail: expect.stringContaining(id) });
    await query('UPDATE public.messages SET sequence_number = 4000 WHERE id = $1', [id]);
    await tandem.rollback();
    expect(
      await query('SELECT DISTINCT content, pg_typeof(sequence_number)::text AS type FROM public.messages'),
    ).toEqual([{ content: 'since the backup', type: 'smallint' }]);
    expect(await query('SELECT sequence_number AS n FROM public.messages WHERE id = $1', [id])).toEqual([{ n: 4000 }]);
  });
});

describe('rollback --from is refused', () => {
  test('where a run is open, and where the tables are flat', async () => {
    const directory = newDirectory();
    const tandem = tandemOn(database, {}, { backupDir: directory });
    await tandem.migrate();
    await expect(tandem.rollbackFrom(directory)).rejects.toMatchObject({
      code: 'TD012',
      message: expect.stringContaining('A run is open'),
    });
    await tandem.rollback();
    await expect(tandem.rollbackFrom(directory)).rejects.toMatchObject({
      code: 'TD012',
      message: expect.stringContaining('are flat'),
    });
  });

  test('for a damaged backup, one without definitions, one of other names, and live tables that were altered; and leaves nothing', async () => {
    const { tandem, directory } = await finished();
    const before = [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))];
    const bare = newDirectory();
    await backupTables({ pool: database.pool, tables: [named('sessions'), named('messages')], directory: bare });
    await expect(tandem.rollbackFrom(bare)).rejects.toMatchObject({ code: 'TD044', exitCode: 1 });
    await expect(
      tandemOn(database, { sessions: { columns: { title: { sql: "''" } } } }).rollbackFrom(directory),
    ).resolves.toBeUndefined();
    await tandem.finish();
    await query('ALTER TABLE public.sessions ADD COLUMN mood text');
    await expect(tandem.rollbackFrom(directory)).rejects.toMatchObject({ code: 'TD027', exitCode: 3 });
    await query('ALTER TABLE public.sessions DROP COLUMN mood');
    const manifest = join(directory, 'manifest.json');
    const text = await readFile(manifest, 'utf8');
    await writeFile(manifest, text.replace('CREATE TABLE', 'CREATE  TABLE'));
    await expect(tandem.rollbackFrom(directory)).rejects.toMatchObject({
      code: 'TD041',
      message: expect.stringContaining('manifest.json was altered'),
    });
    await writeFile(manifest, text);
    expect(catalogDifference(before, [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))])).toEqual(
      [],
    );
  });
});
