import { describe, expect, test } from 'vitest';
import { listHolds, placeHold, releaseHold } from '../../../../plans/sessions/keeper/holds.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { useDatabase } from '../../../support/database.ts';
import { refusal } from '../fixtures.ts';
import { idleSessions, idOf, names, run, statusOf, untilWaitsFor } from './keeping.ts';

const database = useDatabase(idleSessions);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
const held = idOf('deleted', 10);

async function hold() {
  await installKeeper(database.pool, names);
  await placeHold(database.pool, names, held, 'a dispute');
}

describe('a held session', () => {
  test('is left by the keeper where it is, in every status', async () => {
    await installKeeper(database.pool, names);
    const all = [idOf('active', 10), idOf('archived', 10), held];
    for (const id of all) await placeHold(database.pool, names, id, 'a dispute');
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

  test('survives TRUNCATE, and a writer that fires no ordinary triggers', async () => {
    await hold();
    expect(await refusal(query('TRUNCATE public.sessions, public.messages CASCADE'))).toBe('23001');
    const replica = await database.connect();
    await replica.query('SET session_replication_role = replica');
    expect(await refusal(replica.query('DELETE FROM public.sessions WHERE id = $1', [held]))).toBe('23001');
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
    await holder.query('SELECT FROM private.session_keys WHERE id = $1 FOR KEY SHARE', [held]);
    await holder.query("INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, 'just now')", [held]);
    const deleted = refusal(deleter.query('DELETE FROM public.sessions WHERE id = $1', [held]));
    await untilWaitsFor(database.pool, holder);
    await holder.query('COMMIT');
    expect(await deleted).toBe('23001');
  });

  test('a session that is gone by then is not held', async () => {
    await installKeeper(database.pool, names);
    await query('DELETE FROM public.sessions WHERE id = $1', [held]);
    await expect(placeHold(database.pool, names, held, 'too late')).rejects.toMatchObject({ code: 'TD008' });
  });
});
