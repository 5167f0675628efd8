import { expect, vi } from 'vitest';
import type { Pool } from '../../src/db/connect.ts';
import { type Clients, startClients } from '../../src/demo/clients.ts';
import { compareLedger } from '../../src/demo/compare-ledger.ts';

const CLIENTS = 4;

export interface Writers {
  /** Resolves once the clients have had this many more messages acknowledged. */
  moreMessages(count: number): Promise<void>;
}

/**
 * Lets clients of the application write while `work` runs. Afterwards every row must stand as its client was told, and
 * no statement of theirs may have been refused, lost, or answered with something else than what was written.
 */
export async function whileClientsWrite<T>(
  database: { url: string; pool: Pool },
  work: (writers: Writers) => Promise<T>,
  options: {
    /**
     * How many statements may wait for a swap with a snapshot from before it (where transactions are repeatable read), and
     * so miss what was written last, or be refused for it (40001, 23503).
     */
    readonly stale?: number;
  } = {},
): Promise<T> {
  const clients = await startClients({
    databaseUrl: database.url,
    clients: CLIENTS,
    seed: 5,
    thinkTimeMs: 2,
    sessionsPerClient: 60,
  });
  let result: T;
  try {
    const writers: Writers = {
      async moreMessages(count) {
        const enough = messagesIn(clients) + count;
        await vi.waitFor(() => expect(messagesIn(clients)).toBeGreaterThan(enough), { timeout: 90_000, interval: 20 });
      },
    };
    // They must be at it before the work begins, and still be at it when it is done.
    await writers.moreMessages(40);
    result = await work(writers);
    await writers.moreMessages(40);
  } catch (error) {
    await clients.stop();
    throw error;
  }
  const report = await clients.stop();
  const { stale = 0 } = options;
  const { '40001': refused = 0, '23503': orphaned = 0, ...errors } = report.errors;
  expect({ errors, samples: stale === 0 ? report.samples : [] }).toEqual({ errors: {}, samples: [] });
  expect(report.uncertain).toBe(0);
  expect(refused + orphaned + report.contradictions, report.samples.join('\n')).toBeLessThanOrEqual(stale);
  const compared = await compareLedger(database.pool, clients.ledger);
  expect(compared.differences).toEqual([]);
  expect(compared.checkedSessions).toBeGreaterThanOrEqual(CLIENTS * 60);
  return result;
}

function messagesIn({ ledger }: Clients): number {
  let count = 0;
  for (const session of ledger.sessions.values()) count += session.messages.size;
  return count;
}
