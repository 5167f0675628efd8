import { expect, test } from 'vitest';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { foldChanges, refreshStats } from '../../../../plans/sessions/keeper/refresh.ts';
import { writeStatsPolicy } from '../../../../plans/sessions/keeper/stats-policy.ts';
import { statsTasks } from '../../../../plans/sessions/keeper/stats-tasks.ts';
import { useDatabase } from '../../../support/database.ts';
import { expectFolded } from '../rollup.ts';
import { idleSessions, idOf, names, never, untilWaitsFor } from './keeping.ts';

const database = useDatabase(idleSessions);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
const refresh = (force = false) => refreshStats({ pool: database.pool, names, force });
/** The server's counters are written by each session when it has nothing else to do. */
const flush = () => query('SELECT pg_stat_force_next_flush()');
const history = async () =>
  (await query('SELECT mode, ended_at IS NOT NULL AS ended, error FROM keeper.stats_refreshes ORDER BY id')).rows;
const append = () =>
  query(
    "INSERT INTO public.messages (session_id, user_id, content) VALUES ($1, '00000000-0000-0000-0000-00000000000a', 'Hello')",
    [idOf('active', 1)],
  );
const active = async () =>
  (await query("SELECT sessions::int, messages::int FROM public.session_stats WHERE status = 'active'")).rows[0];

test('figures are refreshed beside their readers, and only where something was written', async () => {
  await installKeeper(database.pool, names);
  await flush();
  const first = await refresh();
  expect(first).toMatchObject({ mode: 'concurrent', rows: 3 });
  expect(first.entries).toBeGreaterThan(0);
  const stats = await query('SELECT status, sessions::int, messages::int FROM public.session_stats ORDER BY status');
  expect(stats.rows).toEqual(
    ['active', 'archived', 'deleted'].map((status) => ({ status, sessions: 10, messages: 55 })),
  );
  expect(await refresh()).toMatchObject({ mode: 'skipped', rows: null, entries: 0 });
  expect(await refresh(true)).toMatchObject({ mode: 'concurrent' });

  const writer = await database.connect();
  await writer.query("UPDATE public.sessions SET status = 'archived' WHERE id = $1", [idOf('active', 1)]);
  await writer.query('SELECT pg_stat_force_next_flush()');
  await writer.query('SELECT');
  expect(await refresh()).toMatchObject({ mode: 'concurrent', entries: 0 });
  expect(await history()).toEqual(
    ['concurrent', 'skipped', 'concurrent', 'concurrent'].map((mode) => ({ mode, ended: true, error: null })),
  );
});

test('a message is reason enough, however little the server has counted', async () => {
  await installKeeper(database.pool, names);
  await flush();
  await refresh();
  await append();
  expect(await refresh()).toMatchObject({ mode: 'concurrent', entries: 1 });
  expect(await active()).toEqual({ sessions: 10, messages: 56 });
  await expectFolded(database.pool);
  // An edit changes no figure.
  await query("UPDATE public.messages SET content = 'edited'");
  expect(await refresh()).toMatchObject({ mode: 'skipped' });
});

test('what was folded by one that died before its refresh is refreshed by the next one', async () => {
  await installKeeper(database.pool, names);
  await flush();
  await refresh();
  await append();
  expect(await foldChanges({ pool: database.pool })).toBe(1);
  expect(await refresh()).toMatchObject({ mode: 'concurrent', entries: 0 });
  expect(await active()).toEqual({ sessions: 10, messages: 56 });
  expect(await refresh()).toMatchObject({ mode: 'skipped' });
});

test('where the server does not count, nothing is taken for unchanged', async () => {
  await installKeeper(database.pool, names);
  await refresh();
  const fresh = await database.connect();
  await fresh.query('SET track_counts = off');
  const { rows } = await fresh.query('SELECT refresh_mode FROM keeper.begin_refresh(clock_timestamp(), 0, false)');
  expect(rows).toEqual([{ refresh_mode: 'concurrent' }]);
});

test('a view that was emptied heals itself', async () => {
  await installKeeper(database.pool, names);
  await query('REFRESH MATERIALIZED VIEW public.session_stats WITH NO DATA');
  expect(await refresh()).toMatchObject({ mode: 'plain', rows: 3 });
  await query('REFRESH MATERIALIZED VIEW public.session_stats WITH NO DATA');
  await query('CALL keeper.refresh_stats(true)');
  expect((await history()).map(({ mode }) => mode)).toEqual(['plain', 'plain']);
  expect(await active()).toEqual({ sessions: 10, messages: 55 });
});

test('a reader that is still reading holds no refresh up', async () => {
  await installKeeper(database.pool, names);
  const reader = await database.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT * FROM public.session_stats');
  expect(await refresh(true)).toMatchObject({ mode: 'concurrent' });
  await reader.query('COMMIT');
});

test.each(['tandem', 'CALL keeper.refresh_stats()'])('a refresh that fails is noted with its error: %s', async (by) => {
  await installKeeper(database.pool, names);
  const other = await database.connect();
  await other.query('BEGIN; CREATE INDEX in_the_way ON public.session_stats (status)');
  const client = await database.connect();
  const refreshing = by === 'tandem' ? refresh() : query(by);
  const noted = expect(refreshing).rejects.toMatchObject({ code: '57014' });
  await untilWaitsFor(database.pool, other);
  await client.query(
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^(REFRESH|CALL)' AND datname = current_database()",
  );
  await noted;
  await other.query('ROLLBACK');
  expect(await history()).toMatchObject([{ ended: true, error: 'canceling statement due to user request' }]);
  // What it did not show is not taken for shown.
  expect(await refresh()).toMatchObject({ mode: 'concurrent' });
});

test('CALL keeper.refresh_stats() does in the database what tandem does', async () => {
  await installKeeper(database.pool, names);
  await flush();
  await query('CALL keeper.refresh_stats()');
  expect(await active()).toEqual({ sessions: 10, messages: 55 });
  await expectFolded(database.pool);
  const recounts = await query(
    'SELECT sessions::int, drifted::int, ended_at IS NOT NULL AS ended FROM keeper.stats_recounts',
  );
  expect(recounts.rows).toEqual([{ sessions: 30, drifted: 0, ended: true }]);
  // Not due yet, and asked for nevertheless.
  await append();
  await query('CALL keeper.refresh_stats()');
  expect(await active()).toEqual({ sessions: 10, messages: 55 });
  await query('CALL keeper.refresh_stats(true)');
  expect(await active()).toEqual({ sessions: 10, messages: 56 });
  expect(await refresh()).toMatchObject({ mode: 'skipped' });
  const again = (await query('SELECT count(*)::int AS n FROM keeper.stats_recounts')).rows;
  expect(again).toEqual([{ n: 1 }]);
});

test('the next refresh is due when the last one’s share of the time is over', async () => {
  await installKeeper(database.pool, names);
  await writeStatsPolicy(database.pool, { refreshEverySeconds: 60, share: 0.05, recountEveryHours: null });
  const due = async (took: string) => {
    await query('DELETE FROM keeper.stats_refreshes');
    await query(
      `INSERT INTO keeper.stats_refreshes (started_at, ended_at, mode, version) VALUES (timestamptz '2026-01-01' - $1::interval, '2026-01-01', 'concurrent', 0)`,
      [took],
    );
    return (await query("SELECT extract(epoch FROM keeper.refresh_due_at() - '2026-01-01')::float8 AS after")).rows[0]
      .after;
  };
  expect(await due('1 s')).toBe(60);
  expect(await due('30 s')).toBe(600);
});

test('the daemon’s task asks the policy, and waits longer after a costly run', async () => {
  await installKeeper(database.pool, names);
  const [task] = statsTasks(database.pool, names, { recountEveryMs: 1 });
  const context = { signal: never(), fence: async () => undefined };
  expect(await task?.run(context)).toMatch(/^3 rows, \d+ changes$/);
  expect([task?.everyMs(100), task?.everyMs(30_000)]).toEqual([60_000, 600_000]);
  await writeStatsPolicy(database.pool, { refreshEverySeconds: 5, share: 0.5, recountEveryHours: 1 });
  await task?.run(context);
  expect([task?.everyMs(100), task?.everyMs(30_000)]).toEqual([5000, 60_000]);
});

test('one who has lost the lease neither folds nor notes anything', async () => {
  await installKeeper(database.pool, names);
  const fence = () => Promise.reject(new Error('Another keeper has taken over.'));
  await expect(refreshStats({ pool: database.pool, names, fence })).rejects.toThrow('Another keeper');
  expect(await history()).toEqual([]);
  expect((await query('SELECT FROM private.session_changes')).rowCount).toBeGreaterThan(0);
});
