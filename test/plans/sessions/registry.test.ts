import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { useDatabase } from '../../support/database.ts';
import {
  count,
  insertFeedback,
  insertMessage,
  insertSession,
  insertUser,
  migrated,
  only,
  refusal,
} from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let user: string;

beforeEach(async () => {
  client ??= await database.connect();
  user = await insertUser(client);
});

const statusOf = async (id: string) =>
  (
    await client.query<{ status: string }>('SELECT status::text FROM private.session_keys WHERE id = $1', [id])
  ).rows.map((r) => r.status);

describe('one id, one session', () => {
  test('the same id twice in one partition is a duplicate key', async () => {
    const id = await insertSession(client, user);
    expect(await refusal(insertSession(client, user, { id }))).toBe(SqlState.uniqueViolation);
  });

  test('the same id in another partition is refused, and the first stays as it was', async () => {
    const id = await insertSession(client, user);
    expect(await refusal(insertSession(client, user, { id, status: 'archived' }))).toBe(SqlState.foreignKeyViolation);
    expect(await statusOf(id)).toEqual(['active']);
    expect(await count(client, 'public.sessions WHERE id = $1', [id])).toBe(1);
  });

  test.each([
    ['active', 'archived'],
    ['deleted', 'active'],
  ])('of two sessions that insert one id as %s and %s at once, exactly one commits', async (first, second) => {
    const [a, b] = [await database.connect(), await database.connect()];
    const id = randomUUID();
    await a.query('BEGIN');
    await b.query('BEGIN');
    await insertSession(a, user, { id, status: first });
    // Waits for the other one at the registry's key.
    const late = refusal(insertSession(b, user, { id, status: second }).then(() => b.query('COMMIT')));
    await a.query('COMMIT');
    expect(await late).toBe(SqlState.foreignKeyViolation);
    await b.query('ROLLBACK');
    expect(await count(client, 'public.sessions WHERE id = $1', [id])).toBe(1);
    expect(await statusOf(id)).toEqual([first]);
  });

  test('where the first of the two rolls back, the second commits', async () => {
    const [a, b] = [await database.connect(), await database.connect()];
    const id = randomUUID();
    await a.query('BEGIN');
    await insertSession(a, user, { id });
    const late = insertSession(b, user, { id, status: 'archived' });
    await a.query('ROLLBACK');
    await late;
    expect(await statusOf(id)).toEqual(['archived']);
  });
});

describe('an upsert', () => {
  const upsert = (id: string, status: string, action: string) =>
    client.query(
      `INSERT INTO public.sessions (id, user_id, language, level, status, title) VALUES ($1, $2, 'de', 'advanced', $3, 'new')
       ON CONFLICT (id, status) DO ${action}`,
      [id, user, status],
    );
  const languagesOf = async (id: string) =>
    only(
      (
        await client.query(
          `SELECT s.language::text AS session, k.language::text AS key, m.language::text AS message FROM public.sessions s
             JOIN private.session_keys k ON k.id = s.id JOIN public.messages m ON m.session_id = s.id WHERE s.id = $1`,
          [id],
        )
      ).rows,
    );

  test.each([
    ['NOTHING', 'en'],
    ['UPDATE SET title = excluded.title', 'en'],
    ['UPDATE SET language = excluded.language', 'de'],
  ])('with DO %s leaves registry and messages with the language of the session', async (action, language) => {
    const id = await insertSession(client, user);
    await insertMessage(client, id, user);
    await upsert(id, 'active', action);
    expect(await languagesOf(id)).toEqual({ session: language, key: language, message: language });
  });

  test('of an id that stands in another partition is refused, DO NOTHING or not', async () => {
    const id = await insertSession(client, user);
    await insertMessage(client, id, user);
    expect(await refusal(upsert(id, 'archived', 'NOTHING'))).toBe(SqlState.foreignKeyViolation);
    expect(await languagesOf(id)).toEqual({ session: 'en', key: 'en', message: 'en' });
  });
});

test("what an application's own triggers make of a row is what the registry writes down", async () => {
  await client.query(`
    CREATE FUNCTION public.own() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF new.title = 'suppressed' THEN RETURN NULL; END IF;
      new.language := 'fr';
      RETURN new;
    END $$;
    CREATE TRIGGER z_own BEFORE INSERT OR UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.own()`);
  try {
    const id = await insertSession(client, user, { language: 'en' });
    const suppressed = randomUUID();
    await client.query(
      "INSERT INTO public.sessions (id, user_id, language, level, title) VALUES ($1, $2, 'en', 'beginner', 'suppressed')",
      [suppressed, user],
    );
    const { rows } = await client.query('SELECT id, language::text FROM private.session_keys WHERE id = ANY ($1)', [
      [id, suppressed],
    ]);
    expect(rows).toEqual([{ id, language: 'fr' }]);
  } finally {
    await client.query('DROP FUNCTION public.own() CASCADE');
  }
});

describe('a change of status', () => {
  test('moves the row and touches no message of 20,000: none is rewritten, nor locked', async () => {
    const id = await insertSession(client, user);
    await client.query(
      `INSERT INTO public.messages (session_id, user_id, sequence_number, content)
         SELECT $1, $2, n, 'bonjour ' || n FROM generate_series(1, 20000) AS n`,
      [id, user],
    );
    const versions = () =>
      client.query(
        `SELECT count(*)::int, md5(string_agg(concat_ws(' ', id, ctid, xmin, xmax), ',' ORDER BY id)) AS versions,
                pg_relation_size('public.messages')::text AS bytes FROM public.messages WHERE session_id = $1`,
        [id],
      );
    const before = await versions();
    expect(only(before.rows)).toMatchObject({ count: 20_000 });
    for (const status of ['archived', 'deleted', 'active', 'archived']) {
      await client.query('UPDATE public.sessions SET status = $2 WHERE id = $1', [id, status]);
      expect(await statusOf(id)).toEqual([status]);
    }
    const after = await versions();
    expect(after.rows).toEqual(before.rows);
    expect(await count(client, 'public.sessions_archived WHERE id = $1', [id])).toBe(1);
  });

  test('can be undone by a rollback, and happen many times in one transaction', async () => {
    const id = await insertSession(client, user);
    await insertMessage(client, id, user);
    await client.query('BEGIN');
    for (const status of ['archived', 'active', 'deleted'])
      await client.query('UPDATE public.sessions SET status = $2 WHERE id = $1', [id, status]);
    await client.query('ROLLBACK');
    expect(await statusOf(id)).toEqual(['active']);
    expect(await count(client, 'public.messages WHERE session_id = $1', [id])).toBe(1);
  });

  test('keeps the registry right for a writer with session_replication_role = replica', async () => {
    const id = await insertSession(client, user);
    await client.query('SET session_replication_role = replica');
    await client.query("UPDATE public.sessions SET status = 'deleted' WHERE id = $1", [id]);
    const other = await insertSession(client, user, { status: 'archived' });
    await client.query('SET session_replication_role = origin');
    expect(await statusOf(id)).toEqual(['deleted']);
    expect(await statusOf(other)).toEqual(['archived']);
  });

  test('leaves registry and sessions in step while several clients move the same sessions', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await insertSession(client, user));
    const clients = await Promise.all(Array.from({ length: 4 }, () => database.connect()));
    const statuses = ['active', 'archived', 'deleted'];
    await Promise.all(
      clients.map(async (c, k) => {
        for (let i = 0; i < 40; i++) {
          const move = c.query('UPDATE public.sessions SET status = $2 WHERE id = $1', [
            ids[(i * 7 + k) % 5],
            statuses[(i + k) % 3],
          ]);
          // The documented cost of partitions: a row that another one has just moved away cannot be waited for.
          await move.catch((error: unknown) => expect(error).toMatchObject({ code: SqlState.serializationFailure }));
        }
      }),
    );
    expect(await count(client, 'public.sessions WHERE user_id = $1', [user])).toBe(5);
    expect(
      await count(
        client,
        'private.session_keys k FULL JOIN public.sessions s ON s.id = k.id AND s.status = k.status WHERE k.id IS NULL OR s.id IS NULL',
      ),
    ).toBe(0);
  });
});

describe('a change of id', () => {
  test('is refused while messages refer to the session, as it was by the flat table', async () => {
    const id = await insertSession(client, user);
    await insertMessage(client, id, user);
    expect(await refusal(client.query('UPDATE public.sessions SET id = gen_random_uuid() WHERE id = $1', [id]))).toBe(
      SqlState.foreignKeyViolation,
    );
    expect(
      await refusal(
        client.query("UPDATE public.sessions SET id = gen_random_uuid(), status = 'archived' WHERE id = $1", [id]),
      ),
    ).toBe(SqlState.foreignKeyViolation);
    expect(await count(client, 'public.messages WHERE session_id = $1', [id])).toBe(1);
    expect(await statusOf(id)).toEqual(['active']);
  });

  test('takes the key along, also with a change of status in the same statement', async () => {
    const [id, next, last] = [await insertSession(client, user), randomUUID(), randomUUID()];
    await client.query('UPDATE public.sessions SET id = $2 WHERE id = $1', [id, next]);
    expect([await statusOf(id), await statusOf(next)]).toEqual([[], ['active']]);
    await client.query("UPDATE public.sessions SET id = $2, status = 'deleted', language = 'fr' WHERE id = $1", [
      next,
      last,
    ]);
    expect([await statusOf(next), await statusOf(last)]).toEqual([[], ['deleted']]);
  });

  test('to an id that exists is a duplicate key', async () => {
    const [a, b] = [await insertSession(client, user), await insertSession(client, user, { status: 'archived' })];
    expect(await refusal(client.query('UPDATE public.sessions SET id = $2 WHERE id = $1', [a, b]))).toBe(
      SqlState.uniqueViolation,
    );
  });
});

describe('a deletion', () => {
  test('of a session takes its key, messages and feedback along', async () => {
    const id = await insertSession(client, user, { status: 'archived' });
    const message = await insertMessage(client, id, user);
    await insertFeedback(client, message);
    await client.query('DELETE FROM public.sessions WHERE id = $1', [id]);
    expect(await statusOf(id)).toEqual([]);
    expect(await count(client, 'public.messages WHERE id = $1', [message])).toBe(0);
    expect(await count(client, 'public.message_feedback WHERE message_id = $1', [message])).toBe(0);
  });

  test('of a user takes everything along, in every partition', async () => {
    for (const status of ['active', 'archived', 'deleted']) {
      const id = await insertSession(client, user, { status });
      await insertFeedback(client, await insertMessage(client, id, user));
    }
    const other = await insertUser(client);
    const kept = await insertSession(client, other);
    await insertMessage(client, kept, other);
    await client.query('DELETE FROM auth.users WHERE id = $1', [user]);
    for (const table of ['sessions', 'messages'])
      expect(await count(client, `public.${table} WHERE user_id = $1`, [user])).toBe(0);
    expect(await count(client, 'public.messages WHERE session_id = $1', [kept])).toBe(1);
    expect(
      await count(client, 'private.session_keys k WHERE NOT EXISTS (SELECT FROM public.sessions s WHERE s.id = k.id)'),
    ).toBe(0);
  });

  test('and a new session with the same id in one transaction leave one key', async () => {
    const id = await insertSession(client, user);
    await client.query('BEGIN');
    await client.query('DELETE FROM public.sessions WHERE id = $1', [id]);
    await insertSession(client, user, { id, status: 'deleted' });
    await client.query('COMMIT');
    expect(await statusOf(id)).toEqual(['deleted']);
  });
});

describe('TRUNCATE', () => {
  test.each(['public.sessions', 'public.sessions CASCADE', 'public.sessions_archived'])(
    'of %s is refused while messages are left without a session',
    async (what) => {
      const id = await insertSession(client, user, { status: 'archived' });
      await insertMessage(client, id, user);
      expect(await refusal(client.query(`TRUNCATE ${what}`))).toBe(SqlState.featureNotSupported);
      expect(await statusOf(id)).toEqual(['archived']);
    },
  );

  test('of a partition whose sessions have no messages removes just their keys', async () => {
    const [gone, kept] = [await insertSession(client, user, { status: 'deleted' }), await insertSession(client, user)];
    await client.query(
      "DELETE FROM public.messages m USING public.sessions s WHERE s.id = m.session_id AND s.status = 'deleted'",
    );
    await client.query('TRUNCATE public.sessions_deleted');
    expect([await statusOf(gone), await statusOf(kept)]).toEqual([[], ['active']]);
  });

  test('of sessions and messages together empties the registry', async () => {
    await insertMessage(client, await insertSession(client, user), user);
    await client.query('TRUNCATE public.sessions, public.messages CASCADE');
    expect(await count(client, 'private.session_keys')).toBe(0);
  });
});

test('triggers that keep the registry stand on every partition and fire in every replication role', async () => {
  const { rows } = await client.query(
    `SELECT tgname::text AS trigger, count(*)::int AS tables, bool_and(tgenabled = 'A') AS always FROM pg_trigger
      WHERE NOT tgisinternal AND tgname ~ '^(zz_)?session_key' GROUP BY tgname ORDER BY tgname`,
  );
  expect(rows).toEqual(
    [
      // Hangs on the registry itself.
      ['session_key_guard', 1],
      ['session_key_remove', 4],
      ['session_key_set_language', 4],
      ['session_keys_truncate', 4],
      ['zz_session_key_put', 4],
      ['zz_session_key_rename', 4],
    ].map(([trigger, tables]) => ({
      trigger,
      tables,
      always: true,
    })),
  );
  expect(
    only(
      (
        await client.query(
          "SELECT count(*)::int AS n FROM pg_trigger WHERE tgname LIKE 'message%' AND NOT tgisinternal",
        )
      ).rows,
    ),
  ).toEqual({ n: 3 });
});
