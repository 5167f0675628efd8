import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { useDatabase } from '../support/database.ts';
import { cutConnections } from './cut-connections.ts';
import { fewRows } from './flat-database.ts';
import { catalogOf, expectNothingOfTandems, rowsOf } from './snapshot.ts';
import { type Tandem, tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const APPLICATION = ['public', 'private', 'auth'];
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;
let tandem: Tandem;

beforeEach(() => {
  tandem = tandemOn(database);
});

describe('finish', () => {
  test('leaves no object of Tandem’s, and every row and the new catalog as they were', async () => {
    await tandem.migrate();
    const catalog = (await catalogOf(database.pool, APPLICATION)).filter((line) => !line.includes('tandem_log'));
    const rows = await rowsOf(database.pool, APPLICATION);
    await tandem.finish();
    await expectNothingOfTandems(database.pool);
    expect(await catalogOf(database.pool, APPLICATION)).toEqual(catalog);
    expect(await rowsOf(database.pool, APPLICATION)).toEqual(rows);
    expect(await tandem.status()).toMatchObject({ phase: 'finished', holder: null });
    expect(await tandem.verify()).toMatchObject({ ok: true, phase: 'finished' });
  });

  test('tells of its steps, and of those that an earlier try has done', async () => {
    await tandem.migrate();
    const steps = () =>
      tandem.events.flatMap((event) => (event.event === 'step' ? [[event.name, event.state, event.detail ?? '']] : []));
    // The schema cannot go while one of its tables is read.
    const reader = await database.connect();
    await reader.query('BEGIN; SELECT FROM tandem.sessions_backup LIMIT 1');
    const impatient = tandemOn(
      database,
      {},
      { cutover: { ...tandem.options.cutover, attempts: 1, lockTimeoutMs: 20 } },
    );
    await expect(impatient.finish()).rejects.toMatchObject({ code: 'TD020' });
    await reader.query('COMMIT');
    tandem.events.length = 0;
    await tandem.finish();
    expect(steps()).toEqual([
      ['verify', 'done', 'done before'],
      ['change-log', 'done', 'done before'],
      ['drop', 'running', ''],
      ['drop', 'done', 'tandem.sessions_backup, tandem.messages_backup'],
    ]);
    const first = impatient.events.flatMap((event) => (event.event === 'step' ? [[event.name, event.state]] : []));
    expect(first).toEqual([
      ['verify', 'running'],
      ['verify', 'done'],
      ['change-log', 'running'],
      ['change-log', 'done'],
      ['drop', 'running'],
      ['drop', 'failed'],
    ]);
  });

  test('takes what was written last with it: the retired tables need not be up to date', async () => {
    await tandem.migrate();
    await query("UPDATE public.messages SET content = content || '.'");
    await tandem.finish();
    await expectNothingOfTandems(database.pool);
  });

  test.each([
    {
      what: 'a changed row',
      plant: "UPDATE tandem.sessions_backup SET title = 'planted' WHERE id = $1",
      says: 'differs in title',
    },
    {
      what: 'a missing row',
      plant: 'DELETE FROM tandem.sessions_backup WHERE id = $1',
      says: /is (missing|in the target only)/,
    },
  ])('refuses on $what in a retired table, and drops nothing', async ({ plant, says }) => {
    await tandem.migrate();
    const [row] = await query('SELECT id FROM public.sessions ORDER BY id LIMIT 1');
    await query(plant, [row.id]);
    const before = await catalogOf(database.pool);
    const error = await tandem.finish().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'TD030', exitCode: 1, detail: expect.stringMatching(says) });
    expect(error).toMatchObject({ detail: expect.stringContaining(row.id) });
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
    expect((await tandem.status()).phase).toBe('baking');
    // Touched, the row is drained again, and that mends it.
    await query('UPDATE public.sessions SET title = title WHERE id = $1', [row.id]);
    await tandem.finish();
    await expectNothingOfTandems(database.pool);
  });

  test('refuses where the shape itself was damaged', async () => {
    await tandem.migrate();
    await query('DROP INDEX public.messages_content_search_idx');
    expect(await tandem.finish().catch((thrown: unknown) => thrown)).toMatchObject({
      code: 'TD030',
      detail: expect.stringContaining('messages_content_search_idx: does not exist'),
    });
    expect((await tandem.status()).phase).toBe('baking');
  });

  test.each([
    { where: 'nothing has begun', prepare: async () => undefined },
    { where: 'a run is ready', prepare: async () => void (await tandem.migrate({ stopBefore: 'cutover' })) },
    {
      where: 'a run was rolled back',
      prepare: async () => {
        await tandem.migrate();
        await tandem.rollback();
      },
    },
  ])('is refused where $where', async ({ prepare }) => {
    await prepare();
    const before = await catalogOf(database.pool);
    expect(await tandem.finish().catch((thrown: unknown) => thrown)).toMatchObject({ code: 'TD012', exitCode: 3 });
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
  });

  test.each(['UPDATE tandem.run', 'DROP SCHEMA tandem'])(
    'cut off at `%s`, is completed by the same command',
    async (statement) => {
      await tandem.migrate();
      const cutter = cutConnections(database.pool, await database.connect());
      // What is open already is not counted: every session of the pool is a new one.
      await (await database.connect()).query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'tandem' AND datname = current_database()",
      );
      cutter.arm(statement);
      await expect(tandem.finish()).rejects.toMatchObject({ message: expect.any(String) });
      expect(cutter.fired).toBe(true);
      await cutter.settled();
      await query('UPDATE public.messages SET content = content');
      await tandem.finish();
      await expectNothingOfTandems(database.pool);
      expect(await tandem.verify()).toMatchObject({ ok: true, phase: 'finished' });
    },
  );
});
