import { expect, test } from 'vitest';
import { acquireLease, releaseLease } from '../../../../src/keeper/lease.ts';
import { useRoles } from '../../../engine/roles.ts';
import { useDatabase } from '../../../support/database.ts';
import { refusal } from '../fixtures.ts';
import { idleSessions, idOf, pidOf, statuses, statusOf, untilWaitsFor, usePolicy } from './keeping.ts';

const roles = useRoles({ runner: 'NOLOGIN' });
const database = useDatabase(idleSessions);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
const call = () => query('CALL keeper.archive()');
const lastRun = async () =>
  (
    await query(
      `SELECT archived::int, deleted::int, purged::int, note, error, ended_at IS NOT NULL AS ended
         FROM keeper.archive_runs ORDER BY id DESC LIMIT 1`,
    )
  ).rows[0];
const nothing = { archived: 0, deleted: 0, purged: 0, note: null, error: null, ended: true };

test('does what `tandem archive` does, and notes it', async () => {
  await usePolicy(database.pool, { deleteAfterDays: 170, purgeAfterDays: 190 });
  await call();
  expect(await lastRun()).toEqual({ ...nothing, archived: 6, deleted: 2, purged: 1 });
  expect(await statuses(database.pool)).toEqual({ active: 4, archived: 14, deleted: 11 });
  const { rows } = await query('SELECT session_id, messages::int FROM keeper.purged_sessions');
  expect(rows).toEqual([{ session_id: idOf('deleted', 10), messages: 10 }]);
  await call();
  expect(await lastRun()).toEqual(nothing);
});

test('does nothing while a daemon leads, and says so', async () => {
  await usePolicy(database.pool);
  const epoch = (await acquireLease(database.pool, 'here/1')) ?? '';
  await call();
  expect(await lastRun()).toEqual({ ...nothing, note: 'here/1 leads' });
  await releaseLease(database.pool, epoch);
  await call();
  expect(await lastRun()).toMatchObject({ archived: 6 });
});

test('runs no operator of another schema, which somebody may have made to be run by its role', async () => {
  await usePolicy(database.pool);
  for (const [left, right] of [
    ['integer', 'numeric'],
    ['bigint', 'double precision'],
  ])
    await query(`
      CREATE FUNCTION public.seize(${left}, ${right}) RETURNS double precision LANGUAGE plpgsql AS $$ BEGIN RAISE 'seized'; END $$;
      CREATE OPERATOR public.* (FUNCTION = public.seize, LEFTARG = ${left}, RIGHTARG = ${right})`);
  // With the search_path of the server, as pg_cron calls it.
  const plain = await database.connect();
  await plain.query('CALL keeper.archive()');
  expect(await lastRun()).toEqual({ ...nothing, archived: 6 });
});

/** Whatever runs into `public.pass_gate()` waits there for what is returned. */
async function closeGate() {
  const gate = await database.connect();
  await gate.query(`
    CREATE FUNCTION public.pass_gate() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_lock_shared(7); PERFORM pg_advisory_unlock_shared(7); RETURN false; END $$;
    CREATE FUNCTION public.pass_gate_at_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM public.pass_gate(); RETURN NULL; END $$;
    SELECT pg_advisory_lock(7)`);
  return {
    arrived: () => untilWaitsFor(database.pool, gate),
    open: () => gate.query('SELECT pg_advisory_unlock(7)'),
  };
}

test('ends where a daemon leads from then on', async () => {
  await usePolicy(database.pool);
  const gate = await closeGate();
  await query("UPDATE keeper.control SET throttle_sql = 'SELECT public.pass_gate()'");
  const called = call();
  await gate.arrived();
  await acquireLease(database.pool, 'here/1');
  await gate.open();
  await called;
  expect(await lastRun()).toEqual({ ...nothing, note: 'here/1 leads now' });
});

test('a daemon that would lead waits for the batch at work', async () => {
  await usePolicy(database.pool);
  const gate = await closeGate();
  await query(
    'CREATE TRIGGER gate AFTER UPDATE ON keeper.archive_runs FOR EACH ROW EXECUTE FUNCTION public.pass_gate_at_row()',
  );
  const job = await database.connect();
  await pidOf(job);
  const called = job.query('CALL keeper.archive()');
  await gate.arrived();
  const leading = acquireLease(database.pool, 'here/1');
  await untilWaitsFor(database.pool, job);
  await gate.open();
  expect(await leading).toBe('1');
  await called;
});

test.each([
  ['paused = true', 'paused by `tandem pause`'],
  ['max_active = -1', expect.stringMatching(/^max-active: \d+ backends are active, more than -1$/)],
  ['max_wal_rate = -1', expect.stringMatching(/^max-wal-rate: \d+ MB of WAL a second/)],
  ["throttle_sql = 'SELECT true'", 'sql: the throttle query says so'],
  ["throttle_sql = 'SELECT ''the disk is full'''", 'sql: the disk is full'],
  ["throttle_sql = 'DELETE FROM keeper.archive_runs'", expect.stringContaining('read-only transaction')],
])('is held back where %s', async (setting, reason) => {
  await usePolicy(database.pool);
  await query(`UPDATE keeper.control SET ${setting}`);
  await call();
  expect(await lastRun()).toEqual({ ...nothing, note: reason });
  await query('UPDATE keeper.control SET paused = false, max_active = 100, max_wal_rate = 1e12, throttle_sql = $1', [
    'SELECT false',
  ]);
  await call();
  expect(await lastRun()).toMatchObject({ archived: 6, note: null });
});

test('is held back where the role may not see what the sessions of others do', async () => {
  await usePolicy(database.pool);
  await query(`UPDATE keeper.control SET max_active = 1000; GRANT USAGE ON SCHEMA keeper TO ${roles.runner};
    GRANT SELECT ON keeper.control TO ${roles.runner}; GRANT EXECUTE ON FUNCTION keeper.held_back TO ${roles.runner}`);
  await database.connect();
  const runner = await database.connect();
  await runner.query(`SET ROLE ${roles.runner}`);
  const { rows } = await runner.query('SELECT keeper.held_back(0) AS reason');
  expect(rows).toEqual([{ reason: 'max-active cannot be read: the role needs pg_monitor' }]);
});

test('purges nothing where the policy wants files, and goes on with the rest', async () => {
  await usePolicy(database.pool, { purgeAfterDays: 30, archiveDirectory: '/var/purged' });
  await call();
  expect(await lastRun()).toMatchObject({
    archived: 6,
    purged: 0,
    note: expect.stringContaining('only `tandem` writes'),
  });
  expect(await statusOf(database.pool, idOf('deleted', 10))).toBe('deleted');
});

test('an error is noted, and fails the call', async () => {
  await usePolicy(database.pool);
  await query(`
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no luck'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
  await expect(call()).rejects.toMatchObject({ message: 'Run 1 of the archiving failed: no luck' });
  expect(await lastRun()).toEqual({ ...nothing, error: 'no luck', note: expect.stringContaining(idOf('active', 10)) });
  const client = await database.connect();
  await client.query('BEGIN');
  expect(await refusal(client.query('CALL keeper.archive()'))).toBe('2D000');
});

test.each([
  ['between two batches', "UPDATE keeper.control SET throttle_sql = 'SELECT public.pass_gate()'", false],
  [
    'in a batch',
    'CREATE TRIGGER gate AFTER INSERT ON keeper.session_moves FOR EACH ROW EXECUTE FUNCTION public.pass_gate_at_row()',
    true,
  ],
])('a call that is cancelled %s leaves no run open', async (_, waiting, atOnce) => {
  await usePolicy(database.pool);
  const gate = await closeGate();
  await query(waiting);
  const job = await database.connect();
  const pid = await pidOf(job);
  const called = job.query('CALL keeper.archive()').then(
    () => null,
    (error: { code: string }) => error.code,
  );
  await gate.arrived();
  // Somebody else's run does not close one that is at work.
  await query('SELECT keeper.end_run(keeper.begin_run())');
  expect((await query('SELECT ended_at FROM keeper.archive_runs WHERE id = 1')).rows).toEqual([{ ended_at: null }]);
  await query('SELECT pg_cancel_backend($1)', [pid]);
  expect(await called).toBe('57014');
  await gate.open();
  const ended = async () =>
    (await query('SELECT error, ended_at IS NOT NULL AS ended FROM keeper.archive_runs WHERE id = 1')).rows;
  expect(await ended()).toEqual(
    atOnce ? [{ error: expect.stringContaining('cancel'), ended: true }] : [{ error: null, ended: false }],
  );
  // As a job's session, it ends.
  await job.end();
  await query('UPDATE keeper.control SET throttle_sql = NULL; DROP TRIGGER IF EXISTS gate ON keeper.session_moves');
  await call();
  expect(await ended()).toEqual([{ error: expect.stringContaining(atOnce ? 'cancel' : 'interrupted'), ended: true }]);
  expect(await lastRun()).toEqual({ ...nothing, archived: 6 });
});
