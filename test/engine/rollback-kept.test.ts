import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { closeGate } from './gate.ts';
import { catalogOf } from './snapshot.ts';
import { type Tandem, tandemOn } from './tandem.ts';
import { whileClientsWrite } from './writing-clients.ts';

const database = useDatabase(fewRows);
const APPLICATION = ['public', 'private', 'auth'];
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;
let tandem: Tandem;

beforeEach(() => {
  tandem = tandemOn(database);
});

/** Steps that were applied since, and not merely passed by. */
const applied = () => tandem.events.flatMap((e) => (e.event === 'step' && e.state === 'running' ? [e.name] : []));
const copied = () => tandem.events.filter((e) => e.event === 'progress' && e.step === 'copy');

describe('a run that is rolled back and kept', () => {
  test('copies nothing again, under load, as often as one likes', async () => {
    await whileClientsWrite(database, async ({ moreMessages }) => {
      await tandem.migrate();
      const { rows } = await tandem.migrate();
      for (let times = 1; times <= 2; times++) {
        await moreMessages(10);
        await tandem.rollback({ keep: true });
        expect(await tandem.status()).toMatchObject({ phase: 'draining', cutover_at: null });
        expect(await query("SELECT FROM pg_class WHERE relname = 'sessions' AND relkind = 'r'")).toHaveLength(1);
        await moreMessages(10);
        tandem.events.length = 0;
        expect(await tandem.migrate()).toMatchObject({ phase: 'baking', rows });
        expect(copied()).toEqual([]);
        expect(applied()).toEqual([
          ...[
            'drain',
            'rehearse',
            'verify-rows',
            'migration-files',
            'cutover',
            'foreign-keys',
            'session-stats',
            'search',
          ],
          ...['indexes', 'migration-history'],
        ]);
      }
    });
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  });

  test('ends in the catalog of one that went there once, whatever hangs on the tables, and goes back for good', async () => {
    await query(`
      ALTER TABLE public.messages DROP COLUMN sequence_number;
      ALTER TABLE public.sessions ALTER COLUMN last_accessed TYPE timestamp(3) with time zone,
        ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY, ADD COLUMN serial_number serial;
      CREATE INDEX sessions_title_idx ON public.sessions (title);
      COMMENT ON INDEX public.sessions_title_idx IS 'by title';
      CREATE STATISTICS public.language_level (dependencies) ON language, level FROM public.sessions;
      ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;
      CREATE POLICY kept_only ON public.sessions AS RESTRICTIVE TO authenticated USING (title IS NOT NULL);
      CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER touch BEFORE UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.touch();
      CREATE PUBLICATION titles FOR TABLE public.sessions;
      CREATE TABLE public.notes (id int PRIMARY KEY, session_id uuid REFERENCES public.sessions (id) ON DELETE SET NULL);
      CREATE VIEW public.titles AS SELECT id, title FROM public.sessions;
      CREATE MATERIALIZED VIEW public.counted AS SELECT language, count(*) FROM public.sessions GROUP BY 1`);
    const flat = await catalogOf(database.pool, APPLICATION);
    await tandem.migrate();
    const once = await catalogOf(database.pool, APPLICATION);
    // More exactly than the flat table can hold it.
    await query("UPDATE public.sessions SET last_accessed = '2026-02-03 04:05:06.123456Z'");
    await query('DELETE FROM public.sessions WHERE number % 7 = 0');
    await tandem.rollback({ keep: true });
    tandem.events.length = 0;
    await query("UPDATE public.sessions SET title = 'back' WHERE number % 5 = 0");
    await tandem.migrate();
    expect(copied()).toEqual([]);
    expect(catalogDifference(once, await catalogOf(database.pool, APPLICATION))).toEqual([]);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await query('SELECT DISTINCT last_accessed::text FROM public.sessions')).toEqual([
      { last_accessed: '2026-02-03 04:05:06.123+00' },
    ]);
    await tandem.rollback();
    expect(catalogDifference(flat, await catalogOf(database.pool, APPLICATION))).toEqual([]);
  });

  test('is completed by the same command where it was stopped, or taken back altogether', async () => {
    const flat = await catalogOf(database.pool, APPLICATION);
    await tandem.migrate();
    // Killed after the swap, before the run is noted to be open again.
    await query(`CREATE FUNCTION tandem.fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''killed''; END';
      CREATE TRIGGER fail BEFORE UPDATE ON tandem.run FOR EACH ROW WHEN (OLD.rolling_back AND NOT NEW.rolling_back) EXECUTE FUNCTION tandem.fail()`);
    await expect(tandem.rollback({ keep: true })).rejects.toMatchObject({ message: 'killed' });
    await expect(tandem.migrate()).rejects.toMatchObject({ code: 'TD012' });
    await query("UPDATE public.sessions SET title = 'meanwhile'");
    await query('DROP TRIGGER fail ON tandem.run');
    await tandem.rollback({ keep: true });
    await tandem.migrate();
    expect(await query('SELECT DISTINCT title FROM public.sessions')).toEqual([{ title: 'meanwhile' }]);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback({ keep: true });
    await tandem.rollback();
    expect(catalogDifference(flat, await catalogOf(database.pool, APPLICATION))).toEqual([]);
  });

  test('stops in the midst of the comparison, and is completed by the same command', async () => {
    await query('ALTER TABLE public.sessions ALTER COLUMN last_accessed TYPE timestamp(3) with time zone');
    await tandem.migrate();
    await query("UPDATE public.sessions SET last_accessed = '2026-02-03 04:05:06.123456Z'");
    await tandem.verify();
    const gate = await closeGate(database, { table: 'tandem.changes_sessions', on: 'INSERT', when: 'true' });
    const stop = new AbortController();
    const rollback = tandem.rollback({ keep: true, signal: stop.signal });
    await gate.reached();
    stop.abort();
    // The gate is closed still: what is waited for is not the statement's end.
    await expect(rollback).rejects.toMatchObject({ code: 'TD022', exitCode: 4 });
    await gate.open();
    await tandem.rollback({ keep: true });
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await query('SELECT DISTINCT last_accessed::text FROM public.sessions')).toEqual([
      { last_accessed: '2026-02-03 04:05:06.123+00' },
    ]);
  });

  test('is kept though a row is written right after the swap that the new tables cannot hold', async () => {
    await query(`ALTER TABLE public.messages DROP COLUMN sequence_number, ADD COLUMN place text DEFAULT '1'`);
    tandem = tandemOn(database, { messages: { columns: { sequence_number: { sql: 's.place::integer' } } } });
    await tandem.migrate();
    const writer = await database.connect();
    let written: Promise<unknown> | null = null;
    tandem.onEvent = (e) => {
      if (e.event === 'cutover')
        written = writer.query(
          "UPDATE public.messages SET place = 'first', content = 'flat' WHERE id = (SELECT min(id::text)::uuid FROM public.messages)",
        );
    };
    await tandem.rollback({ keep: true });
    await written;
    await expect(tandem.migrate()).rejects.toMatchObject({ code: 'TD031' });
    expect((await tandem.status()).quarantined).toMatchObject([{ reason: expect.stringContaining('first') }]);
    await query("UPDATE public.messages SET place = '2' WHERE place = 'first'");
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await query("SELECT sequence_number AS n FROM public.messages WHERE content = 'flat'")).toEqual([{ n: 2 }]);
  });

  test('is refused where there is no cutover to take back', async () => {
    const refused = { code: 'TD012', exitCode: 3, message: expect.stringContaining('no cutover to take back') };
    await tandem.migrate({ stopBefore: 'cutover' });
    await expect(tandem.rollback({ keep: true })).rejects.toMatchObject(refused);
    await tandem.migrate();
    await tandem.rollback({ keep: true });
    await expect(tandem.rollback({ keep: true })).rejects.toMatchObject(refused);
    expect((await tandem.status()).phase).toBe('draining');
  });
});
