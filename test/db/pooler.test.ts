import { expect, test } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { assertNoPoolerPort, assertOwnSessions } from '../../src/db/pooler.ts';
import { useDatabase } from '../support/database.ts';
import { startTransactionPooler } from './transaction-pooler.ts';

const database = useDatabase();

test.each([1, 3])('a pooler in transaction mode is refused, with %i backends behind it', async (backends) => {
  const pooler = await startTransactionPooler(database.url, backends);
  const pool = createPool(pooler.url);
  try {
    await expect(assertOwnSessions(pool, pooler.url)).rejects.toMatchObject({
      code: 'TD014',
      exitCode: 2,
      message: expect.stringMatching(/^127\.0\.0\.1:\d+\/\S+ is a pooler that gives a connection away/),
    });
  } finally {
    await pool.end();
    await pooler.close();
  }
});

test('a server is what it says, and its sessions go on', async () => {
  await assertOwnSessions(database.pool, database.url);
  expect((await database.pool.query('SHOW search_path')).rows).toEqual([{ search_path: '""' }]);
});

test('where a role may have one connection only, nothing is said against it', async () => {
  const pool = createPool(database.url);
  let connections = 0;
  const connect = pool.connect.bind(pool);
  const lonely = Object.assign(Object.create(pool), {
    connect: async () => {
      connections += 1;
      if (connections > 1) throw new Error('too many connections for role');
      return connect();
    },
  });
  await assertOwnSessions(lonely, database.url);
  expect(connections).toBe(2);
  await pool.end();
});

test.each([
  ['postgres://u:p@aws-0-eu-west-1.pooler.supabase.com:6543/postgres', true],
  ['postgres://u:p@db.abcdef.supabase.co:6543/postgres', true],
  ['postgres://u:p@aws-0-eu-west-1.pooler.supabase.com:5432/postgres', false],
  ['postgres://u:p@db.example.com:6543/postgres', false],
])('by its port alone: %s', (url, refused) => {
  if (refused) expect(() => assertNoPoolerPort(url)).toThrow(expect.objectContaining({ code: 'TD014' }));
  else expect(() => assertNoPoolerPort(url)).not.toThrow();
});
