import type pg from 'pg';
import { inTransaction } from '../db/connect.ts';
import type { Accepted, Ledger, MessageState, SessionEntry, SessionState } from './ledger.ts';
import { type LiveMessage, type LiveSession, readMessages, readSessions, SAME_TIMESTAMP_TEXT } from './ledger-rows.ts';

export interface LedgerComparison {
  readonly checkedSessions: number;
  readonly checkedMessages: number;
  /** One sentence for each row that is not what its client was told; empty if nothing was lost. */
  readonly differences: string[];
}

const BATCH = 1_000;

/**
 * Compares every row of the ledger with `public.sessions` and `public.messages`, column by column, in one snapshot:
 * rows missing, changed, there twice, there although their deletion was acknowledged, and messages in a session of the
 * ledger's that no client wrote. The columns may be text or enum.
 */
export async function compareLedger(pool: pg.Pool, ledger: Ledger): Promise<LedgerComparison> {
  const entries = [...ledger.sessions];
  const differences: string[] = [];
  let checkedMessages = 0;
  await inTransaction(
    pool,
    async (client) => {
      await client.query(SAME_TIMESTAMP_TEXT.replaceAll('SET ', 'SET LOCAL '));
      for (let start = 0; start < entries.length; start += BATCH) {
        const batch = entries.slice(start, start + BATCH);
        const ids = batch.map(([id]) => id);
        const messageIds = batch.flatMap(([, entry]) => [...entry.messages.keys()]);
        const sessions = byId(await readSessions(client, ids));
        const messages = await readMessages(client, ids, messageIds);
        checkedMessages += messageIds.length;
        differences.push(...compareBatch(batch, sessions, messages));
      }
    },
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  return { checkedSessions: entries.length, checkedMessages, differences };
}

function* compareBatch(
  batch: readonly [string, SessionEntry][],
  sessions: ReadonlyMap<string, LiveSession[]>,
  messages: readonly LiveMessage[],
): Generator<string> {
  const live = byId(messages);
  const written = new Set<string>();
  for (const [id, entry] of batch) {
    const rows = sessions.get(id) ?? [];
    yield* compareRow(`session ${id}`, entry.states, rows);
    for (const [messageId, states] of entry.messages) {
      written.add(messageId);
      const expected: Accepted<MessageState> = rows.length === 0 ? [null] : states;
      yield* compareRow(`message ${messageId} of session ${id}`, expected, live.get(messageId) ?? []);
    }
  }
  for (const row of messages) {
    if (!written.has(row.id)) yield `message ${row.id} of session ${row.sessionId} was written by no client`;
  }
}

function* compareRow<State extends SessionState | MessageState>(
  what: string,
  accepted: Accepted<State>,
  rows: readonly (State & { readonly id: string })[],
): Generator<string> {
  const [row, ...more] = rows;
  if (more.length > 0) yield `${what} is there ${rows.length} times`;
  if (!row) {
    if (!accepted.includes(null)) yield `${what} is missing`;
    return;
  }
  const states = accepted.filter((state) => state !== null);
  const [first] = states;
  if (!first) {
    yield `${what} is there, though it was deleted`;
    return;
  }
  if (states.some((state) => differingColumns(state, row).length === 0)) return;
  const columns = differingColumns(first, row).join(', ');
  yield `${what} differs: ${columns}${states.length > 1 ? ', and no other outcome fits' : ''}`;
}

function differingColumns<State extends SessionState | MessageState>(expected: State, row: State): string[] {
  const found = new Map<string, unknown>(Object.entries(row));
  return Object.entries(expected)
    .filter(([column, value]) => found.get(column) !== value && !isUnknownTimestamp(column, value))
    .map(([column, value]) => `${column} is ${JSON.stringify(found.get(column))}, not ${JSON.stringify(value)}`);
}

function isUnknownTimestamp(column: string, value: unknown): boolean {
  return value === null && column !== 'title';
}

function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.id, [...(groups.get(row.id) ?? []), row]);
  return groups;
}
