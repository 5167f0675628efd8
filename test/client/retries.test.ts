import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { createStore } from '../../src/client/index.ts';
import { backendOf, untilBlocked } from '../move/blocked.ts';
import { count, insertMessage, insertSession, insertUser, migrated, only } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { errorOf, useStore } from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
const waits: number[] = [];
const backoff = (attempt: number) => {
  waits.push(attempt);
  return 0;
};
const one = useStore(database, { retries: { attempts: 4, backoff } }, { max: 1 });
let client: pg.Client;
let user: string;
let session: string;

beforeEach(async () => {
  client ??= await database.connect();
  user = await insertUser(client);
  session = await insertSession(client, user);
  waits.length = 0;
});

/** The server's process behind the only connection of the store's pool. */
async function storesBackend(): Promise<number> {
  return backendOf(one.pool);
}

/** Whoever writes a message fails so many times with this SQLSTATE. */
async function failFirst(times: number, state: string): Promise<void> {
  // A sequence counts on where a transaction is rolled back.
  await client.query(`DROP SEQUENCE IF EXISTS public.tries; CREATE SEQUENCE public.tries;
    CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF nextval('public.tries') <= ${times} THEN RAISE EXCEPTION 'not now' USING ERRCODE = '${state}'; END IF;
      RETURN new;
    END $$;
    CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.fail()`);
}
const tries = async () =>
  only((await client.query<{ n: number }>('SELECT last_value::int AS n FROM public.tries')).rows).n;

describe.each(['40001', '40P01'])('a transaction that fails with %s', (state) => {
  test('is run again until it succeeds', async () => {
    await failFirst(3, state);
    const message = await one.store.asUser(user).messages.append({ session_id: session, content: 'x' });
    expect(message.sequence_number).toBe(1);
    expect([await tries(), waits]).toEqual([4, [1, 2, 3]]);
  });

  test('is given up after so many attempts, and has done nothing', async () => {
    await failFirst(100, state);
    const error = await errorOf(one.store.asUser(user).messages.append({ session_id: session, content: 'x' }));
    expect(error).toMatchObject({ kind: 'conflict', code: 'TD065', cause: { code: state } });
    expect([await tries(), waits]).toEqual([4, [1, 2, 3]]);
    expect(await count(client, 'public.messages WHERE session_id = $1', [session])).toBe(0);
  });
});

test('any other failure is not', async () => {
  await failFirst(100, '23514');
  const error = await errorOf(one.store.asUser(user).messages.append({ session_id: session, content: 'x' }));
  expect(error).toMatchObject({ kind: 'invalid_value', cause: { code: '23514' } });
  expect([await tries(), waits]).toEqual([1, []]);
  await client.query('DROP TRIGGER fail ON public.messages');
});

test('a session that somebody moves at that moment is renamed where it went', async () => {
  const backend = await storesBackend();
  await client.query('BEGIN');
  await client.query("UPDATE public.sessions SET status = 'archived' WHERE id = $1", [session]);
  const renamed = one.store.asUser(user).sessions.rename(session, 'there');
  await untilBlocked(database.pool, backend);
  await client.query('COMMIT');
  expect(await renamed).toMatchObject({ status: 'archived', title: 'there' });
  expect(waits).toEqual([1]);
});

test('two who deadlock both get through', async () => {
  const store = createStore(one.pool, { retries: { attempts: 4, backoff } });
  await client.query("SET deadlock_timeout = '1min'; BEGIN");
  try {
    await insertMessage(client, session, user, 'held', null);
    const backend = await storesBackend();
    const archived = store.asUser(user).sessions.archive(session);
    await untilBlocked(database.pool, backend);
    // The mover holds the session and waits for its key, which this transaction holds: the mover finds the deadlock.
    const renamed = client.query("UPDATE public.sessions SET title = 'kept' WHERE id = $1", [session]);
    await renamed;
    await client.query('COMMIT');
    expect(await archived).toMatchObject({ status: 'archived', title: 'kept' });
    expect(waits.length).toBeGreaterThan(0);
  } finally {
    await client.query('ROLLBACK; RESET deadlock_timeout');
  }
});
