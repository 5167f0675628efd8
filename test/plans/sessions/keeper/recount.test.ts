import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { createFigureReader } from '../../../../plans/sessions/keeper/figures.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { recountStats } from '../../../../plans/sessions/keeper/recount.ts';
import { refreshStats } from '../../../../plans/sessions/keeper/refresh.ts';
import { writeStatsPolicy } from '../../../../plans/sessions/keeper/stats-policy.ts';
import { statsTasks } from '../../../../plans/sessions/keeper/stats-tasks.ts';
import { useDatabase } from '../../../support/database.ts';
import { expectFolded } from '../rollup.ts';
import { idleSessions, idOf, names, never } from './keeping.ts';

const database = useDatabase(idleSessions);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
const notes = async () =>
  (
    await query(
      'SELECT sessions::int, drifted::int, ended_at IS NOT NULL AS ended FROM keeper.stats_recounts ORDER BY id',
    )
  ).rows;

/** Writes that no trigger sees. */
async function drift(): Promise<void> {
  await query(`ALTER TABLE public.messages DISABLE TRIGGER session_changes_delete;
    DELETE FROM public.messages WHERE session_id IN ('${idOf('active', 9)}', '${idOf('deleted', 4)}') AND sequence_number = 2;
    ALTER TABLE public.messages ENABLE ALWAYS TRIGGER session_changes_delete`);
}

test('drift is found, put right, counted, noted and shown by the next refresh', async () => {
  await installKeeper(database.pool, names);
  const refresh = () => refreshStats({ pool: database.pool, names });
  const figures = createFigureReader(database.pool, names, sessionsConfigSchema.parse({}).monitoring.partitionLimits);
  expect((await figures.read()).keeper?.driftedSessions).toBe(0);
  await refresh();
  await drift();
  const [, task] = statsTasks(database.pool, names, { recountEveryMs: 1 });
  const did = await task?.run({ signal: never(), fence: async () => undefined });
  expect(did).toBe('30 sessions counted anew, 2 had drifted and were put right');
  expect(await notes()).toEqual([{ sessions: 30, drifted: 2, ended: true }]);
  const told = async () => (await figures.read()).keeper?.driftedSessions;
  expect(await told()).toBe(2);
  await query('SELECT FROM keeper.recount_batch(20, true)');
  // The one that is under way has found none so far.
  expect(await told()).toBe(2);
  await query('SELECT FROM keeper.recount_batch(20)');
  expect(await told()).toBe(0);
  await expectFolded(database.pool);
  expect(await refresh()).toMatchObject({ mode: 'concurrent' });
  const { rows } = await query("SELECT messages::int FROM public.session_stats WHERE status <> 'archived'");
  expect(rows).toEqual([{ messages: 54 }, { messages: 54 }]);
});

test('it is due once a day, or whenever the policy says, or on demand', async () => {
  await installKeeper(database.pool, names);
  const recount = (force = false) => recountStats({ pool: database.pool, force });
  expect(await recount()).toEqual({ sessions: 30, drifted: 0 });
  expect(await recount()).toBeNull();
  await query("UPDATE keeper.stats_recounts SET started_at = now() - interval '23 hours'");
  expect(await recount()).toBeNull();
  await query("UPDATE keeper.stats_recounts SET started_at = now() - interval '25 hours'");
  expect(await recount()).toEqual({ sessions: 30, drifted: 0 });
  await writeStatsPolicy(database.pool, { refreshEverySeconds: 60, share: 0.05, recountEveryHours: null });
  await query("UPDATE keeper.stats_recounts SET started_at = now() - interval '1 year'");
  expect(await recount()).toBeNull();
  expect(await recount(true)).toEqual({ sessions: 30, drifted: 0 });
  expect(await notes()).toHaveLength(3);
});

test('one that is stopped goes on where it was, in another process too, and at the hands of CALL', async () => {
  await installKeeper(database.pool, names);
  const batches: number[] = [];
  for (let i = 0; i < 5; i++) {
    const { rows } = await query('SELECT sessions::int, ended FROM keeper.recount_batch(4)');
    batches.push(rows[0].sessions);
    expect(rows[0].ended).toBe(false);
  }
  expect(batches).toEqual([4, 8, 12, 16, 20]);
  await drift();
  await query('CALL keeper.refresh_stats()');
  // Of the two that have drifted, one was counted before.
  expect(await notes()).toEqual([{ sessions: 30, drifted: 1, ended: true }]);
});

test('a pause follows each batch, as long as the share of the time asks for', async () => {
  await installKeeper(database.pool, names);
  await query(`INSERT INTO public.sessions (user_id, language, level)
    SELECT '00000000-0000-0000-0000-00000000000a', 'en', 'beginner' FROM generate_series(1, 300)`);
  const paces: number[] = [];
  const pace = async (elapsedMs: number) => void paces.push(elapsedMs);
  expect(await recountStats({ pool: database.pool, pace })).toEqual({ sessions: 330, drifted: 0 });
  expect(paces.length).toBeGreaterThan(0);
  const stop = new AbortController();
  const stopped = recountStats({
    pool: database.pool,
    force: true,
    signal: stop.signal,
    pace: async () => stop.abort(),
  });
  await expect(stopped).rejects.toMatchObject({ code: 'TD022' });
});
