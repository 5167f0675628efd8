import { expect, test } from 'vitest';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { refreshStats } from '../../../../plans/sessions/keeper/refresh.ts';
import { useDatabase } from '../../../support/database.ts';
import { idleSessions, idOf, names, untilWaitsFor } from './keeping.ts';

const database = useDatabase(idleSessions);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
const refresh = (force = false) => refreshStats({ pool: database.pool, names, force });
/** The server's counters are written by each session when it has nothing else to do. */
const flush = () => query('SELECT pg_stat_force_next_flush()');

test('figures are refreshed beside their readers, and only where something was written', async () => {
  await installKeeper(database.pool, names);
  await flush();
  const first = await refresh();
  expect(first).toMatchObject({ mode: 'concurrent', rows: 3 });
  const stats = await query('SELECT status, sessions::int, messages::int FROM public.session_stats ORDER BY status');
  expect(stats.rows).toEqual(
    ['active', 'archived', 'deleted'].map((status) => ({ status, sessions: 10, messages: 55 })),
  );
  expect(await refresh()).toMatchObject({ mode: 'skipped', rows: null });
  expect(await refresh(true)).toMatchObject({ mode: 'concurrent' });

  const writer = await database.connect();
  await writer.query("UPDATE public.sessions SET status = 'archived' WHERE id = $1", [idOf('active', 1)]);
  await writer.query('SELECT pg_stat_force_next_flush()');
  await writer.query('SELECT');
  expect(await refresh()).toMatchObject({ mode: 'concurrent' });
  const history = await query(
    'SELECT mode, ended_at IS NOT NULL AS ended, error FROM keeper.stats_refreshes ORDER BY id',
  );
  expect(history.rows).toEqual(
    ['concurrent', 'skipped', 'concurrent', 'concurrent'].map((mode) => ({ mode, ended: true, error: null })),
  );
});

test('a view that was emptied heals itself', async () => {
  await installKeeper(database.pool, names);
  await query('REFRESH MATERIALIZED VIEW public.session_stats WITH NO DATA');
  expect(await refresh()).toMatchObject({ mode: 'plain', rows: 3 });
});

test('a reader that is still reading holds no refresh up', async () => {
  await installKeeper(database.pool, names);
  const reader = await database.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT * FROM public.session_stats');
  expect(await refresh(true)).toMatchObject({ mode: 'concurrent' });
  await reader.query('COMMIT');
});

test('a refresh that fails is noted with its error', async () => {
  await installKeeper(database.pool, names);
  const other = await database.connect();
  await other.query('BEGIN; CREATE INDEX in_the_way ON public.session_stats (status)');
  const client = await database.connect();
  const refreshing = refresh(true);
  const noted = expect(refreshing).rejects.toMatchObject({ code: '57014' });
  await untilWaitsFor(database.pool, other);
  await client.query(
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'REFRESH%' AND datname = current_database()",
  );
  await noted;
  await other.query('ROLLBACK');
  const { rows } = await query('SELECT error FROM keeper.stats_refreshes');
  expect(rows).toEqual([{ error: 'canceling statement due to user request' }]);
});
