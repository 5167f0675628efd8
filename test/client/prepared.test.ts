import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { insertMessage, insertSession, insertUser, migrated, only } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { useStore } from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let ann: string;
let bob: string;

beforeAll(async () => {
  client = await database.connect();
  [ann, bob] = [await insertUser(client), await insertUser(client)];
});

describe.each([false, true])('statements prepared by name, pipelined: %s', (pipeline) => {
  const one = useStore(database, { prepare: true }, { max: 1, pipeline });

  interface Prepared {
    readonly name: string;
    readonly statement: string;
    readonly generic_plans: number;
  }
  const prepared = async () =>
    (await one.pool.query<Prepared>('SELECT name, statement, generic_plans::int FROM pg_prepared_statements')).rows;
  const backend = async () => only((await one.pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows).pid;

  test('each text once for each connection, and its plan is kept', async () => {
    const { sessions } = one.store.asUser(ann);
    const { id } = await sessions.create({ language: 'en', level: 'beginner' });
    for (let i = 0; i < 12; i++) {
      expect((await sessions.get(id))?.id).toBe(id);
      expect((await sessions.list()).rows).not.toEqual([]);
    }
    const all = await prepared();
    expect(all.every(({ name }) => /^tandem_[0-9a-f]{32}$/.test(name))).toBe(true);
    expect(new Set(all.map(({ statement }) => statement)).size).toBe(all.length);
    // Five times the server plans for the values at hand, then it compares.
    const list = only(all.filter(({ statement }) => statement.includes("= 'active'")));
    expect(list.generic_plans).toBeGreaterThan(0);
  });

  // The plan of one statement, kept on one connection, with the policies of whoever runs it.
  test('a plan that was made for one caller shows nothing to another', async () => {
    const mine = await insertSession(client, ann);
    const users = { ann: one.store.asUser(ann), bob: one.store.asUser(bob), service: one.store };
    for (let round = 0; round < 8; round++) {
      for (const who of ['service', 'ann', 'bob', 'ann', 'service', 'bob'] as const) {
        const found = await users[who].sessions.get(mine);
        expect([who, found?.id ?? null]).toEqual([who, who === 'bob' ? null : mine]);
      }
    }
    expect((await users.bob.sessions.list()).rows).toEqual([]);
  });

  test('the kept plan of a list leaves out the other partitions', async () => {
    await one.pool.query("SELECT set_config('plan_cache_mode', 'force_generic_plan', false)");
    const { statement } = only((await prepared()).filter((each) => each.statement.includes("= 'active'")));
    await one.pool.query(`PREPARE listed AS ${statement}`);
    const { rows } = await one.pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN EXECUTE listed (21, '${ann}')`);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toContain('sessions_active');
    expect(plan).not.toMatch(/sessions_(archived|deleted)/);
    await one.pool.query('DEALLOCATE listed; RESET plan_cache_mode');
  });

  test('a column that is altered afterwards costs a connection, and no call', async () => {
    const session = await insertSession(client, ann);
    const record = async (comment: string) => {
      const message_id = await insertMessage(client, session, ann);
      return (await one.store.asUser(ann).feedback.record({ message_id, comment })).comment;
    };
    expect(await record('before')).toBe('before');
    const before = await backend();
    await client.query('ALTER TABLE public.message_feedback ALTER comment TYPE varchar');
    expect(await record('after')).toBe('after');
    expect(await backend()).not.toBe(before);
    // On the new one it is prepared again.
    expect(await record('again')).toBe('again');
    expect((await prepared()).some(({ statement }) => statement.includes('message_feedback'))).toBe(true);
    await client.query('ALTER TABLE public.message_feedback ALTER comment TYPE text');
  });

  test('what the server forgot is noticed, and from then on nothing is prepared', async () => {
    const { sessions } = one.store.asUser(ann);
    await sessions.list();
    await one.pool.query('DEALLOCATE ALL');
    expect((await sessions.list()).rows).not.toEqual([]);
    expect((await sessions.list()).rows).not.toEqual([]);
    expect(await prepared()).toEqual([]);
  });
});
