import { expect, test } from 'vitest';
import { fewRows } from '../../engine/flat-database.ts';
import { closeGate, step } from '../../engine/gate.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { expectExact, fold } from './rollup.ts';

const database = useDatabase(fewRows);
const query = async (sql: string) => (await database.pool.query(sql)).rows;

/** Something in `private`, or on the tables, that belongs to the statistics. */
const LEFT = `SELECT relname AS name FROM pg_class WHERE relname ~ '^session_(changes|rollup|counts|stats)'
   UNION ALL SELECT tgname FROM pg_trigger WHERE tgname ~ 'session_changes'
   UNION ALL SELECT proname FROM pg_proc WHERE proname ~ 'note_changes|session_figures|count_sessions|fold_session|recount_sessions|move_feedback'`;

/** One more message in the session that has the most, and one less in it. */
const WRITE = `WITH s AS (SELECT session_id, user_id FROM public.messages GROUP BY 1, 2 ORDER BY count(*) DESC, 1 LIMIT 1),
    gone AS (DELETE FROM public.messages WHERE id = (SELECT m.id FROM public.messages m JOIN s USING (session_id) ORDER BY m.created_at, m.id LIMIT 1))
  INSERT INTO public.messages (session_id, user_id, sequence_number, content) SELECT session_id, user_id, 1000, 'Hello' FROM s`;

test('triggers come while clients write, and every write counts once; there, back, and there again', async () => {
  const tandem = tandemOn(database);
  for (const round of ['there', 'there again']) {
    await tandem.migrateUpTo('session-stats');
    const writer = await database.connect();
    const gate = await closeGate(database, step('session-stats', 'done'));
    await writer.query('BEGIN');
    await writer.query(WRITE);
    let refused = 0;
    let committed: Promise<unknown> = Promise.resolve();
    tandem.onEvent = (event) => {
      if (event.event !== 'lock_attempt' || event.obtained || !event.purpose.includes('statistics')) return;
      refused += 1;
      // Written after the first attempt, and before the one that has its locks.
      if (refused === 1) committed = writer.query(WRITE).then(() => writer.query('COMMIT'));
    };
    const run = tandem.migrate();
    await gate.reached();
    await committed;
    expect(refused, round).toBeGreaterThan(0);
    await writer.query(WRITE);
    await expectExact(database.pool, round);
    await gate.open();
    expect(await run).toMatchObject({ phase: 'baking' });
    await writer.query(WRITE);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await expectExact(database.pool, round);
    await fold(database.pool);
    await expectExact(database.pool, round);
    if (round === 'there') {
      await tandem.rollback();
      expect(await query(LEFT)).toEqual([]);
      await writer.query(WRITE);
    }
  }
  await tandem.finish();
  await database.pool.query(WRITE);
  await expectExact(database.pool);
});

test('verify names figures that are wrong, and triggers that are missing, off or deaf', async () => {
  const tandem = tandemOn(database);
  await tandem.migrate();
  await fold(database.pool);
  const messages = async () =>
    (await tandem.verify()).findings.map(({ severity, message }) => `${severity}: ${message}`);
  await query(
    'UPDATE private.session_rollup SET text_messages = text_messages + 1 WHERE session_id IN (SELECT session_id FROM private.session_rollup LIMIT 3)',
  );
  expect(await messages()).toEqual([
    'blocks: 3 sessions have other figures there than their messages and feedback give',
  ]);
  await query("SELECT private.recount_sessions('00000000-0000-0000-0000-000000000000')");
  await query(`ALTER TABLE public.messages DISABLE TRIGGER session_changes_insert;
    ALTER TABLE public.messages ENABLE TRIGGER session_changes_delete; DROP TRIGGER session_changes_update ON public.message_feedback`);
  const found = await messages();
  expect(found).toHaveLength(3);
  for (const part of [
    'blocks: trigger session_changes_update on "public"."message_feedback" is missing: writes are not counted',
    'blocks: trigger session_changes_insert on "public"."messages" is switched off: writes are not counted',
    'warning: trigger session_changes_delete on "public"."messages" does not note what replica sessions write',
  ])
    expect(found).toContain(part);
});
