import { setTimeout as wait } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { startClients } from '../../src/demo/clients.ts';
import { compareLedger } from '../../src/demo/compare-ledger.ts';
import { statuses } from '../../src/demo/flat-tables.ts';
import { loadFlatTables } from '../../src/demo/load.ts';
import { useDatabase } from '../support/database.ts';
import { flatTables, NOW } from './flat-database.ts';
import { moveByHand } from './hand-made-move.ts';

const database = useDatabase(flatTables);
const start = (options: { clients?: number; thinkTimeMs?: number; sessionsPerClient?: number } = {}) =>
  startClients({ databaseUrl: database.url, clients: 4, seed: 3, thinkTimeMs: 1, sessionsPerClient: 20, ...options });

const PRELOADED = 200;
beforeEach(() => loadFlatTables(database.pool, { sessions: PRELOADED, messages: 1_500, seed: 8, now: NOW }));

describe('clients', () => {
  test('do all that an application does, and find every row as they left it', async () => {
    const before = await writes();
    const clients = await start();
    const preloaded = new Set(clients.ledger.sessions.keys());
    await eventually(() => {
      const opened = [...clients.ledger.sessions]
        .filter(([id]) => !preloaded.has(id))
        .map(([, entry]) => entry.states[0]);
      const messages = [...clients.ledger.sessions.values()].flatMap((entry) => [...entry.messages.values()]);
      return (
        statuses.every((status) => opened.some((state) => state?.status === status)) &&
        opened.some((state) => state === null) &&
        messages.some(([state]) => state === null)
      );
    });
    const report = await clients.stop();
    expect(report).toMatchObject({ errors: {}, uncertain: 0, contradictions: 0, samples: [] });
    expect(report.latency.before.count).toBe(report.statements);
    expect(report.longestStall?.ms).toBe(report.latency.before.max);
    const compared = await compareLedger(database.pool, clients.ledger);
    expect(compared.differences).toEqual([]);
    expect(compared.checkedSessions).toBeGreaterThan(80);
    expect(compared.checkedMessages).toBeGreaterThan(600);
    const { rows } = await database.pool.query(
      'SELECT array_agg(DISTINCT status ORDER BY status) AS statuses FROM public.sessions WHERE created_at > $1',
      [new Date(Date.now() - 300_000)],
    );
    expect(rows).toEqual([{ statuses: [...statuses].sort() }]);
    // Statistics of a session that just ended may come a moment later than its end.
    await expect
      .poll(async () => (await writes()).filter((count, i) => count <= (before[i] ?? 0)), { timeout: 30_000 })
      .toEqual([]);
  });

  test('go on through a move to other tables, with the statements that they had prepared', async () => {
    const clients = await start();
    const messages = () => [...clients.ledger.sessions.values()].reduce((sum, entry) => sum + entry.messages.size, 0);
    const first = messages();
    await eventually(() => messages() > first + 100);
    clients.setPhase('during');
    await moveByHand(database.pool);
    clients.setPhase('after');
    const moved = messages();
    await eventually(() => messages() > moved + 200);
    const report = await clients.stop();
    expect(report).toMatchObject({ errors: {}, uncertain: 0, contradictions: 0 });
    expect(report.latency.before.count).toBeGreaterThan(100);
    expect(report.latency.after.count).toBeGreaterThan(200);
    expect((await compareLedger(database.pool, clients.ledger)).differences).toEqual([]);
  });

  test('come back when their connections are cut, and either outcome of the cut statement is right', async () => {
    const clients = await start({ thinkTimeMs: 0 });
    for (let i = 0; i < 10; i++) {
      await wait(100);
      await database.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'tandem demo client' AND datname = current_database()`);
    }
    await wait(300);
    const report = await clients.stop();
    expect(report.uncertain).toBeGreaterThan(4);
    expect(report).toMatchObject({ errors: {}, contradictions: 0 });
    expect(report.statements).toBeGreaterThan(report.uncertain);
    expect((await compareLedger(database.pool, clients.ledger)).differences).toEqual([]);
  });

  test('count refused statements by SQLSTATE, and do not believe them written', async () => {
    await database.pool.query(`ALTER TABLE public.messages ADD CHECK (sequence_number <> 5) NOT VALID;
      ALTER TABLE public.sessions ADD CHECK (status <> 'archived') NOT VALID`);
    const clients = await start();
    await wait(1_500);
    const report = await clients.stop();
    expect(Object.keys(report.errors)).toEqual(['23514']);
    expect(report.errors['23514']).toBeGreaterThan(0);
    expect((await compareLedger(database.pool, clients.ledger)).differences).toEqual([]);
  });

  test('notice at once that a row was lost, and so does the comparison', async () => {
    const clients = await start();
    await wait(300);
    await database.pool.query(`DELETE FROM public.sessions WHERE id = ANY ($1::uuid[])`, [
      [...clients.ledger.sessions.keys()].slice(0, 60),
    ]);
    await wait(700);
    const report = await clients.stop();
    expect(report.contradictions + (report.errors['23503'] ?? 0)).toBeGreaterThan(0);
    expect(report.samples.length).toBe(Math.min(10, report.contradictions));
    expect((await compareLedger(database.pool, clients.ledger)).differences.length).toBeGreaterThan(40);
  });

  test('notice a message that changed behind their back', async () => {
    const clients = await start();
    await wait(300);
    await database.pool.query("UPDATE public.messages SET content = content || '!'");
    await wait(1_500);
    const report = await clients.stop();
    expect(report.samples).toContainEqual(expect.stringMatching(/^session \S+ was read with messages other than/));
    expect((await compareLedger(database.pool, clients.ledger)).differences.length).toBeGreaterThan(100);
  });

  test('can own every session there is, none of them together', async () => {
    const clients = await start({ clients: 5, sessionsPerClient: 1_000 });
    await wait(800);
    expect(await clients.stop()).toMatchObject({ errors: {}, contradictions: 0 });
    expect(clients.ledger.sessions.size).toBeGreaterThanOrEqual(PRELOADED);
    expect((await compareLedger(database.pool, clients.ledger)).differences).toEqual([]);
  });
});

describe('stopping', () => {
  test('cuts off what does not end, and counts it as uncertain', async () => {
    const clients = await start();
    await wait(300);
    const blocker = await database.connect();
    await blocker.query('BEGIN; LOCK TABLE public.messages, public.sessions IN ACCESS EXCLUSIVE MODE');
    await wait(200);
    const began = performance.now();
    const report = await clients.stop(300);
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(report.uncertain).toBe(4);
    await blocker.query('ROLLBACK');
    await wait(300);
    expect((await compareLedger(database.pool, clients.ledger)).differences).toEqual([]);
  });

  test('leaves no connection behind, and a second stop returns the same report', async () => {
    const clients = await start();
    await wait(100);
    const [report, again] = await Promise.all([clients.stop(), clients.stop()]);
    expect(again).toBe(report);
    const { rows } = await database.pool.query(`SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE application_name = 'tandem demo client' AND datname = current_database()`);
    expect(rows).toEqual([{ n: 0 }]);
  });

  test('a start that fails leaves none either', async () => {
    await database.pool.query('DROP TABLE public.messages');
    await expect(start()).rejects.toMatchObject({ code: '42P01' });
  });
});

/** Waits for what the clients do sooner or later, however busy the machine is. */
async function eventually(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 60_000, interval: 20 }).toBe(true);
}

/** Rows inserted, updated and deleted so far, in both tables. */
async function writes(): Promise<number[]> {
  const { rows } = await database.pool.query<{ counts: number[] }>(`SELECT array_agg(n) AS counts FROM (
    SELECT unnest(ARRAY[n_tup_ins, n_tup_upd, n_tup_del])::int AS n FROM pg_stat_user_tables
    WHERE schemaname = 'public' ORDER BY relname) AS counts`);
  return rows[0]?.counts ?? [];
}
