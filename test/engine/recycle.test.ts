import { describe, expect, test } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { recycle } from '../../src/engine/recycle.ts';
import { inProcess } from '../cli/in-process.ts';
import { recycledShape } from '../cli/json-shapes.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { urlAs, useRoles } from './roles.ts';
import { tandemOn } from './tandem.ts';

const roles = useRoles({ modest: 'LOGIN' });
const database = useDatabase(fewRows);
const run = (...args: string[]) => inProcess(args, { url: database.url });

const pidOf = async (session: Awaited<ReturnType<typeof database.connect>>) =>
  (await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid ?? 0;
const alive = async (pids: readonly number[]) => {
  const { rows } = await database.pool.query<{ pid: number }>(
    'SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1) ORDER BY pid',
    [pids],
  );
  return rows.map(({ pid }) => pid);
};
const ascending = (pids: readonly number[]) => pids.toSorted((a, b) => a - b);

/** Sessions as they stand when the names are swapped: two idle, one in a transaction, one in a statement; and one that comes later. */
async function sessionsAroundCutover() {
  const [first, second, open, busy] = await Promise.all([1, 2, 3, 4].map(() => database.connect()));
  if (!first || !second || !open || !busy) throw new Error('There are no sessions.');
  await tandemOn(database).migrate();
  await open.query('BEGIN; SELECT 1');
  // Until the test lets it: not a matter of time.
  const keeper = await database.connect();
  await keeper.query('SELECT pg_advisory_lock(4711)');
  const busyPid = await pidOf(busy);
  const answer = busy.query('SELECT pg_advisory_lock_shared(4711)');
  await expect
    .poll(
      async () =>
        (
          await database.pool.query("SELECT state FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'advisory'", [
            busyPid,
          ])
        ).rowCount,
    )
    .toBe(1);
  return {
    idle: ascending([await pidOf(first), await pidOf(second)]),
    others: ascending([await pidOf(open), busyPid, await pidOf(keeper)]),
    finish: async () => {
      await keeper.query('SELECT pg_advisory_unlock_all()');
      await answer;
      await open.query('COMMIT');
    },
  };
}

describe('after a cutover', () => {
  test('status counts the older backends, and recycle ends those that are idle, and no other', async () => {
    const { idle, others, finish } = await sessionsAroundCutover();
    expect((await tandemOn(database).status()).older_backends).toEqual({
      idle: 2,
      active: 1,
      idle_in_transaction: 1,
      hidden: 0,
    });
    expect((await run('status')).stdout).toContain(
      '4 backends are older than the cutover (2 idle, 1 active, 1 in a transaction), and may hold statements cached before it: `tandem recycle` ends idle ones',
    );
    const declined = await inProcess(['recycle'], { url: database.url, answers: ['n'] });
    expect(declined).toMatchObject({
      code: 3,
      stdout: 'End 2 idle backends older than the cutover? Their clients connect anew. [y/N] \n',
    });
    expect(await alive(idle)).toEqual(idle);

    const { code, stdout } = await inProcess(['recycle'], { url: database.url, answers: ['y'] });
    expect(code).toBe(0);
    expect(stdout).toContain('Ended 2 idle backends.\nLeft 1: active.\nLeft 1: idle in transaction.\n');
    expect(await alive([...idle, ...others])).toEqual(others);
    await finish();

    // What came to rest since is older, too.
    const again = await run('recycle', '--yes', '--json');
    expect(recycledShape.parse(JSON.parse(again.stdout))).toMatchObject({ ended: 2, left: [] });
    expect((await tandemOn(database).status()).older_backends).toEqual({
      idle: 0,
      active: 0,
      idle_in_transaction: 0,
      hidden: 0,
    });
    expect((await run('recycle', '--yes')).stdout).toBe('No idle backend was ended.\n');
  });

  test('what the role may not end or see is left, and said', async () => {
    const { modest } = roles;
    const { idle, finish } = await sessionsAroundCutover();
    await database.pool.query(
      `GRANT USAGE ON SCHEMA tandem TO ${modest}; GRANT SELECT ON ALL TABLES IN SCHEMA tandem TO ${modest}`,
    );
    const pool = createPool(urlAs(database.url, modest));
    const { signal } = new AbortController();
    const unseen = await recycle(pool, signal);
    expect(unseen.ended).toBe(0);
    expect(unseen.left).toEqual([
      { reason: expect.stringContaining('pg_read_all_stats'), backends: expect.any(Number) },
    ]);
    await database.pool.query(`GRANT pg_read_all_stats TO ${modest}`);
    const refused = await recycle(pool, signal);
    expect(refused.ended).toBe(0);
    expect(refused.left).toContainEqual({ reason: expect.stringContaining('pg_signal_backend'), backends: 2 });
    expect(await alive(idle)).toEqual(idle);
    await pool.end();
    await finish();
  });
});

test('a backend that has begun something since it was listed is left alone', async () => {
  const session = await database.connect();
  await tandemOn(database).migrate();
  const pid = await pidOf(session);
  const looking = Object.assign(Object.create(database.pool), {
    query: async (sql: string, values?: unknown[]) => {
      if (sql.includes('pg_terminate_backend')) await session.query('BEGIN');
      return database.pool.query(sql, values);
    },
  });
  const { ended, left } = await recycle(looking, new AbortController().signal);
  expect({ ended, left }).toEqual({ ended: 0, left: [{ reason: 'idle in transaction', backends: 1 }] });
  expect(await alive([pid])).toEqual([pid]);
});

test.each([
  ['before any run', null],
  ['before the cutover', 'drain'],
])('%s there is none', async (_, step) => {
  if (step !== null) await tandemOn(database).migrateUpTo(step);
  expect((await tandemOn(database).status()).older_backends).toBeNull();
  expect(await run('recycle', '--yes')).toMatchObject({ code: 3, stderr: expect.stringContaining('TD012') });
});
