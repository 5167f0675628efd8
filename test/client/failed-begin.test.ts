import pg from 'pg';
import { expect, test } from 'vitest';
import { createStore } from '../../src/client/index.ts';
import { count, insertSession, insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { kindOf } from './fixtures.ts';

const database = useDatabase(migrated);

/** From now on its BEGIN takes longer than the server allows: it is canceled, and there is no transaction. */
function beginLate(client: pg.ClientBase): void {
  const query = client.query;
  client.query = ((text: unknown, ...rest: unknown[]) => {
    const late = typeof text === 'string' && text.startsWith('BEGIN');
    return Reflect.apply(query, client, [late ? 'SELECT pg_sleep(60)' : text, ...rest]);
  }) as typeof query;
}

test.each([false, true])(
  'what follows a BEGIN that fails is not done as the pool, which row security does not bind (pipelined: %s)',
  async (pipeline) => {
    const client = await database.connect();
    const [ann, bob] = [await insertUser(client), await insertUser(client)];
    const session = await insertSession(client, bob, { title: 'Bob’s' });
    const settings = { connectionString: database.url, max: 1, pipeline, statement_timeout: 100 };
    const pool = new pg.Pool(settings as pg.PoolConfig).on('connect', beginLate);
    try {
      const { sessions } = createStore(pool).asUser(ann);
      expect(await kindOf(sessions.rename(session, 'Ann’s'))).toBe('timed_out');
      expect(await kindOf(sessions.purge(session))).toBe('timed_out');
      expect(await count(client, "public.sessions WHERE id = $1 AND title = 'Bob’s'", [session])).toBe(1);
    } finally {
      await pool.end();
    }
  },
);
