import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { describePlan } from '../../../src/engine/describe-plan.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import { fewRows } from '../../engine/flat-database.ts';
import { closeGate, step } from '../../engine/gate.ts';
import { catalogOf, rowsOf } from '../../engine/snapshot.ts';
import { type Config, tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { only } from './fixtures.ts';

const database = useDatabase(fewRows);
const query = async <T extends Record<string, unknown>>(sql: string, values: unknown[] = []) =>
  (await database.pool.query<T>(sql, values)).rows;

describe('values that the new shape does not know, there from the beginning', () => {
  const mapped: Config = {
    sessions: { values: { status: { paused: 'archived' } }, columns: { level: { whenNull: "'beginner'" } } },
    messages: { values: { type: { image: 'text', '': 'system' } } },
  };

  beforeEach(async () => {
    await query(`
      ALTER TABLE public.sessions ALTER COLUMN level DROP NOT NULL;
      UPDATE public.sessions SET status = 'paused' WHERE id IN (SELECT id FROM public.sessions WHERE status = 'active' ORDER BY id LIMIT 7);
      UPDATE public.sessions SET level = NULL WHERE id IN (SELECT id FROM public.sessions ORDER BY id DESC LIMIT 1);
      UPDATE public.messages SET type = 'image' WHERE id IN (SELECT id FROM public.messages ORDER BY id LIMIT 4);
      UPDATE public.messages SET type = '' WHERE id IN (SELECT id FROM public.messages ORDER BY id DESC LIMIT 2)`);
  });

  test('are counted, with samples, and nothing is changed', async () => {
    const before = [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))];
    const error = await refusal(tandemOn(database).migrate());
    expect(error).toMatchObject({ code: 'TD011', exitCode: 3 });
    expect([...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))]).toEqual(before);

    const keys = await query<{ id: string }>(
      "SELECT id FROM public.sessions WHERE status = 'paused' ORDER BY id LIMIT 5",
    );
    const lines = error.detail?.split('\n') ?? [];
    expect(lines).toEqual([
      expect.stringMatching(
        /^public\.sessions: 1 row has a level that does not fit \(NULL\), for example [0-9a-f-]{36}$/,
      ),
      `public.sessions: 7 rows have a status that does not fit ('paused'), for example ${keys.map((k) => k.id).join(', ')}`,
      expect.stringMatching(/^public\.messages: 6 rows have a type that does not fit \('', 'image'\), for example /),
    ]);
    expect(error.hint).toMatch(/"values"|whenNull/);
  });

  test('are findings of `tandem plan`, too', async () => {
    const tandem = tandemOn(database);
    const { findings } = await describePlan(database.pool, tandem.plan, tandem.options);
    expect(findings.filter((f) => f.severity === 'blocks').map((f) => f.subject)).toEqual([
      'public.sessions',
      'public.sessions',
      'public.messages',
    ]);
  });

  test('are mapped by the plan file', async () => {
    const tandem = tandemOn(database, mapped);
    const paused = await query<{ id: string }>("SELECT id FROM public.sessions WHERE status = 'paused'");
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    const statuses = await query<{ status: string }>(
      'SELECT DISTINCT status::text FROM public.sessions WHERE id = ANY ($1)',
      [paused.map((row) => row.id)],
    );
    expect(statuses).toEqual([{ status: 'archived' }]);
  });

  test('are there again after a rollback, in rows that nobody gave another value', async () => {
    await query(
      'CREATE SCHEMA kept; CREATE TABLE kept.sessions AS TABLE public.sessions; CREATE TABLE kept.messages AS TABLE public.messages',
    );
    const tandem = tandemOn(database, mapped);
    const paused = await query<{ id: string }>("SELECT id FROM public.sessions WHERE status = 'paused' ORDER BY id");
    const [touched, revived] = [paused[0]?.id, paused[1]?.id];
    await tandem.migrate();
    await query("UPDATE public.sessions SET title = 'touched' WHERE id = $1", [touched]);
    await query("UPDATE public.sessions SET status = 'active' WHERE id = $1", [revived]);
    await tandem.rollback();
    expect(
      await query(
        'SELECT id, status, title FROM (TABLE public.sessions EXCEPT TABLE kept.sessions) changed ORDER BY id',
      ),
    ).toEqual([
      { id: touched, status: 'paused', title: 'touched' },
      { id: revived, status: 'active', title: expect.anything() },
    ]);
    expect(await query('TABLE public.messages EXCEPT TABLE kept.messages')).toEqual([]);
    expect(
      await query(`SELECT (SELECT count(*) FROM public.sessions) = (SELECT count(*) FROM kept.sessions)
      AND (SELECT count(*) FROM public.messages) = (SELECT count(*) FROM kept.messages) AS complete`),
    ).toEqual([{ complete: true }]);
  });

  test('are not mapped by a map that leads to no label', async () => {
    const nowhere: Config = { ...mapped, sessions: { ...mapped.sessions, values: { status: { paused: 'sleeping' } } } };
    expect(await refusal(tandemOn(database, nowhere).migrate())).toMatchObject({ code: 'TD011' });
  });
});

describe('values that arrive during the run', () => {
  /** Runs the plan up to the drain, lets `work` write as the application, and goes on. */
  async function arriveDuring(config: Config, work: () => Promise<void>) {
    const tandem = tandemOn(database, config);
    const gate = await closeGate(database, step('drain', 'running'));
    const run = tandem.migrate();
    await gate.reached();
    await work();
    await gate.open();
    return { tandem, outcome: run };
  }

  async function insertUnfit(): Promise<{ session: string; message: string }> {
    const [session, message] = [randomUUID(), randomUUID()];
    const { user } = only(await query<{ user: string }>('SELECT id AS user FROM auth.users ORDER BY id LIMIT 1'));
    await query(
      "INSERT INTO public.sessions (id, user_id, language, level, status) VALUES ($1, $2, 'it', 'beginner', 'active')",
      [session, user],
    );
    await query(
      "INSERT INTO public.messages (id, session_id, user_id, type, sequence_number, content) VALUES ($1, $2, $3, 'text', 1, 'Ciao')",
      [message, session, user],
    );
    return { session, message };
  }

  test('are set aside with their keys, the application is not disturbed, and the cutover waits for them', async () => {
    let keys = { session: '', message: '' };
    const { tandem, outcome } = await arriveDuring({}, async () => {
      keys = await insertUnfit();
    });
    expect(await refusal(outcome)).toMatchObject({ code: 'TD031', exitCode: 1 });
    const status = await tandem.status();
    expect(status).toMatchObject({ phase: 'ready', holder: null });
    expect(status.quarantined.map((row) => [row.table, ...row.key, row.reason]).sort()).toEqual([
      ['messages', keys.message, 'does not fit: language'],
      ['sessions', keys.session, 'does not fit: language'],
    ]);
    expect(await query('SELECT content FROM public.messages WHERE id = $1', [keys.message])).toEqual([
      { content: 'Ciao' },
    ]);
    expect(await tandem.verify()).toMatchObject({ ok: false });
    // Still so at the next attempt.
    expect(await refusal(tandem.migrate())).toMatchObject({ code: 'TD031' });
  });

  test.each<{ how: string; mend: (session: string) => Promise<unknown>; left: number }>([
    {
      how: 'an UPDATE',
      mend: (id) => query("UPDATE public.sessions SET language = 'fr' WHERE id = $1", [id]),
      left: 1,
    },
    { how: 'a DELETE', mend: (id) => query('DELETE FROM public.sessions WHERE id = $1', [id]), left: 0 },
  ])('are mended by $how in the live table, and the same command completes the run', async ({ mend, left }) => {
    let keys = { session: '', message: '' };
    const { tandem, outcome } = await arriveDuring({}, async () => {
      keys = await insertUnfit();
    });
    await refusal(outcome);
    await mend(keys.session);
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    const rows = await query(
      'SELECT m.language::text FROM public.messages m JOIN public.sessions s ON s.id = m.session_id WHERE s.id = $1',
      [keys.session],
    );
    expect(rows).toEqual(left === 0 ? [] : [{ language: 'fr' }]);
  });

  test('are mapped in the plan file, and the same command completes the run', async () => {
    let keys = { session: '', message: '' };
    const { outcome } = await arriveDuring({}, async () => {
      keys = await insertUnfit();
    });
    await refusal(outcome);
    const tandem = tandemOn(database, { sessions: { values: { language: { it: 'en' } } } });
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await query('SELECT language::text FROM public.messages WHERE id = $1', [keys.message])).toEqual([
      { language: 'en' },
    ]);
    await tandem.rollback();
    expect(await query('SELECT language FROM public.sessions WHERE id = $1', [keys.session])).toEqual([
      { language: 'it' },
    ]);
  });

  test('that are mended within the same run are no news at all', async () => {
    const { outcome } = await arriveDuring({}, async () => {
      const { session } = await insertUnfit();
      await query("UPDATE public.sessions SET language = 'es' WHERE id = $1", [session]);
    });
    expect(await outcome).toMatchObject({ phase: 'baking' });
  });

  test('a NULL where the new table takes none', async () => {
    await query('ALTER TABLE public.messages ALTER COLUMN content DROP NOT NULL');
    const { tandem, outcome } = await arriveDuring({}, async () => {
      await query('UPDATE public.messages SET content = NULL WHERE sequence_number = 1');
    });
    expect(await refusal(outcome)).toMatchObject({ code: 'TD031' });
    expect((await tandem.status()).quarantined[0]).toMatchObject({
      table: 'messages',
      reason: 'does not fit: content',
    });
    await query("UPDATE public.messages SET content = '' WHERE content IS NULL");
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  });

  test('a rollback takes the quarantine with it', async () => {
    const flat = await catalogOf(database.pool, ['public', 'private', 'auth']);
    const { tandem, outcome } = await arriveDuring({}, async () => {
      await insertUnfit();
    });
    await refusal(outcome);
    await tandem.rollback();
    expect(catalogDifference(flat, await catalogOf(database.pool, ['public', 'private', 'auth']))).toEqual([]);
    expect(await query("SELECT count(*)::int AS n FROM public.sessions WHERE language = 'it'")).toEqual([{ n: 1 }]);
    expect((await tandem.status()).quarantined).toEqual([]);
  });
});

async function refusal(run: Promise<unknown>): Promise<TandemError> {
  const outcome = await run.then(
    () => null,
    (error: unknown) => error,
  );
  if (outcome instanceof TandemError) return outcome;
  throw outcome ?? new Error('The run was not refused.');
}
