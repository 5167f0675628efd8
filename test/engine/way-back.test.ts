import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
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
    { done: 'DROP TABLE public.notes', keep: true },
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

test.each(['DROP TABLE tandem.sessions_backup', 'ALTER TABLE tandem.messages_backup DROP COLUMN content'])(
  'after %s nothing is taken back, and finish ends the run where that is said',
  async (done) => {
    await tandem.migrate();
    await query(done);
    await query("UPDATE public.sessions SET title = 'since'");
    const before = await catalogOf(database.pool);
    const gone = { code: 'TD027', message: expect.stringContaining(done.match(/tandem\.\w+/)?.[0] ?? '') };
    for (const command of [
      () => tandem.rollback(),
      () => tandem.rollback({ keep: true }),
      tandem.verify,
      tandem.migrate,
    ])
      await expect(command()).rejects.toMatchObject(gone);
    await expect(tandem.finish()).rejects.toMatchObject(gone);
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
    await tandem.finish({ withoutWayBack: true });
    await expectNothingOfTandems(database.pool);
    expect(await query('SELECT DISTINCT title FROM public.sessions')).toEqual([{ title: 'since' }]);
  },
);
