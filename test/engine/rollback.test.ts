import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { catalogOf, rowsOf } from './snapshot.ts';
import { type Tandem, tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const APPLICATION = ['public', 'private', 'auth'];
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;
let tandem: Tandem;

beforeEach(() => {
  tandem = tandemOn(database);
});

describe('rollback', () => {
  test('waits for rows that the flat tables cannot hold, and changes nothing before', async () => {
    await query('ALTER TABLE public.sessions ALTER COLUMN title TYPE varchar(120)');
    await tandem.migrate();
    const [one, two] = await query('SELECT id FROM public.sessions ORDER BY id LIMIT 2');
    await query("UPDATE public.sessions SET title = repeat('x', 500) WHERE id = $1", [one.id]);
    await query("UPDATE public.sessions SET title = 'held' WHERE id = $1", [two.id]);
    const before = await catalogOf(database.pool);
    const error = await tandem.rollback().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'TD031',
      exitCode: 1,
      detail: expect.stringContaining(`sessions: row ${one.id}: value too long`),
    });
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
    expect(await tandem.status()).toMatchObject({ phase: 'baking', quarantined: [{ key: [one.id] }] });
    // It is the run's choice that is open still: on, or back.
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
    await query("UPDATE public.sessions SET title = repeat('x', 100) WHERE id = $1", [one.id]);
    await tandem.rollback();
    expect(
      await query('SELECT title FROM public.sessions WHERE id = ANY ($1) ORDER BY id', [[one.id, two.id]]),
    ).toEqual([{ title: 'x'.repeat(100) }, { title: 'held' }]);
  });

  test('and finish wait no longer once the retired table was widened', async () => {
    await query('ALTER TABLE public.sessions ALTER COLUMN title TYPE varchar(120)');
    await tandem.migrate();
    await query("UPDATE public.sessions SET title = repeat('x', 500)");
    const { ok, findings } = await tandem.verify();
    expect({ ok, findings: findings.length }).toEqual({ ok: false, findings: 21 });
    expect(findings[0]).toMatchObject({ subject: 'sessions', hint: expect.stringContaining('widen the table') });
    expect(await tandem.finish().catch((thrown: unknown) => thrown)).toMatchObject({ code: 'TD030' });
    await query('ALTER TABLE tandem.sessions_backup ALTER COLUMN title TYPE varchar(600)');
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
    expect(await query('SELECT DISTINCT length(title) AS length FROM public.sessions')).toEqual([{ length: 500 }]);
  });

  test.each([
    { to: 'public.sessions (id, status) ON UPDATE CASCADE ON DELETE CASCADE', columns: 'session_id, status' },
    { to: 'public.sessions_archived (id, status)', columns: 'session_id, status' },
    { to: 'private.session_keys (id)', columns: 'session_id' },
    { to: 'public.messages (id)', columns: 'message_id' },
  ])('waits for a foreign key that $to was given since the cutover', async ({ to, columns }) => {
    await tandem.migrate();
    await query('CREATE TABLE public.notes (session_id uuid, status public.session_status, message_id uuid)');
    await query(`ALTER TABLE public.notes ADD CONSTRAINT noted FOREIGN KEY (${columns}) REFERENCES ${to}`);
    const before = await catalogOf(database.pool);
    expect(await tandem.rollback().catch((thrown: unknown) => thrown)).toMatchObject({
      code: 'TD027',
      message: expect.stringContaining('public.notes."noted"'),
    });
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
    await query('ALTER TABLE public.notes DROP CONSTRAINT noted');
    await tandem.rollback();
    expect(await tandem.status()).toMatchObject({ phase: 'rolled_back' });
  });

  test('waits for columns that the flat tables do not have, and for those that the new ones have lost', async () => {
    await tandem.migrate();
    await query("ALTER TABLE public.sessions ADD COLUMN mood text DEFAULT 'good'");
    const added = await tandem.rollback().catch((thrown: unknown) => thrown);
    expect(added).toMatchObject({
      code: 'TD027',
      exitCode: 3,
      message: expect.stringContaining('public.sessions.mood'),
    });
    expect((await tandem.status()).phase).toBe('baking');
    await query('ALTER TABLE public.sessions DROP COLUMN mood; ALTER TABLE public.messages RENAME content TO body');
    for (const command of [tandem.rollback, tandem.verify, tandem.finish]) {
      const gone = await command().catch((thrown: unknown) => thrown);
      expect(gone).toMatchObject({ code: 'TD027', message: expect.stringContaining('public.messages.content') });
    }
    await query('ALTER TABLE public.messages RENAME body TO content');
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
  });

  test('is said at the next run: every row is copied again', async () => {
    const said = () =>
      tandem.events.filter((event) => event.event === 'note' && event.message.includes('copies every row again'));
    await tandem.migrate({ stopBefore: 'cutover' });
    expect(said()).toEqual([]);
    await tandem.rollback();
    const { rows } = await tandem.migrate();
    expect(said()).toHaveLength(1);
    expect(rows).toBe(2_300);
    await tandem.migrate();
    expect(said()).toHaveLength(1);
  });

  test('is refused where nothing is open', async () => {
    expect(await tandem.rollback().catch((thrown: unknown) => thrown)).toMatchObject({ code: 'TD012', exitCode: 3 });
    await tandem.migrate({ stopBefore: 'cutover' });
    await tandem.rollback();
    expect(await tandem.rollback().catch((thrown: unknown) => thrown)).toMatchObject({ code: 'TD012', exitCode: 3 });
    await tandem.migrate();
    await tandem.finish();
    expect(await tandem.rollback().catch((thrown: unknown) => thrown)).toMatchObject({ code: 'TD012', exitCode: 3 });
  });

  test('keeps a score that is committed while message_feedback is about to be dropped', async () => {
    await tandem.migrateUpTo('targets');
    const writer = await database.connect();
    await writer.query(
      'BEGIN; INSERT INTO public.message_feedback (message_id, overall_score) SELECT id, 80 FROM public.messages LIMIT 1',
    );
    const rollback = tandem.rollback();
    const waiting =
      "SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'public.message_feedback'::regclass";
    while ((await query(waiting)).length === 0) await sleep(2);
    await writer.query('COMMIT');
    await rollback;
    expect(await query('SELECT overall_score FROM public.message_feedback')).toEqual([{ overall_score: 80 }]);
  });

  test('keeps message_feedback where it has been put to use, and the next run takes it on', async () => {
    const flat = await catalogOf(database.pool, APPLICATION);
    await tandem.migrate();
    await query(
      'INSERT INTO public.message_feedback (message_id, overall_score) SELECT id, 80 FROM public.messages LIMIT 3',
    );
    await tandem.rollback();
    const added = catalogDifference(flat, await catalogOf(database.pool, APPLICATION));
    expect(added.filter((line) => !line.includes('message_feedback'))).toEqual([]);
    expect(
      await query(
        'SELECT count(*)::int AS n FROM public.message_feedback f JOIN public.messages m ON m.id = f.message_id',
      ),
    ).toEqual([{ n: 3 }]);
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await query('SELECT sum(average_overall_score)::int > 0 AS scored FROM public.session_stats')).toEqual([
      { scored: true },
    ]);
    await tandem.rollback();
    expect(await query('SELECT count(*)::int AS n FROM public.message_feedback')).toEqual([{ n: 3 }]);
  });

  test('leaves what was there before the run, though it has the names of what a run makes', async () => {
    await query(`CREATE TYPE public.session_level AS ENUM ('beginner', 'intermediate', 'advanced');
      CREATE SCHEMA private; CREATE FUNCTION private.mine() RETURNS int LANGUAGE sql RETURN 1; COMMENT ON SCHEMA private IS 'Ours'`);
    const before = {
      catalog: await catalogOf(database.pool, APPLICATION),
      rows: await rowsOf(database.pool, APPLICATION),
    };
    await tandem.migrate();
    await tandem.rollback();
    expect(catalogDifference(before.catalog, await catalogOf(database.pool, APPLICATION))).toEqual([]);
    expect(catalogDifference(before.rows, await rowsOf(database.pool, APPLICATION))).toEqual([]);
  });
});

test('migrate, where the run is complete, does nothing and says so', async () => {
  await tandem.migrate();
  const before = [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))];
  tandem.events.length = 0;
  expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  const states = tandem.events.flatMap((event) => (event.event === 'step' ? [`${event.state} ${event.detail}`] : []));
  expect(new Set(states)).toEqual(new Set(['done done before']));
  expect(states).toHaveLength(tandem.plan.steps.length);
  expect(catalogDifference(before, [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))])).toEqual(
    [],
  );
});
