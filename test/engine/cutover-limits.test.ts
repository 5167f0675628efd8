import { expect, test, vi } from 'vitest';
import { defaultCutoverLimits } from '../../src/move/cutover.ts';
import { backendOf } from '../move/blocked.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { closeGate } from './gate.ts';
import { tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const limits = { ...defaultCutoverLimits, lockTimeoutMs: 50, maxPauseMs: 20, attempts: 3 };

test('the cutover gives up after its attempts where a table stays locked, and the same command goes on later', async () => {
  const tandem = tandemOn(database, {}, { cutover: limits });
  await tandem.migrate({ stopBefore: 'cutover' });
  const report = await database.connect();
  await report.query('BEGIN; SELECT count(*) FROM public.sessions');
  const error = await tandem.migrate().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'TD020', exitCode: 4, message: expect.stringContaining('3 attempts') });
  expect(tandem.events.filter((event) => event.event === 'lock_attempt' && !event.obtained)).toHaveLength(3);
  const waited = { purpose: 'The cutover', attempt: 3, attempts: 3, reason: expect.stringContaining('lock timeout') };
  expect(await tandem.status()).toMatchObject({ phase: 'ready', lock_attempt: waited });
  // Nobody waits for Tandem now.
  await report.query('COMMIT');
  await report.query("SET lock_timeout = '1s'; UPDATE public.sessions SET title = 'free'");
  expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  expect(await tandem.status()).toMatchObject({ lock_attempt: null, cutover_attempts: 1 });
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
});

test('status tells the attempt that the cutover is at, while it is at it', async () => {
  const tandem = tandemOn(database, {}, { cutover: { ...limits, attempts: 40 } });
  await tandem.migrate({ stopBefore: 'cutover' });
  const report = await database.connect();
  await report.query('BEGIN; SELECT count(*) FROM public.messages');
  const run = tandem.migrate();
  await vi.waitFor(
    async () => expect((await tandem.status()).lock_attempt).toMatchObject({ purpose: 'The cutover', attempts: 40 }),
    { timeout: 60_000 },
  );
  await report.query('COMMIT');
  expect(await run).toMatchObject({ phase: 'baking' });
  expect((await tandem.status()).lock_attempt).toBe(null);
});

test('with terminateBlockers, who holds a lock that the cutover waits for is ended and named, and nobody else', async () => {
  const tandem = tandemOn(
    database,
    {},
    { cutover: { ...limits, lockTimeoutMs: 400, attempts: 3, terminateBlockers: true } },
  );
  await tandem.migrate({ stopBefore: 'cutover' });
  await database.pool.query('CREATE TABLE public.elsewhere ()');
  const [holder, referrer, bystander, idle] = await Promise.all([1, 2, 3, 4].map(() => database.connect()));
  if (!holder || !referrer || !bystander || !idle) throw new Error('There are no sessions.');
  await holder.query("SET application_name = 'nightly report'; BEGIN; SELECT count(*) FROM public.messages");
  // The foreign keys' other side is locked by the swap's own statements.
  await referrer.query('BEGIN; SELECT count(*) FROM auth.users');
  await bystander.query('BEGIN; SELECT count(*) FROM public.elsewhere');
  await idle.query('SELECT 1');
  const [pid, referrerPid] = await Promise.all([holder, referrer].map(backendOf));
  const others = await Promise.all([bystander, idle].map(backendOf));
  expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  // The first attempt is as polite as ever.
  expect(tandem.events).toContainEqual(expect.objectContaining({ event: 'lock_attempt', attempt: 1, obtained: false }));
  expect(tandem.events.filter((event) => event.event === 'note' && event.message.startsWith('Ended'))).toEqual([
    {
      event: 'note',
      message: expect.stringMatching(
        new RegExp(
          `^Ended the backend pid ${pid} \\(\\w+, nightly report, idle in transaction, open for .*\\): it held public.messages, for which the cutover waited\\.$`,
        ),
      ),
    },
    {
      event: 'note',
      message: expect.stringMatching(new RegExp(`^Ended the backend pid ${referrerPid} .*it held auth\\.users, for`)),
    },
  ]);
  const { rows } = await database.pool.query('SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1) ORDER BY pid', [
    [pid, ...others],
  ]);
  expect(rows.map((row) => row.pid)).toEqual(others.toSorted((a, b) => a - b));
  await bystander.query('COMMIT');
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
});

test('locks that would be held for too long are given back, and tried for again', async () => {
  const tandem = tandemOn(database, {}, { cutover: { ...limits, maxLockMs: 200, attempts: 20 } });
  const gate = await closeGate(database, { table: 'tandem.run', on: 'UPDATE', when: "NEW.phase = 'baking'" });
  const run = tandem.migrate();
  await gate.reached();
  // The application gets its turn while Tandem still does not.
  const client = await database.connect();
  await client.query("SET lock_timeout = '30s'");
  await client.query("UPDATE public.sessions SET title = 'meanwhile'");
  await gate.open();
  expect(await run).toMatchObject({ phase: 'baking' });
  const given = tandem.events.filter((event) => event.event === 'lock_attempt' && !event.obtained);
  expect(given.length).toBeGreaterThan(0);
  expect(
    (await database.pool.query("SELECT FROM public.sessions WHERE title IS DISTINCT FROM 'meanwhile'")).rowCount,
  ).toBe(0);
});

test('what is added to the tables while a run waits comes along, or is said', async () => {
  const tandem = tandemOn(database);
  await tandem.migrate({ stopBefore: 'cutover' });
  await database.pool.query(`
    CREATE TABLE public.likes (message_id uuid REFERENCES public.messages (id) ON DELETE CASCADE, session_id uuid REFERENCES public.sessions (id));
    INSERT INTO public.likes SELECT id, session_id FROM public.messages LIMIT 10;
    CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := ''2031-01-01Z''; RETURN NEW; END';
    CREATE TRIGGER stamp BEFORE UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.stamp()`);
  await tandem.migrate();
  await database.pool.query("UPDATE public.sessions SET title = 'stamped'");
  const { rows } = await database.pool.query(
    "SELECT count(*) FILTER (WHERE updated_at = '2031-01-01Z') = count(*) AS stamped FROM public.sessions",
  );
  expect(rows).toEqual([{ stamped: true }]);
  await expect(database.pool.query('INSERT INTO public.likes VALUES (gen_random_uuid())')).rejects.toMatchObject({
    code: '23503',
  });
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
});

test.each([
  { what: 'a column', sql: 'ALTER TABLE public.sessions ADD COLUMN mood text' },
  { what: 'an index', sql: 'CREATE INDEX another_idx ON public.messages (user_id)' },
  {
    what: 'a foreign key',
    sql: 'ALTER TABLE public.messages ADD COLUMN reply_to uuid; ALTER TABLE public.messages ADD FOREIGN KEY (reply_to) REFERENCES public.messages',
  },
])('$what that is added to a table during the run stops it at the next start', async ({ sql }) => {
  const tandem = tandemOn(database);
  await tandem.migrate({ stopBefore: 'cutover' });
  await database.pool.query(sql);
  expect(await tandem.migrate().catch((thrown: unknown) => thrown)).toMatchObject({ code: 'TD027', exitCode: 3 });
  await tandem.rollback();
  expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
});
