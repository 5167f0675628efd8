import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { defaultCutoverLimits } from '../../src/move/cutover.ts';
import { useDirectory } from '../backup/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { catalogOf, expectNothingOfTandems } from './snapshot.ts';
import { type Tandem, tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const newDirectory = useDirectory();
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;
const foreignKeys = async (table: string) =>
  (
    await query(
      'SELECT conname AS name, pg_get_constraintdef(oid) AS says FROM pg_constraint WHERE conrelid = $1::regclass AND contype = $2 ORDER BY 1',
      [table, 'f'],
    )
  ).map(({ name, says }) => `${name}: ${says}`);
let tandem: Tandem;

beforeEach(async () => {
  await query(`
    CREATE TABLE public.teams (id int PRIMARY KEY, code text UNIQUE);
    INSERT INTO public.teams VALUES (1, 'one');
    ALTER TABLE public.sessions ADD COLUMN team_id int DEFAULT 1 REFERENCES public.teams (id);
    CREATE TABLE public.notes (id int PRIMARY KEY, session_id uuid CONSTRAINT noted REFERENCES public.sessions (id) ON DELETE SET NULL);
    INSERT INTO public.notes SELECT 1, id FROM public.sessions LIMIT 1`);
  tandem = tandemOn(database);
});

describe('rollback', () => {
  test.each([
    { done: 'DROP TABLE public.teams CASCADE', gone: 'public.teams.', keep: false },
    { done: 'ALTER TABLE public.teams DROP COLUMN id CASCADE', gone: 'public.teams (id)', keep: true },
    { done: 'ALTER TABLE public.teams DROP CONSTRAINT teams_pkey CASCADE', gone: 'public.teams (id)', keep: false },
  ])('refuses beforehand after $done, and goes back once that was meant', async ({ done, gone, keep }) => {
    await tandem.migrate();
    await query(done);
    const before = await catalogOf(database.pool);
    const message = expect.stringContaining(gone);
    expect(await tandem.status()).toMatchObject({ way_back: [message] });
    await expect(tandem.rollback({ keep })).rejects.toMatchObject({ code: 'TD027', exitCode: 3, message });
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
    expect(await query('SELECT rolling_back FROM tandem.run')).toEqual([{ rolling_back: false }]);
    await tandem.verify({ accept: true });
    expect(await tandem.status()).toMatchObject({ way_back: [] });
    await tandem.rollback({ keep });
    expect(await foreignKeys('public.sessions')).toEqual([expect.stringContaining('sessions_user_id_fkey')]);
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  });

  test.each([{ keep: false }, { keep: true }])(
    'follows what was given another name, with keep $keep',
    async ({ keep }) => {
      await tandem.migrate();
      await query(`
      ALTER TABLE public.teams RENAME COLUMN id TO number; CREATE SCHEMA crm; ALTER TABLE public.teams SET SCHEMA crm;
      ALTER TABLE public.notes RENAME COLUMN session_id TO about; ALTER TABLE public.notes RENAME TO remarks`);
      expect(await tandem.status()).toMatchObject({ way_back: [expect.stringContaining('public.remarks')] });
      await query('ALTER TABLE public.remarks RENAME COLUMN about TO session_id');
      expect(await tandem.status()).toMatchObject({ way_back: [] });
      await tandem.rollback({ keep });
      expect(await foreignKeys('public.sessions')).toEqual([
        'sessions_team_id_fkey: FOREIGN KEY (team_id) REFERENCES crm.teams(number)',
        expect.stringContaining('sessions_user_id_fkey'),
      ]);
      expect(await foreignKeys('public.remarks')).toEqual([
        expect.stringContaining('REFERENCES public.sessions(id) ON DELETE SET NULL'),
      ]);
      await tandem.migrate();
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    },
  );

  test.each([
    { done: 'DROP TABLE public.notes CASCADE', keep: true },
    { done: 'ALTER TABLE public.notes DROP COLUMN session_id', keep: false },
  ])('goes back after $done', async ({ done, keep }) => {
    await tandem.migrate();
    await query(done);
    expect(await tandem.status()).toMatchObject({ way_back: [] });
    await tandem.rollback({ keep });
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  });
});

describe('rollback, where the live tables are no longer what the cutover made', () => {
  const warnings = () => tandem.events.flatMap((event) => (event.event === 'finding' ? [event.message] : []));

  test.each([
    {
      done: 'ALTER TABLE public.sessions_active DISABLE TRIGGER tandem_log',
      undo: 'ALTER TABLE public.sessions_active ENABLE ALWAYS TRIGGER tandem_log',
      error: { code: 'TD023', message: expect.stringContaining('public.sessions') },
    },
    {
      done: 'ALTER TABLE public.messages RENAME TO said',
      undo: 'ALTER TABLE public.said RENAME TO messages',
      error: { code: 'TD005', message: expect.stringContaining('public.messages') },
    },
  ])('waits beforehand after $done', async ({ done, undo, error }) => {
    await tandem.migrate();
    await query(done);
    const before = await catalogOf(database.pool);
    expect(await tandem.status()).toMatchObject({ way_back: [error.message] });
    await expect(tandem.rollback()).rejects.toMatchObject(error);
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
    await query(undo);
    await tandem.rollback();
  });

  test('goes back with rows that a foreign key refuses which was dropped, and says so', async () => {
    await tandem.migrate();
    await query(`ALTER TABLE public.messages DROP CONSTRAINT messages_user_id_fkey;
      UPDATE public.messages SET user_id = gen_random_uuid() WHERE id = (SELECT id FROM public.messages LIMIT 1)`);
    await tandem.rollback();
    expect(warnings()).toContainEqual(expect.stringContaining('foreign key messages_user_id_fkey stands NOT VALID'));
    expect(await foreignKeys('public.messages')).toEqual([
      expect.stringMatching(/^messages_session_id_fkey: .* ON DELETE CASCADE$/),
      expect.stringMatching(/^messages_user_id_fkey: .* NOT VALID$/),
    ]);
    expect(await tandem.status()).toMatchObject({ phase: 'rolled_back' });
  });

  test('names what leaves with them', async () => {
    await tandem.migrate();
    await query(`CREATE INDEX later_idx ON public.messages (created_at);
      CREATE POLICY later ON public.sessions FOR SELECT TO authenticated USING (true);
      ALTER TABLE public.sessions_active RENAME TO sessions_of_today`);
    await tandem.rollback();
    expect(warnings().filter((message) => message.includes('leaves with the new table'))).toEqual([
      expect.stringContaining('policy later'),
      expect.stringContaining('index later_idx'),
    ]);
  });
});

describe('rollback, where somebody wrote to the retired tables', () => {
  test('does not begin with an emptied one', async () => {
    await tandem.migrate();
    await query('TRUNCATE tandem.messages_backup');
    await expect(tandem.rollback()).rejects.toMatchObject({
      code: 'TD030',
      message: 'public.messages has 2,000 rows, and tandem.messages_backup, which would take its place, 0.',
    });
    expect(await query('SELECT rolling_back FROM tandem.run')).toEqual([{ rolling_back: false }]);
    await query('UPDATE public.messages SET content = content');
    await tandem.rollback();
    expect(await query('SELECT count(*)::int AS n FROM public.messages')).toEqual([{ n: 2_000 }]);
  });

  test.each([{ keep: false }, { keep: true }])(
    'drops nothing before every row is back, with keep $keep',
    async ({ keep }) => {
      await tandem.migrate();
      const [{ id }] = await query(
        'UPDATE tandem.sessions_backup SET title = NULL WHERE id = (SELECT id FROM tandem.sessions_backup WHERE title IS NOT NULL LIMIT 1) RETURNING id',
      );
      const differs = { code: 'TD030', detail: `public.sessions: row ${id} differs in title` };
      await expect(tandem.rollback({ keep })).rejects.toMatchObject(differs);
      await query("UPDATE public.sessions SET title = 'since' WHERE id <> $1", [id]);
      await expect(tandem.rollback({ keep })).rejects.toMatchObject(differs);
      await query(
        'UPDATE public.sessions s SET title = t.title FROM tandem.sessions_partitioned t WHERE t.id = s.id AND s.id = $1',
        [id],
      );
      await tandem.rollback({ keep });
      expect(await query('SELECT FROM public.sessions WHERE title IS NULL')).toEqual([]);
    },
  );
});

describe('a rollback that stops before its swap is given up by migrate, and everything stands as before', () => {
  test.each([
    {
      what: 'a view that the flat tables cannot have',
      begin: 'CREATE VIEW public.by_language AS SELECT language, count(*) FROM public.messages GROUP BY 1',
      end: 'DROP VIEW public.by_language',
      error: { code: 'TD027', message: expect.stringMatching(/language"? does not exist/) },
    },
    {
      what: 'a lock that is not to be had',
      begin: 'BEGIN; SELECT FROM public.messages',
      end: 'COMMIT',
      error: { code: 'TD020' },
    },
  ])('$what', async ({ begin, end, error }) => {
    tandem = tandemOn(database, {}, { cutover: { ...defaultCutoverLimits, lockTimeoutMs: 50, attempts: 2 } });
    await tandem.migrate();
    const before = await catalogOf(database.pool, ['public', 'private', 'auth']);
    const somebody = await database.connect();
    await somebody.query(begin);
    await expect(tandem.rollback()).rejects.toMatchObject(error);
    expect(catalogDifference(before, await catalogOf(database.pool, ['public', 'private', 'auth']))).not.toEqual([]);
    await expect(tandem.finish()).rejects.toMatchObject({
      code: 'TD012',
      hint: expect.stringContaining('gives it up'),
    });
    await somebody.query(end);
    await query("UPDATE public.sessions SET title = 'meanwhile'");
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
    expect(catalogDifference(before, await catalogOf(database.pool, ['public', 'private', 'auth']))).toEqual([]);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
    expect(await query('SELECT DISTINCT title FROM public.sessions')).toEqual([{ title: 'meanwhile' }]);
  });
});

test('rollback --from follows names, and says which foreign key does not come back', async () => {
  const directory = newDirectory();
  tandem = tandemOn(database, {}, { backupDir: directory });
  await tandem.migrate();
  await tandem.finish();
  await query('DROP TABLE public.teams CASCADE; ALTER TABLE auth.users RENAME TO people');
  await tandem.rollbackFrom(directory);
  expect(tandem.events).toContainEqual(
    expect.objectContaining({
      event: 'finding',
      message: expect.stringContaining('public.teams, to which it referred'),
    }),
  );
  await tandem.rollback();
  expect(await foreignKeys('public.sessions')).toEqual([expect.stringContaining('REFERENCES auth.people(id)')]);
});

test.each([
  'DROP TABLE tandem.sessions_backup',
  'ALTER TABLE tandem.messages_backup DROP COLUMN content',
  'DROP TABLE tandem.messages_backup CASCADE; DROP TABLE tandem.changes_messages',
])('after %s nothing is taken back, and finish ends the run where that is said', async (done) => {
  await tandem.migrate();
  await query(done);
  await query("UPDATE public.sessions SET title = 'since'");
  const before = await catalogOf(database.pool);
  const gone = { code: 'TD027', message: expect.stringContaining(done.match(/tandem\.\w+/)?.[0] ?? '') };
  for (const command of [() => tandem.rollback(), () => tandem.rollback({ keep: true }), tandem.verify, tandem.migrate])
    await expect(command()).rejects.toMatchObject(gone);
  await expect(tandem.finish()).rejects.toMatchObject(gone);
  expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
  await tandem.finish({ withoutWayBack: true });
  await expectNothingOfTandems(database.pool);
  expect(await query('SELECT DISTINCT title FROM public.sessions')).toEqual([{ title: 'since' }]);
});
