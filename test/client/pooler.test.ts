import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createStore, type Store, type StoreOptions } from '../../src/client/index.ts';
import { insertUser, migrated, only } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { kindOf } from './fixtures.ts';
import { type Pooler, pgbouncerPath, startPooler } from './pgbouncer.ts';

if (pgbouncerPath === null) {
  console.warn('NOT TESTED: the client behind a pooler. Install it: apt-get install pgbouncer');
}

describe.skipIf(pgbouncerPath === null)('behind PgBouncer in transaction mode', () => {
  const CONNECTIONS = 3;
  const database = useDatabase(migrated, { per: 'suite' });
  let pooler: Pooler;
  const users: string[] = [];

  beforeAll(async () => {
    const client = await database.connect();
    for (let i = 0; i < 12; i++) users.push(await insertUser(client));
    pooler = await startPooler(database.url, CONNECTIONS);
  });
  afterAll(() => pooler?.stop());

  // This PgBouncer does not keep prepared statements: the store notices, and goes on without.
  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])(
    'many users share few connections, and each sees own rows only (pipelined: %s, prepared: %s)',
    async (pipeline, prepare) => {
      await withStore({ pipeline }, { prepare }, async (store, pool) => {
        const backends = new Set<number>();
        await Promise.all(
          Array.from({ length: 40 }, async (_, i) => {
            const user = users[i % users.length] ?? '';
            const { sessions, messages, feedback } = store.asUser(user);
            const session = await sessions.create({ language: 'en', level: 'beginner' });
            const message = await messages.append({ session_id: session.id, content: 'hello' });
            await feedback.record({ message_id: message.id, overall_score: 50 });
            await sessions.archive(session.id);
            // What fails must not leave its role to the next one on the connection.
            expect(await kindOf(sessions.create({ user_id: randomUUID(), language: 'en', level: 'beginner' }))).toBe(
              'not_allowed',
            );
            const { rows } = await sessions.list({ status: 'archived', limit: 100 });
            expect(new Set(rows.map((row) => row.user_id))).toEqual(new Set([user]));
            const asked = await pool.query<{ pid: number; own: boolean; claims: string | null }>(
              "SELECT pg_backend_pid() AS pid, current_user = session_user AS own, nullif(current_setting('request.jwt.claims', true), '') AS claims",
            );
            const { pid, ...left } = only(asked.rows);
            expect(left).toEqual({ own: true, claims: null });
            backends.add(pid);
          }),
        );
        expect(backends.size).toBeLessThanOrEqual(CONNECTIONS);
        expect(pool.totalCount).toBeGreaterThan(CONNECTIONS);
      });
    },
  );

  test('writers number their messages without a gap', async () => {
    await withStore({}, {}, async (store) => {
      const user = users[0] ?? '';
      const { id } = await store.asUser(user).sessions.create({ language: 'en', level: 'beginner' });
      const said = await Promise.all(
        Array.from({ length: 100 }, (_, i) => store.asUser(user).messages.append({ session_id: id, content: `${i}` })),
      );
      expect(said.map((message) => message.sequence_number).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 100 }, (_, i) => i + 1),
      );
    });
  });

  async function withStore(
    settings: object,
    options: StoreOptions,
    work: (store: Store, pool: pg.Pool) => Promise<void>,
  ): Promise<void> {
    const pool = new pg.Pool({ connectionString: pooler.url, max: 20, ...settings });
    try {
      await work(createStore(pool, options), pool);
    } finally {
      await pool.end();
    }
  }
});
