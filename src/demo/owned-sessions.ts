import { z } from 'zod';
import type { Pool } from '../db/connect.ts';
import { inTransaction } from '../db/connect.ts';
import { type Change, type Ledger, recordAcknowledged } from './ledger.ts';
import { readMessages, readSessions, SAME_TIMESTAMP_TEXT, sampleSessionIds } from './ledger-rows.ts';

export interface Ownership {
  /** For each client the sessions that only it writes to. */
  readonly slices: readonly string[][];
  /** Users who may open further sessions. */
  readonly users: readonly string[];
}

const BATCH = 1_000;
const USERS = 'SELECT id::text FROM auth.users ORDER BY id LIMIT 200';

/**
 * Gives each client some of the sessions that are there already, no session to two of them, and writes those and their
 * messages into the ledger as they stand. To be called before anybody writes.
 */
export async function distributeSessions(
  pool: Pool,
  ledger: Ledger,
  clients: number,
  sessionsPerClient: number,
): Promise<Ownership> {
  return inTransaction(pool, async (db) => {
    await db.query(SAME_TIMESTAMP_TEXT.replaceAll('SET ', 'SET LOCAL '));
    const ids = await sampleSessionIds(db, clients * sessionsPerClient);
    for (let start = 0; start < ids.length; start += BATCH) {
      const batch = ids.slice(start, start + BATCH);
      const sessions = await readSessions(db, batch);
      const messages = await readMessages(db, batch);
      recordAcknowledged(
        ledger,
        sessions.map(({ id, ...state }): Change => ({ table: 'sessions', id, state })),
      );
      recordAcknowledged(
        ledger,
        messages.map(({ id, ...state }): Change => ({ table: 'messages', id, sessionId: state.sessionId, state })),
      );
    }
    const slices = Array.from({ length: clients }, (_, client) => ids.filter((_id, i) => i % clients === client));
    const { rows } = await db.query<{ id: unknown }>(USERS);
    return { slices, users: rows.map((row) => z.string().parse(row.id)) };
  });
}
