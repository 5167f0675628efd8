import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createPool, type Pool } from '../../src/db/connect.ts';
import { type DemoOptions, type DemoStage, demoStages, runDemo } from '../../src/demo/demo.ts';
import { createTestDatabase, type OwnedDatabase } from '../support/database.ts';
import { moveByHand } from './hand-made-move.ts';

let server: OwnedDatabase | null = null;
let stops = 0;
let stages: DemoStage[] = [];

afterEach(async () => {
  await server?.drop();
  server = null;
  stops = 0;
  stages = [];
});

/** A database of the test server in place of a server of its own; it outlives the demo, so that it can be looked at. */
const small: DemoOptions = {
  sessions: 200,
  clients: 3,
  settleMs: 400,
  thinkTimeMs: 1,
  startServer: async () => {
    server = await createTestDatabase();
    return {
      url: server.url,
      version: 18,
      stop: async () => {
        stops++;
      },
    };
  },
  onStage: (stage) => stages.push(stage),
  migrate: async () => ({ rows: 0, elapsedMs: 0, cutoverLockMs: 0 }),
  verify: async () => ({ ok: true, differences: 0 }),
};

async function withPool<T>(url: string, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = createPool(url);
  return work(pool).finally(() => pool.end());
}

/** Clients' connections that are still there; they go a moment after the client closed them. */
async function clientsLeft(): Promise<number> {
  await wait(200);
  const { rows } = (await server?.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM pg_stat_activity
    WHERE application_name = 'tandem demo client' AND datname = current_database()`)) ?? { rows: [] };
  return rows[0]?.n ?? -1;
}

describe('a demo', () => {
  test('moves tables under clients, and finds that nothing was lost', async () => {
    const report = await runDemo({
      ...small,
      seed: 5,
      migrate: (url) =>
        withPool(url, async (pool) => {
          const { lockMs, cutoverAt } = await moveByHand(pool);
          return { rows: 1_700, elapsedMs: 500, cutoverLockMs: lockMs, cutoverAt };
        }),
    });
    expect(report).toMatchObject({
      ok: true,
      serverVersion: 18,
      seed: 5,
      sessions: 200,
      messages: 1_500,
      clients: 3,
      verification: { ok: true, differences: 0 },
    });
    expect(report.ledger.differences).toEqual([]);
    expect(report.ledger.checkedSessions).toBeGreaterThanOrEqual(200);
    expect(report.migration).toMatchObject({ rows: 1_700, rowsPerSecond: 3_400 });
    expect(report.migration.cutoverAtMs).toBeGreaterThan(
      report.traffic.latency.during.fromMs ?? Number.POSITIVE_INFINITY,
    );
    expect(report.migration.cutoverAtMs).toBeLessThanOrEqual((report.traffic.latency.after.fromMs ?? 0) + 5);
    expect(report.traffic.latency.before.count).toBeGreaterThan(0);
    expect(report.traffic.latency.after.count).toBeGreaterThan(0);
    expect(report.totalMs).toBeGreaterThan(report.loadMs + 800);
    expect(stages).toEqual(demoStages);
    expect(stops).toBe(1);
    expect(await clientsLeft()).toBe(0);
  });

  test('whose migration loses a write is not all right', async () => {
    const report = await runDemo({
      ...small,
      migrate: (url) =>
        withPool(url, async (pool) => {
          await pool.query(
            'DELETE FROM public.messages WHERE id IN (SELECT id FROM public.messages ORDER BY id LIMIT 20)',
          );
          return { rows: 1, elapsedMs: 1, cutoverLockMs: 1, cutoverAt: 0 };
        }),
    });
    expect(report.ok).toBe(false);
    expect(report.migration.cutoverAtMs).toBeNull();
    expect(report.ledger.differences.length).toBeGreaterThan(10);
    expect(stops).toBe(1);
  });

  test('whose verification is red is not all right', async () => {
    const report = await runDemo({ ...small, settleMs: 50, verify: async () => ({ ok: false, differences: 3 }) });
    expect(report).toMatchObject({ ok: false, verification: { differences: 3 } });
  });
});

describe('the server is stopped', () => {
  test('where the migration fails, even holding locks for which the clients wait', async () => {
    const failing = runDemo({
      ...small,
      migrate: async () => {
        const session = await server?.connect();
        await session?.query('BEGIN; LOCK TABLE public.messages, public.sessions IN ACCESS EXCLUSIVE MODE');
        await wait(300);
        throw new Error('no room');
      },
    });
    await expect(failing).rejects.toThrow('no room');
    expect(stops).toBe(1);
    expect(stages.at(-1)).toBe('stop');
    expect(stages).not.toContain('after');
  });

  test.each(['load', 'before', 'migrate', 'after', 'verify'] as const)(
    'where it is interrupted in stage %s',
    async (at) => {
      const interrupt = new AbortController();
      const began = performance.now();
      const running = runDemo({
        ...small,
        // Enough that the load is still under way when it is interrupted.
        sessions: at === 'load' ? 20_000 : small.sessions,
        signal: interrupt.signal,
        migrate: async () => {
          if (at === 'migrate') await wait(10_000);
          return { rows: 0, elapsedMs: 0, cutoverLockMs: 0 };
        },
        onStage: (stage) => {
          stages.push(stage);
          if (stage === at) setTimeout(() => interrupt.abort(), 100);
        },
        verify: async () => {
          await wait(10_000);
          return { ok: true, differences: 0 };
        },
      });
      await expect(running).rejects.toMatchObject({ code: 'TD022' });
      expect(stages.slice(-2)).toEqual([at, 'stop']);
      expect(performance.now() - began).toBeLessThan(9_000);
      expect(stops).toBe(1);
      expect(await clientsLeft()).toBe(0);
    },
  );

  test('where the load fails', async () => {
    const startServer = async () => {
      const started = await small.startServer?.();
      await server?.pool.query('CREATE TABLE public.sessions (id int)');
      return started ?? Promise.reject(new Error('no server'));
    };
    await expect(runDemo({ ...small, startServer })).rejects.toMatchObject({ code: '42P07' });
    expect(stops).toBe(1);
  });
});

test.each([{ sessions: 0 }, { sessions: 1.5 }, { clients: 0 }, { clients: Number.NaN }])(
  'there is no demo of nothing: %o',
  async (size) => {
    await expect(runDemo({ ...small, ...size })).rejects.toMatchObject({ code: 'TD008' });
    expect(server).toBeNull();
  },
);

test('a server that does not start is the error', async () => {
  const refusing = async () => {
    throw new Error('no such program');
  };
  await expect(runDemo({ ...small, startServer: refusing })).rejects.toThrow('no such program');
});
