import { expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { fewRows } from '../../engine/flat-database.ts';
import { catalogOf } from '../../engine/snapshot.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';

const database = useDatabase(fewRows);
const query = async (sql: string) => (await database.pool.query(sql)).rows;

test.each([
  {
    sql: 'CREATE TABLE public.other (a int, b int); CREATE INDEX sessions_active_user_id_idx ON public.other (a); CREATE INDEX messages_content_search_idx ON public.other (b); CREATE VIEW public.sessions_archived_last_accessed_idx AS SELECT 1 AS x',
    says: [
      'the name public.sessions_active_user_id_idx is taken, which the new shape needs',
      'the name public.messages_content_search_idx is taken, which the new shape needs',
      'the name public.sessions_archived_last_accessed_idx is taken, which the new shape needs',
    ],
  },
  {
    sql: "CREATE INDEX sessions_active_user_id_idx ON public.sessions (user_id) WHERE status = 'active'",
    says: ['the name public.sessions_active_user_id_idx is taken, which the new shape needs'],
  },
  {
    sql: `ALTER TABLE public.sessions RENAME CONSTRAINT sessions_pkey TO sessions_key;
      CREATE TABLE public.other (a int CONSTRAINT sessions_pkey PRIMARY KEY, b int UNIQUE); CREATE UNIQUE INDEX session_stats_user_status_idx ON public.other (b)`,
    says: [
      'the name public.session_stats_user_status_idx is taken, which the new shape needs',
      'the name public.sessions_pkey is taken, which the new shape needs',
    ],
  },
  {
    sql: `CREATE FUNCTION public.complete() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER message_complete BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.complete();
      CREATE TRIGGER session_key_remove AFTER DELETE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.complete();
      CREATE TRIGGER session_changes_insert AFTER INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.complete();
      CREATE POLICY sessions_select_own ON public.sessions FOR SELECT TO authenticated USING (user_id = auth.uid());
      ALTER TABLE public.sessions ADD CONSTRAINT sessions_id_status_fkey CHECK (id IS NOT NULL)`,
    says: [
      'has a constraint sessions_id_status_fkey, a name that the new table needs for a constraint of its own',
      'has a policy sessions_select_own, a name that the new table needs for a policy of its own',
      'has a trigger session_key_remove, a name that the new table needs for a trigger of its own',
      'has a trigger message_complete, a name that the new table needs for a trigger of its own',
      'has a trigger session_changes_insert, a name that the new table needs for a trigger of its own',
    ],
  },
  {
    sql: `ALTER TABLE public.messages DROP CONSTRAINT messages_session_id_fkey, ADD CONSTRAINT messages_session_id_fkey CHECK (session_id IS NOT NULL)`,
    says: ['has a constraint messages_session_id_fkey, a name that the new table needs for a constraint of its own'],
  },
])('is said before a run: $sql', async ({ sql, says }) => {
  await query(sql);
  const before = await catalogOf(database.pool);
  const error = await tandemOn(database)
    .migrate()
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'TD011' });
  const detail = String((error as { detail: unknown }).detail);
  expect(
    detail
      .split('\n')
      .map((line) => line.replace(/^[^:]*: /, ''))
      .sort(),
  ).toEqual([...says].sort());
  expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
});

test.each([
  {
    sql: 'CREATE INDEX sessions_title_idx ON public.sessions (title); CREATE TABLE public.other (a int); CREATE INDEX sessions_active_title_idx ON public.other (a)',
    taken: 'public.sessions_active_title_idx',
  },
  { sql: "CREATE TYPE public._sessions_active AS ENUM ('x')", taken: 'public._sessions_active' },
  {
    sql: 'ALTER TABLE public.sessions ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY; CREATE SEQUENCE public.sessions_partitioned_n_seq',
    taken: 'public.sessions_partitioned_n_seq',
  },
])('$taken, which the server chooses, is said before a row is copied', async ({ sql, taken }) => {
  await query(sql);
  const tandem = tandemOn(database);
  const error = { code: 'TD017', message: expect.stringContaining(`are taken: ${taken}.`) };
  await expect(tandem.migrate()).rejects.toMatchObject(error);
  expect((await tandem.status()).steps.find(({ state }) => state === 'failed')?.name).toBe('targets');
});

test('what takes a name while the rows are copied is said before the locks, and the way back waits for its names too', async () => {
  await query('CREATE INDEX sessions_title_idx ON public.sessions (title); CREATE TABLE public.other (a int)');
  const tandem = tandemOn(database);
  await tandem.migrate({ stopBefore: 'cutover' });
  await query('CREATE INDEX messages_newest_idx ON public.other (a)');
  const late = { code: 'TD017', message: expect.stringContaining('are taken: public.messages_newest_idx.') };
  await expect(tandem.migrate()).rejects.toMatchObject(late);
  expect(tandem.events.filter(({ event }) => event === 'lock_attempt')).toEqual([]);
  await query('DROP INDEX public.messages_newest_idx');
  await tandem.migrate();
  // The new table's own goes where the table goes; somebody else's does not.
  await query(
    'ALTER INDEX public.sessions_title_idx RENAME TO by_title; CREATE INDEX sessions_title_idx ON public.other (a)',
  );
  const waits = { code: 'TD027', message: expect.stringContaining('are taken by now: public.sessions_title_idx.') };
  await expect(tandem.rollback()).rejects.toMatchObject(waits);
  expect(await tandem.status()).toMatchObject({ way_back: [waits.message] });
  await query('DROP INDEX public.sessions_title_idx');
  await tandem.rollback();
});

test('tables that have the names of those that a run works with are left alone', async () => {
  await query(`CREATE TABLE public.sessions_partitioned (a int); CREATE TABLE public.sessions_backup (a int);
    CREATE TABLE public.messages_target (a int); CREATE TABLE public.messages_backup (a int)`);
  const tandem = tandemOn(database);
  await tandem.migrate();
  await tandem.rollback();
  await tandem.migrate();
  await tandem.finish();
  expect(
    await query("SELECT FROM pg_tables WHERE schemaname = 'public' AND tablename ~ '_(partitioned|target|backup)$'"),
  ).toHaveLength(4);
});
