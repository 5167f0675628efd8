import { describe, expect, test } from 'vitest';
import { listHolds, placeHold, releaseHold } from '../../../../plans/sessions/keeper/holds.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { useDatabase } from '../../../support/database.ts';
import { asRole, only, refusal } from '../fixtures.ts';
import { idleSessions, idOf, names, run, statusOf, untilWaitsFor } from './keeping.ts';

const database = useDatabase(idleSessions);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
const held = idOf('deleted', 10);

async function hold() {
  await installKeeper(database.pool, names);
  await placeHold(database.pool, held, 'a dispute');
}

describe('a held session', () => {
  test('is left by the keeper where it is, in every status', async () => {
    await installKeeper(database.pool, names);
    const all = [idOf('active', 10), idOf('archived', 10), held];
    for (const id of all) await placeHold(database.pool, id, 'a dispute');
    await run(database.pool, { archiveAfterDays: 30, deleteAfterDays: 30, purgeAfterDays: 30 });
    expect(await Promise.all(all.map((id) => statusOf(database.pool, id)))).toEqual(['active', 'archived', 'deleted']);
  });

  test.each([
    ['DELETE', 'DELETE FROM public.sessions WHERE id = $1'],
    ['DELETE from its partition', 'DELETE FROM public.sessions_deleted WHERE id = $1'],
    ['DELETE by the key alone', 'DELETE FROM private.session_keys WHERE id = $1'],
    ['a change of its id', 'UPDATE public.sessions SET id = gen_random_uuid() WHERE id = $1'],
    ['deleting its user', 'DELETE FROM auth.users WHERE id = (SELECT user_id FROM public.sessions WHERE id = $1)'],
  ])('survives %s, and says why', async (_, sql) => {
    await hold();
    await expect(query(sql, [held])).rejects.toMatchObject({
      code: '23001',
      message: `Session ${held} is held: a dispute`,
      hint: `\`tandem release ${held}\` ends the hold.`,
    });
    expect(await statusOf(database.pool, held)).toBe('deleted');
  });

  test('tells the user whose it is that it is held, and not why', async () => {
    await hold();
    const client = await database.connect();
    const { rows } = await client.query<{ user_id: string }>('SELECT user_id FROM public.sessions WHERE id = $1', [
      held,
    ]);
    const message = '(SELECT id FROM public.messages WHERE session_id = $1 LIMIT 1)';
    for (const sql of [
      'DELETE FROM public.sessions WHERE id = $1',
      `DELETE FROM public.messages WHERE id = ${message}`,
      `UPDATE public.messages SET content = 'Never said' WHERE id = ${message}`,
      `DELETE FROM public.message_feedback WHERE message_id = ${message}`,
    ]) {
      const attempt = asRole(client, 'authenticated', { setting: 'json', sub: only(rows).user_id }, () =>
        client.query(sql, [held]),
      );
      const error: unknown = await attempt.catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: '23001',
        message: `Session ${held} is held.`,
        detail: undefined,
        hint: undefined,
      });
    }
  });

  test('survives TRUNCATE, and a writer that fires no ordinary triggers', async () => {
    await hold();
    expect(await refusal(query('TRUNCATE public.sessions, public.messages CASCADE'))).toBe('23001');
    const replica = await database.connect();
    await replica.query('SET session_replication_role = replica');
    expect(await refusal(replica.query('DELETE FROM public.sessions WHERE id = $1', [held]))).toBe('23001');
  });

  const message = '(SELECT id FROM public.messages WHERE session_id = $1 AND sequence_number = 1)';
  test.each([
    ['a message is deleted', `DELETE FROM public.messages WHERE id = ${message}`],
    ['the messages of everybody are deleted', 'DELETE FROM public.messages WHERE $1::uuid IS NOT NULL'],
    ['a message is rewritten', `UPDATE public.messages SET content = 'Never said' WHERE id = ${message}`],
    [
      'a message is given to another session',
      `UPDATE public.messages SET session_id = '${idOf('active', 1)}' WHERE id = ${message}`,
    ],
    ['a score is deleted', `DELETE FROM public.message_feedback WHERE message_id = ${message}`],
    ['a score is changed', `UPDATE public.message_feedback SET overall_score = 100 WHERE message_id = ${message}`],
  ])('keeps what was said: it is refused where %s', async (_, sql) => {
    await hold();
    expect(await refusal(query(sql, [held]))).toBe('23001');
    const replica = await database.connect();
    await replica.query('SET session_replication_role = replica');
    expect(await refusal(replica.query(sql, [held]))).toBe('23001');
  });

  test.each(['public.messages CASCADE', 'public.message_feedback', 'private.session_keys CASCADE'])(
    'keeps it from TRUNCATE %s as well',
    async (table) => {
      await hold();
      expect(await refusal(query(`TRUNCATE ${table}`))).toBe('23001');
    },
  );

  test('takes new messages and scores, and another language', async () => {
    await hold();
    const added =
      "INSERT INTO public.messages (session_id, user_id, content) SELECT id, user_id, 'More' FROM public.sessions WHERE id = $1";
    await query(added, [held]);
    await query(`INSERT INTO public.message_feedback (message_id, overall_score) VALUES (${message}, 70)`, [held]);
    await query("UPDATE public.sessions SET language = 'fr' WHERE id = $1", [held]);
    const { rows } = await query('SELECT DISTINCT language FROM public.messages WHERE session_id = $1', [held]);
    expect(rows).toEqual([{ language: 'fr' }]);
    // Other sessions' messages go as ever.
    await query('DELETE FROM public.messages WHERE session_id = $1', [idOf('deleted', 9)]);
  });

  test('is used, renamed and moved by the application as any other', async () => {
    await hold();
    await query("UPDATE public.sessions SET title = 'Held', status = 'active' WHERE id = $1", [held]);
    expect(await statusOf(database.pool, held)).toBe('active');
  });

  test('can be deleted once it is released', async () => {
    await hold();
    expect(await listHolds(database.pool)).toMatchObject([{ session_id: held, reason: 'a dispute' }]);
    await releaseHold(database.pool, held);
    await query('DELETE FROM public.sessions WHERE id = $1', [held]);
    expect(await statusOf(database.pool, held)).toBeUndefined();
    await expect(releaseHold(database.pool, held)).rejects.toMatchObject({ code: 'TD008' });
  });
});

describe('a hold and a deletion at the same time', () => {
  test('the deletion waits for the hold, and is refused', async () => {
    await installKeeper(database.pool, names);
    const [holder, deleter] = [await database.connect(), await database.connect()];
    await holder.query('BEGIN');
    await holder.query("INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, 'just now')", [held]);
    const deleted = refusal(deleter.query('DELETE FROM public.sessions WHERE id = $1', [held]));
    await untilWaitsFor(database.pool, holder);
    await holder.query('COMMIT');
    expect(await deleted).toBe('23001');
  });

  test('so does a deletion of a message', async () => {
    await installKeeper(database.pool, names);
    const [holder, deleter] = [await database.connect(), await database.connect()];
    await holder.query('BEGIN');
    await holder.query("INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, 'just now')", [held]);
    const deleted = refusal(deleter.query('DELETE FROM public.messages WHERE session_id = $1', [held]));
    await untilWaitsFor(database.pool, holder);
    await holder.query('COMMIT');
    expect(await deleted).toBe('23001');
  });

  test('a transaction whose snapshot is older than the hold cannot delete the session either', async () => {
    await installKeeper(database.pool, names);
    const deleter = await database.connect();
    await deleter.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await deleter.query('SELECT FROM public.sessions LIMIT 1');
    await placeHold(database.pool, held, 'just now');
    expect(await refusal(deleter.query('DELETE FROM public.sessions WHERE id = $1', [held]))).toBe('40001');
  });

  test('a session that is gone by then is not held', async () => {
    await installKeeper(database.pool, names);
    await query('DELETE FROM public.sessions WHERE id = $1', [held]);
    await expect(placeHold(database.pool, held, 'too late')).rejects.toMatchObject({ code: 'TD008' });
  });
});

test('a large statement leaves the next small one of its connection no plan that reads a whole table', async () => {
  await installKeeper(database.pool, names);
  const client = await database.connect();
  await client.query(`
    INSERT INTO public.messages (session_id, user_id, content)
    SELECT s.id, s.user_id, 'Hello' FROM public.sessions s, generate_series(1, 100);
    INSERT INTO public.message_feedback (message_id, overall_score)
    SELECT m.id, 50 FROM public.messages m WHERE NOT EXISTS (SELECT FROM public.message_feedback f WHERE f.message_id = m.id);
    ANALYZE public.messages, public.message_feedback, private.session_keys`);
  await client.query(`
    UPDATE public.message_feedback SET overall_score = 60;
    DELETE FROM public.message_feedback WHERE message_id IN (SELECT id FROM public.messages WHERE sequence_number > 50)`);
  await client.query('BEGIN');
  const one = (await client.query('SELECT id FROM public.message_feedback LIMIT 1')).rows[0].id;
  const read = async () =>
    (
      await client.query(
        `SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS rows FROM pg_stat_xact_user_tables
          WHERE relid IN ('public.messages'::regclass, 'private.session_keys'::regclass)`,
      )
    ).rows[0].rows;
  const before = await read();
  await client.query('UPDATE public.message_feedback SET overall_score = 70 WHERE id = $1', [one]);
  await client.query('DELETE FROM public.message_feedback WHERE id = $1', [one]);
  expect((await read()) - before).toBeLessThan(20);
  await client.query('COMMIT');
});
