import { describe, expect, test } from 'vitest';
import type { Pool } from '../../src/db/connect.ts';
import { languages, levels, messageTypes } from '../../src/demo/dialogue.ts';
import { createFlatTables, statuses } from '../../src/demo/flat-tables.ts';
import { loadFlatTables } from '../../src/demo/load.ts';
import type { Progress } from '../../src/engine/progress.ts';
import { createTestDatabase, useDatabase } from '../support/database.ts';
import { flatTables, NOW } from './flat-database.ts';

const recipe = { sessions: 300, messages: 2_250, seed: 11, now: NOW };

async function only(pool: Pool, sql: string): Promise<Record<string, unknown> | undefined> {
  return (await pool.query<Record<string, unknown>>(sql)).rows[0];
}

const digest = (pool: Pool) =>
  only(
    pool,
    `SELECT (SELECT md5(string_agg(u::text, '' ORDER BY id)) FROM auth.users u) AS users,
            (SELECT md5(string_agg(s::text, '' ORDER BY id)) FROM public.sessions s) AS sessions,
            (SELECT md5(string_agg(m::text, '' ORDER BY id)) FROM public.messages m) AS messages`,
  );

const foreignKeys = async (pool: Pool) =>
  (
    await pool.query(`SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
      WHERE contype = 'f' AND convalidated ORDER BY 1, 2`)
  ).rows;

describe('loading the flat tables', () => {
  const database = useDatabase(flatTables);

  test('gives exactly as many rows as were asked for, also of few', async () => {
    await loadFlatTables(database.pool, { ...recipe, users: 7 });
    const counts = `SELECT (SELECT count(*)::int FROM auth.users) AS users,
      (SELECT count(*)::int FROM public.sessions) AS sessions, (SELECT count(*)::int FROM public.messages) AS messages`;
    expect(await only(database.pool, counts)).toEqual({ users: 7, sessions: 300, messages: 2_250 });
    await database.pool.query('TRUNCATE auth.users CASCADE');
    await loadFlatTables(database.pool, { sessions: 1, messages: 3, seed: 1 });
    expect(await only(database.pool, counts)).toEqual({ users: 1, sessions: 1, messages: 3 });
  });

  test('is the same for the same seed and end, and another for any other seed', async () => {
    const other = await createTestDatabase(flatTables);
    try {
      await loadFlatTables(database.pool, recipe);
      await loadFlatTables(other.pool, recipe);
      const first = await digest(database.pool);
      expect(await digest(other.pool)).toEqual(first);
      const { rows } = await other.pool.query<{ id: string }>('SELECT id FROM public.sessions');
      await other.pool.query('TRUNCATE auth.users CASCADE');
      await loadFlatTables(other.pool, { ...recipe, seed: 12 });
      expect(await digest(other.pool)).not.toEqual(first);
      const ids = rows.map((row) => row.id);
      const again = await other.pool.query('SELECT FROM public.sessions WHERE id = ANY ($1::uuid[])', [ids]);
      expect(again.rowCount).toBe(0);
    } finally {
      await other.drop();
    }
  });

  test('writes every word of the guide and no other, numbered messages, and no row from the future', async () => {
    await loadFlatTables(database.pool, recipe);
    const words = await only(
      database.pool,
      `SELECT array_agg(DISTINCT language) AS languages, array_agg(DISTINCT level) AS levels,
              array_agg(DISTINCT status) AS statuses, (SELECT array_agg(DISTINCT type) FROM public.messages) AS types
       FROM public.sessions`,
    );
    expect(words).toEqual({
      languages: [...languages].sort(),
      levels: [...levels].sort(),
      statuses: [...statuses].sort(),
      types: [...messageTypes].sort(),
    });
    const odd = await only(
      database.pool,
      `SELECT (SELECT count(*)::int FROM (SELECT FROM public.messages GROUP BY session_id
                 HAVING max(sequence_number) <> count(*) OR min(sequence_number) <> 1) AS odd) AS numbering,
              (SELECT count(*)::int FROM public.messages m JOIN public.sessions s ON s.id = m.session_id
                 WHERE m.user_id <> s.user_id OR m.created_at NOT BETWEEN s.created_at AND s.updated_at) AS belonging,
              (SELECT count(*)::int FROM public.sessions WHERE NOT (created_at < updated_at AND updated_at <= last_accessed
                 AND last_accessed <= $$${NOW.toISOString()}$$)) AS times`,
    );
    expect(odd).toEqual({ numbering: 0, belonging: 0, times: 0 });
  });

  test('has sessions of many lengths, and timestamps with microseconds', async () => {
    await loadFlatTables(database.pool, recipe);
    const found = await only(
      database.pool,
      `SELECT count(DISTINCT n)::int AS lengths, max(n)::int AS longest,
         (SELECT count(*)::int FROM public.messages WHERE date_part('microseconds', created_at)::int % 1000 <> 0) AS micros
       FROM (SELECT count(*) AS n FROM public.messages GROUP BY session_id) AS s`,
    );
    expect(found?.lengths).toBeGreaterThan(10);
    expect(found?.longest).toBeLessThanOrEqual(16);
    expect(found?.micros).toBeGreaterThan(2_000);
  });

  test('leaves the foreign keys as they were made, and checks them', async () => {
    const before = await foreignKeys(database.pool);
    expect(before).toHaveLength(3);
    await loadFlatTables(database.pool, recipe);
    expect(await foreignKeys(database.pool)).toEqual(before);
  });

  test('loads nothing where it cannot load all', async () => {
    await loadFlatTables(database.pool, recipe);
    const before = await digest(database.pool);
    await expect(loadFlatTables(database.pool, recipe)).rejects.toMatchObject({ code: '23505' });
    expect(await digest(database.pool)).toEqual(before);
    expect(await foreignKeys(database.pool)).toHaveLength(3);
  });

  test('loads nothing where it is interrupted, and the connection is good for more', async () => {
    const interrupt = new AbortController();
    const onProgress = (progress: Progress) => progress.done === 10_000 && interrupt.abort();
    const loading = loadFlatTables(database.pool, { ...recipe, messages: 1e9, onProgress, signal: interrupt.signal });
    await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
    expect(await only(database.pool, 'SELECT count(*)::int AS n FROM public.sessions')).toEqual({ n: 0 });
    expect(await foreignKeys(database.pool)).toHaveLength(3);
    await loadFlatTables(database.pool, recipe);
  });

  test('tells how far it is', async () => {
    const seen: Progress[] = [];
    await loadFlatTables(database.pool, { ...recipe, messages: 25_000, onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ subject, done, total }) => `${subject} ${done}/${total}`)).toEqual([
      'auth.users 38/38',
      'public.sessions 300/300',
      'public.messages 10000/25000',
      'public.messages 20000/25000',
      'public.messages 25000/25000',
    ]);
  });
});

describe('the flat tables', () => {
  const database = useDatabase();

  test('are made once, and leave users alone who are there already', async () => {
    const user = '11111111-1111-4111-8111-111111111111';
    await database.pool.query(`CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, email text)`);
    await database.pool.query('INSERT INTO auth.users (id) VALUES ($1)', [user]);
    await createFlatTables(database.pool);
    expect(await only(database.pool, 'SELECT count(*)::int AS n FROM auth.users')).toEqual({ n: 1 });
    await expect(createFlatTables(database.pool)).rejects.toMatchObject({ code: '42P07' });
  });
});
