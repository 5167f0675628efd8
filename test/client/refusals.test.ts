import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { createStore } from '../../src/client/index.ts';
import { insertSession, insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { names, untilWaitsFor } from '../plans/sessions/keeper/keeping.ts';
import { useDatabase } from '../support/database.ts';
import { errorOf, useStore } from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
const plain = useStore(database, { retries: { attempts: 1 } });
let client: pg.Client;
let user: string;
let session: string;

beforeAll(async () => {
  client = await database.connect();
  user = await insertUser(client);
  session = await insertSession(client, user);
});

/** Whoever writes a message is refused with this SQLSTATE. */
async function refuseWith(state: string): Promise<void> {
  await client.query(`
    CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${state}'; END $$;
    CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
}

test.each([
  ['22001', 'invalid_value'],
  ['22003', 'invalid_value'],
  ['22007', 'invalid_value'],
  ['22023', 'invalid_value'],
  ['22P05', 'invalid_value'],
  ['23502', 'invalid_value'],
  ['23514', 'invalid_value'],
  ['54000', 'invalid_value'],
  ['54001', 'invalid_value'],
  ['23001', 'not_allowed'],
  ['42501', 'not_allowed'],
  ['23503', 'not_found'],
  ['23505', 'already_exists'],
  ['40001', 'conflict'],
  ['40P01', 'conflict'],
  ['55P03', 'timed_out'],
  ['57014', 'timed_out'],
  ['57P01', 'connection_lost'],
])('%s of the server is %s', async (state, kind) => {
  await refuseWith(state);
  const error = await errorOf(plain.store.asUser(user).messages.append({ session_id: session, content: 'x' }));
  expect(error).toMatchObject({ kind, cause: { code: state } });
  await client.query('DROP TRIGGER refuse ON public.messages');
});

test('a failure that nobody foresaw comes as it is', async () => {
  await refuseWith('P0001');
  const appended = plain.store.asUser(user).messages.append({ session_id: session, content: 'x' });
  await expect(appended).rejects.toMatchObject({ name: 'error', code: 'P0001' });
  await client.query('DROP TRIGGER refuse ON public.messages');
});

test('a session that is held cannot be purged', async () => {
  await installKeeper(database.pool, names);
  await client.query("INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, 'a court')", [session]);
  expect(await errorOf(plain.store.asUser(user).sessions.purge(session))).toMatchObject({ kind: 'not_allowed' });
  await client.query('DELETE FROM keeper.session_holds');
});

describe.each([false, true])('with pipeline: %s', (pipeline) => {
  const withPool = async (settings: object, work: (pool: pg.Pool) => Promise<void>) => {
    const pool = new pg.Pool({ connectionString: database.url, max: 1, pipeline, ...settings } as pg.PoolConfig);
    try {
      await work(pool);
    } finally {
      await pool.end();
    }
  };
  const blocked = async (work: () => Promise<void>) => {
    await client.query('BEGIN');
    try {
      await client.query('SELECT FROM private.session_keys WHERE id = $1 FOR UPDATE', [session]);
      await work();
    } finally {
      await client.query('ROLLBACK');
    }
  };

  test('a call that the server gives up after a time has done nothing, and the connection serves the next', async () => {
    await withPool({ statement_timeout: 100 }, async (pool) => {
      const ann = createStore(pool).asUser(user);
      await blocked(async () => {
        const error = await errorOf(ann.messages.append({ session_id: session, content: 'late' }));
        expect(error).toMatchObject({ kind: 'timed_out', code: 'TD067' });
      });
      expect((await ann.messages.list({ session_id: session })).rows).toEqual([]);
      expect(pool.totalCount).toBe(1);
    });
  });

  // An error event of a connection that nobody listens to would end the process: this test's, too.
  test('a connection that is lost in the middle is an error of the call, and nothing else', async () => {
    await withPool({}, async (pool) => {
      const ann = createStore(pool).asUser(user);
      await blocked(async () => {
        const appended = errorOf(ann.messages.append({ session_id: session, content: 'lost' }));
        await untilWaitsFor(database.pool, client);
        await database.pool.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))',
          [(await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid],
        );
        expect(await appended).toMatchObject({ kind: 'connection_lost', code: 'TD021' });
      });
      expect((await ann.messages.list({ session_id: session })).rows).toEqual([]);
    });
  });
});
