import { describe, expect, test } from 'vitest';
import { archiveDue } from '../../../../plans/sessions/keeper/archive.ts';
import { keeperControl } from '../../../../plans/sessions/keeper/control.ts';
import { countDue, eachDue } from '../../../../plans/sessions/keeper/due.ts';
import { placeHold } from '../../../../plans/sessions/keeper/holds.ts';
import { assertMigrated, installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { defaultPolicy, isStricter, readPolicy, writePolicy } from '../../../../plans/sessions/keeper/policy.ts';
import { undoRun } from '../../../../plans/sessions/keeper/undo.ts';
import { setPaused, setThrottles } from '../../../../src/engine/control.ts';
import { useDatabase } from '../../../support/database.ts';
import { flat } from '../fixtures.ts';
import { idleSessions, idOf, names, never, run, statuses, statusOf, usePolicy } from './keeping.ts';

describe('archiving', () => {
  const database = useDatabase(idleSessions);
  const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);

  test('moves sessions that were idle for longer than the policy allows, and no message', async () => {
    const before = await query('SELECT m.xmin, m.ctid, m.* FROM public.messages m ORDER BY id');
    // Idle for 20, 40, 60, 80 and then 100 to 200 days.
    expect(await run(database.pool)).toMatchObject({ archived: 6, deleted: 0, purged: 0 });
    expect(await statuses(database.pool)).toEqual({ active: 4, archived: 16, deleted: 10 });
    expect((await query('SELECT m.xmin, m.ctid, m.* FROM public.messages m ORDER BY id')).rows).toEqual(before.rows);
    expect(await run(database.pool)).toMatchObject({ archived: 0 });
  });

  test('takes one step a run, and counts the time in a status from when the keeper put it there', async () => {
    const policy = { archiveAfterDays: 90, deleteAfterDays: 30, purgeAfterDays: null };
    expect(await run(database.pool, policy)).toMatchObject({ archived: 6, deleted: 9 });
    expect(await run(database.pool, policy)).toMatchObject({ archived: 0, deleted: 0 });
    await query("UPDATE keeper.session_moves SET moved_at = moved_at - interval '31 days'");
    expect(await run(database.pool, policy)).toMatchObject({ archived: 0, deleted: 6 });
  });

  test('purges with messages and feedback, and leaves an audit row for each', async () => {
    expect(await run(database.pool, { archiveAfterDays: null, purgeAfterDays: 150 })).toMatchObject({ purged: 3 });
    expect(await statuses(database.pool)).toEqual({ active: 10, archived: 10, deleted: 7 });
    const audit = await query(
      `SELECT session_id, messages::int, feedback::int, purge_after = interval '150 days' AS policy, purged_by = session_user AS by
         FROM keeper.purged_sessions ORDER BY messages`,
    );
    expect(audit.rows).toEqual(
      [8, 9, 10].map((n) => ({ session_id: idOf('deleted', n), messages: n, feedback: 1, policy: true, by: true })),
    );
    const left = await query(
      'SELECT count(*)::int AS n FROM public.messages m WHERE m.session_id IN (SELECT session_id FROM keeper.purged_sessions)',
    );
    expect(left.rows).toEqual([{ n: 0 }]);
  });

  test('leaves a session alone that somebody is writing to, and one that was used while it waited', async () => {
    await installKeeper(database.pool, names);
    const writer = await database.connect();
    await writer.query('BEGIN');
    await writer.query('UPDATE public.sessions SET last_accessed = now() WHERE id = $1', [idOf('active', 10)]);
    expect(await run(database.pool)).toMatchObject({ archived: 5 });
    await writer.query('COMMIT');
    expect(await run(database.pool)).toMatchObject({ archived: 0 });
    expect(await statusOf(database.pool, idOf('active', 10))).toBe('active');
  });

  test('counts the time in a status from when the application put it there, and lets a deletion rest for the grace time', async () => {
    await usePolicy(database.pool, { archiveAfterDays: null, purgeAfterDays: 3, graceDays: 10 });
    await query("UPDATE public.sessions SET status = 'deleted' WHERE id = $1", [idOf('active', 10)]);
    expect(await run(database.pool, { archiveAfterDays: null, purgeAfterDays: 3, graceDays: 10 })).toMatchObject({
      purged: 10,
    });
    await query("UPDATE keeper.session_moves SET moved_at = moved_at - interval '5 days'");
    expect(await run(database.pool, { archiveAfterDays: null, purgeAfterDays: 3, graceDays: 10 })).toMatchObject({
      purged: 0,
    });
    expect(await run(database.pool, { archiveAfterDays: null, purgeAfterDays: 3, graceDays: 4 })).toMatchObject({
      purged: 1,
    });
  });

  test('purges no session of which somebody has locked a message or a score', async () => {
    await installKeeper(database.pool, names);
    const writer = await database.connect();
    await writer.query('BEGIN');
    await writer.query("UPDATE public.messages SET content = 'Edited' WHERE session_id = $1 AND sequence_number = 2", [
      idOf('deleted', 10),
    ]);
    await writer.query(
      'UPDATE public.message_feedback f SET overall_score = 1 FROM public.messages m WHERE m.id = f.message_id AND m.session_id = $1',
      [idOf('deleted', 9)],
    );
    const policy = { archiveAfterDays: null, purgeAfterDays: 150 };
    expect(await run(database.pool, policy)).toMatchObject({ purged: 1 });
    await writer.query('COMMIT');
    expect(await run(database.pool, policy)).toMatchObject({ purged: 2 });
  });

  test('waits while it is paused, or held back by a throttle, and tells why', async () => {
    await usePolicy(database.pool);
    await setPaused(database.pool, true, keeperControl);
    const told: (string | null)[] = [];
    let tell = () => {};
    const paused = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const running = archiveDue({
      pool: database.pool,
      names,
      signal: never(),
      onThrottle: (reason) => {
        told.push(reason);
        tell();
      },
    });
    await paused;
    expect(await statuses(database.pool)).toMatchObject({ active: 10 });
    await setThrottles(
      database.pool,
      { sql: "SELECT CASE WHEN paused THEN 'not yet' END FROM keeper.control" },
      keeperControl,
    );
    await setPaused(database.pool, false, keeperControl);
    expect(await running).toMatchObject({ archived: 6 });
    expect(told).toEqual(['paused by `tandem pause`', null]);
  });

  test('forgets when a session came into a status that it has left, and not into the one that it is in', async () => {
    const moves = async () => (await query('SELECT to_status FROM keeper.session_moves')).rows.length;
    await run(database.pool);
    await query("UPDATE keeper.session_moves SET moved_at = moved_at - interval '91 days'");
    await run(database.pool);
    expect(await moves()).toBe(6);
    await query("UPDATE public.sessions SET status = 'active', last_accessed = now() WHERE id = $1", [
      idOf('active', 10),
    ]);
    expect(await moves()).toBe(7);
    await run(database.pool);
    expect(await moves()).toBe(6);
  });

  test('lets a deleted session rest from when it was deleted, though no policy asked for it then', async () => {
    await usePolicy(database.pool, { archiveAfterDays: null });
    const deleted = idOf('archived', 8);
    await query("UPDATE public.sessions SET status = 'deleted' WHERE id = $1", [deleted]);
    await query("UPDATE keeper.session_moves SET moved_at = moved_at - interval '8 days'");
    await run(database.pool, { archiveAfterDays: null });
    await run(database.pool, { archiveAfterDays: null, purgeAfterDays: 90 });
    expect(await statusOf(database.pool, deleted)).toBe('deleted');
  });

  test('stops at a signal between two batches; the run says so, and the next one goes on', async () => {
    await usePolicy(database.pool, { deleteAfterDays: 30 });
    const stop = new AbortController();
    const stopped = archiveDue({
      pool: database.pool,
      names,
      signal: stop.signal,
      onBatch: () => stop.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'TD022' });
    const { rows } = await query(
      'SELECT deleted::int, archived::int, error, ended_at IS NOT NULL AS ended FROM keeper.archive_runs',
    );
    expect(rows).toEqual([{ deleted: 9, archived: 0, error: expect.stringContaining('Stopped'), ended: true }]);
    expect(await run(database.pool)).toMatchObject({ archived: 6 });
  });

  test('says beforehand exactly what it will do', async () => {
    await installKeeper(database.pool, names);
    await placeHold(database.pool, idOf('active', 9), 'a dispute');
    const policy = { ...defaultPolicy, deleteAfterDays: 170, purgeAfterDays: 190 };
    const due = await countDue(database.pool, policy);
    expect(due).toMatchObject([
      { transition: 'purged', sessions: 1, sample: [idOf('deleted', 10)] },
      { transition: 'deleted', sessions: 2, sample: [idOf('archived', 10), idOf('archived', 9)] },
      { transition: 'archived', sessions: 5, sample: [10, 8, 7, 6, 5].map((n) => idOf('active', n)) },
    ]);
    const said: Record<string, string[]> = { purged: [], deleted: [], archived: [] };
    await eachDue(database.pool, policy, ({ transition, session }) => said[transition]?.push(session));
    const { id } = await run(database.pool, policy);
    const did = await query(
      `SELECT to_status::text AS transition, array_agg(session_id::text) AS ids FROM keeper.session_moves WHERE run_id = $1 GROUP BY 1
       UNION ALL SELECT 'purged', array_agg(session_id::text) FROM keeper.purged_sessions WHERE run_id = $1`,
      [id],
    );
    const sorted = (lists: Record<string, string[]>) => Object.entries(lists).map(([k, ids]) => [k, ids.toSorted()]);
    expect(sorted(Object.fromEntries(did.rows.map((r) => [r.transition, r.ids]))).toSorted()).toEqual(
      sorted(said).toSorted(),
    );
    expect((await countDue(database.pool, policy)).map((d) => d.sessions)).toEqual([0, 0, 0]);
  });

  test('keeps its policy in a table, and knows which of two is stricter', async () => {
    await installKeeper(database.pool, names);
    expect(await readPolicy(database.pool)).toEqual(defaultPolicy);
    const policy = { ...defaultPolicy, archiveAfterDays: 30, deleteAfterDays: 365, archiveDirectory: '/var/purged' };
    await writePolicy(database.pool, policy, 9);
    await installKeeper(database.pool, names);
    expect(await readPolicy(database.pool)).toEqual(policy);
    expect([isStricter(policy, defaultPolicy), isStricter(defaultPolicy, policy)]).toEqual([true, false]);
    expect(isStricter({ ...defaultPolicy, archiveAfterDays: null }, defaultPolicy)).toBe(false);
    expect(isStricter({ ...defaultPolicy, graceDays: 1 }, defaultPolicy)).toBe(true);
  });

  test('takes a stricter policy only from somebody who knows how many sessions it moves', async () => {
    await installKeeper(database.pool, names);
    const stricter = { ...defaultPolicy, archiveAfterDays: 30 };
    // 40 to 200 days.
    await expect(writePolicy(database.pool, stricter, 8)).rejects.toMatchObject({
      code: 'TD013',
      message: expect.stringContaining('9 sessions'),
    });
    await expect(query("UPDATE keeper.archive_policy SET archive_after = '30 days'")).rejects.toMatchObject({
      code: '55000',
      hint: "SET keeper.affected = '9' before, if that is what is wanted.",
    });
    expect(await readPolicy(database.pool)).toEqual(defaultPolicy);
    await writePolicy(database.pool, stricter, 9);
    await query("UPDATE keeper.archive_policy SET archive_after = '40 days'");
  });
});

describe('a session that a trigger of the application’s keeps where it is', () => {
  const database = useDatabase(idleSessions);
  const query = (sql: string) => database.pool.query(sql);
  const runs: [string, (pool: typeof database.pool) => Promise<unknown>][] = [
    ['`tandem archive`', (pool) => archiveDue({ pool, names, signal: never() })],
    ['CALL keeper.archive()', (pool) => pool.query('CALL keeper.archive()')],
  ];

  test.each(
    runs.flatMap(([name, archive]) => [
      { name, archive, how: 'RETURN NULL' },
      { name, archive, how: 'NEW.status := OLD.status; RETURN NEW' },
    ]),
  )('is not counted, and ends the run of $name: $how', async ({ archive, how }) => {
    await usePolicy(database.pool);
    await query(`
      CREATE FUNCTION public.pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${how}; END $$;
      CREATE TRIGGER pin BEFORE UPDATE ON public.sessions FOR EACH ROW WHEN (OLD.title IN ('active 5', 'active 10')) EXECUTE FUNCTION public.pin()`);
    await archive(database.pool);
    expect(await statusOf(database.pool, idOf('active', 10))).toBe('active');
    const { rows } = await query('SELECT archived::int, ended_at IS NOT NULL AS ended FROM keeper.archive_runs');
    expect(rows).toEqual([{ archived: 4, ended: true }]);
  });

  test.each(runs)('is purged by %s whole or not at all', async (_, archive) => {
    await usePolicy(database.pool, { purgeAfterDays: 170 });
    await query(`
      CREATE FUNCTION public.pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
      CREATE TRIGGER pin BEFORE DELETE ON public.sessions FOR EACH ROW WHEN (OLD.status = 'deleted') EXECUTE FUNCTION public.pin()`);
    await expect(archive(database.pool)).rejects.toThrow('1 of 1 sessions would not be deleted');
    // And the others are archived nevertheless.
    expect(await statuses(database.pool)).toMatchObject({ active: 4, archived: 16, deleted: 10 });
    const { rows } = await query(`SELECT (SELECT count(*)::int FROM public.messages) AS messages,
      (SELECT count(*)::int FROM public.message_feedback) AS feedback, (SELECT count(*)::int FROM keeper.purged_sessions) AS noted`);
    expect(rows).toEqual([{ messages: 165, feedback: 30, noted: 0 }]);
  });
});

describe('undoing a run', () => {
  const database = useDatabase(idleSessions);

  test('brings back what it moved, but what was moved on since; they are not due again at once', async () => {
    const policy = { archiveAfterDays: 90, deleteAfterDays: 30 };
    const first = await run(database.pool, policy);
    await database.pool.query("UPDATE public.sessions SET status = 'active' WHERE id = $1", [idOf('active', 10)]);
    expect(await undoRun(database.pool, names, first.id, never())).toEqual({
      run: first.id,
      restored: 14,
      left: 1,
      busy: 0,
      kept: 0,
      purged: 0,
    });
    expect(await statuses(database.pool)).toEqual({ active: 10, archived: 10, deleted: 10 });
    const { rows } = await database.pool.query('SELECT count(*)::int AS n FROM public.messages');
    expect(rows).toEqual([{ n: 165 }]);
    // The one that the application itself took back is not due again at once either.
    expect(await run(database.pool, policy)).toMatchObject({ archived: 0, deleted: 0 });
    await expect(undoRun(database.pool, names, first.id, never())).rejects.toMatchObject({ code: 'TD012' });
  });

  test('brings back only within the grace time', async () => {
    const { id } = await run(database.pool);
    await database.pool.query("UPDATE keeper.archive_runs SET started_at = started_at - interval '8 days'");
    await expect(undoRun(database.pool, names, id, never())).rejects.toMatchObject({
      code: 'TD012',
      message: expect.stringContaining('grace time'),
    });
    await usePolicy(database.pool, { graceDays: 9 });
    expect(await undoRun(database.pool, names, id, never())).toMatchObject({ restored: 6 });
  });

  test('says which sessions somebody is writing to, and takes them the next time', async () => {
    const { id } = await run(database.pool);
    const writer = await database.connect();
    await writer.query('BEGIN');
    await writer.query("UPDATE public.sessions SET title = 'Mine' WHERE id = $1", [idOf('active', 10)]);
    expect(await undoRun(database.pool, names, id, never())).toMatchObject({ restored: 5, busy: 1, left: 0 });
    await writer.query('COMMIT');
    expect(await undoRun(database.pool, names, id, never())).toMatchObject({ restored: 1, busy: 0 });
  });

  test('waits for nobody who adds a message, and so is no part of a deadlock where that session is wanted next', async () => {
    const { id } = await run(database.pool);
    const writer = await database.connect();
    await writer.query('BEGIN');
    await writer.query(
      "INSERT INTO public.messages (session_id, user_id, content) SELECT id, user_id, 'Hello again' FROM public.sessions WHERE id = $1",
      [idOf('active', 10)],
    );
    expect(await undoRun(database.pool, names, id, never())).toMatchObject({ restored: 5, busy: 1, left: 0 });
    await writer.query('UPDATE public.sessions SET last_accessed = now() WHERE id = $1', [idOf('active', 10)]);
    await writer.query('COMMIT');
    expect(await undoRun(database.pool, names, id, never())).toMatchObject({ restored: 1, busy: 0 });
  });

  test.each(['NEW.status := OLD.status; RETURN NEW', 'RETURN NULL', "RAISE EXCEPTION 'not that one'"])(
    'ends where a trigger keeps a session, and says so: %s',
    async (how) => {
      const { id } = await run(database.pool);
      await database.pool.query(`
        CREATE FUNCTION public.pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${how}; END $$;
        CREATE TRIGGER pin BEFORE UPDATE ON public.sessions FOR EACH ROW WHEN (OLD.title IN ('active 5', 'active 10')) EXECUTE FUNCTION public.pin()`);
      expect(await undoRun(database.pool, names, id, never())).toMatchObject({
        restored: 4,
        kept: 2,
        busy: 0,
        left: 0,
      });
      await database.pool.query('DROP TRIGGER pin ON public.sessions');
      expect(await undoRun(database.pool, names, id, never())).toMatchObject({ restored: 2, kept: 0 });
      await expect(undoRun(database.pool, names, id, never())).rejects.toMatchObject({ code: 'TD012' });
    },
  );

  test('takes the last run that moved anything where none is named', async () => {
    const { id } = await run(database.pool);
    await run(database.pool);
    expect(await undoRun(database.pool, names, null, never())).toMatchObject({ run: id, restored: 6 });
    await expect(undoRun(database.pool, names, null, never())).rejects.toMatchObject({
      code: 'TD012',
      message: 'There is no run to undo.',
    });
  });
});

describe('where the tables are still flat', () => {
  const database = useDatabase(flat);
  test('the keeper refuses, and makes nothing', async () => {
    await expect(assertMigrated(database.pool, names)).rejects.toMatchObject({ code: 'TD012' });
    await expect(installKeeper(database.pool, names)).rejects.toMatchObject({ code: 'TD012' });
    const { rowCount } = await database.pool.query("SELECT FROM pg_namespace WHERE nspname = 'keeper'");
    expect(rowCount).toBe(0);
  });
});

describe('a run that nobody has ended', () => {
  const database = useDatabase(idleSessions);
  const query = (sql: string) => database.pool.query(sql);

  test('is closed by the next one, and not where somebody is at work on it', async () => {
    await usePolicy(database.pool);
    await query('INSERT INTO keeper.archive_runs DEFAULT VALUES');
    const other = await database.connect();
    const looks: Promise<unknown>[] = [];
    const look = async () => {
      await other.query('SELECT keeper.end_run(keeper.begin_run())');
      return (await other.query('SELECT error FROM keeper.archive_runs WHERE id = 2')).rows[0].error;
    };
    await archiveDue({ pool: database.pool, names, signal: never(), onBatch: () => looks.push(look()) });
    expect(new Set(await Promise.all(looks))).toEqual(new Set([null]));
    const { rows } = await query(
      'SELECT error, ended_at IS NOT NULL AS ended FROM keeper.archive_runs WHERE id < 3 ORDER BY id',
    );
    expect(rows).toEqual([
      { error: 'It was interrupted.', ended: true },
      { error: null, ended: true },
    ]);
    // Its own lock is given back, whatever became of its session.
    expect(
      (
        await query(
          "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = keeper.run_lock()::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
      ).rows,
    ).toEqual([]);
  });
});

describe('any number of sessions that were last used at one moment', () => {
  const database = useDatabase(idleSessions);
  const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
  const runs: [string, () => Promise<unknown>][] = [
    ['`tandem archive`', () => archiveDue({ pool: database.pool, names, signal: never() })],
    ['CALL keeper.archive()', () => query('CALL keeper.archive()')],
  ];
  /** 250 more sessions than the first batch takes, which stand before all others. */
  const crowd = (status: string) =>
    query(
      `INSERT INTO public.sessions (id, user_id, language, level, status, title, last_accessed)
       SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, '00000000-0000-0000-0000-00000000000a', 'en', 'beginner', $1, 'crowd', now() - interval '1000 days'
         FROM generate_series(1, 350) n`,
      [status],
    );

  test.each(runs)('do not keep %s from those behind them, where a trigger keeps them', async (_, archive) => {
    await usePolicy(database.pool);
    await crowd('active');
    await query(`
      CREATE FUNCTION public.pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
      CREATE TRIGGER pin BEFORE UPDATE ON public.sessions FOR EACH ROW WHEN (OLD.title = 'crowd') EXECUTE FUNCTION public.pin()`);
    await archive();
    expect(await statuses(database.pool)).toMatchObject({ active: 354, archived: 16 });
  });

  test.each(runs)(
    'do not keep %s from those behind them, where somebody writes to their messages',
    async (_, archive) => {
      await usePolicy(database.pool, { purgeAfterDays: 170 });
      await crowd('deleted');
      await query(
        `INSERT INTO public.messages (session_id, user_id, content) SELECT id, user_id, 'Hello' FROM public.sessions WHERE title = 'crowd'`,
      );
      const client = await database.connect();
      await client.query('BEGIN');
      await client.query(
        `SELECT FROM public.messages m JOIN public.sessions s ON s.id = m.session_id WHERE s.title = 'crowd' FOR UPDATE OF m`,
      );
      await archive();
      expect(await statuses(database.pool)).toMatchObject({ deleted: 358 });
      await client.query('ROLLBACK');
      await archive();
      expect(await statuses(database.pool)).toMatchObject({ deleted: 8 });
    },
  );

  test.each(runs)('are purged by %s but for those that something of the application’s refuses', async (_, archive) => {
    await usePolicy(database.pool, { purgeAfterDays: 170 });
    await crowd('deleted');
    await query(`
      CREATE TABLE public.invoices (session_id uuid REFERENCES private.session_keys);
      INSERT INTO public.invoices SELECT id FROM public.sessions WHERE title = 'crowd' AND right(id::text, 2) IN ('00', '50');
      CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not that one'; END $$;
      CREATE CONSTRAINT TRIGGER refuse AFTER DELETE ON private.session_keys DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (right(OLD.id::text, 3) = '123') EXECUTE FUNCTION public.refuse()`);
    await expect(archive()).rejects.toThrow('invoices');
    // Seven are 50, 100, …, 350; one more is 123.
    expect(await statuses(database.pool)).toMatchObject({ deleted: 8 + 8, archived: 16 });
    const { rows } = await query('SELECT purged::int, error, note FROM keeper.archive_runs');
    const leftOut = [50, 100, 123, 150, 200, 250, 300, 350].map(
      (n) => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`,
    );
    expect(rows).toEqual([
      { purged: 344, error: expect.stringContaining('invoices'), note: `left out: ${leftOut.join(', ')}` },
    ]);
  });
});
