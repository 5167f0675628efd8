/**
 * What one session must look like. Timestamps are PostgreSQL's own text in UTC, with their microseconds; null where the
 * client cannot know them, because the answer that would have told it never came.
 */
export interface SessionState {
  readonly userId: string;
  readonly language: string;
  readonly level: string;
  readonly status: string;
  readonly title: string | null;
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
  readonly lastAccessed: string | null;
}

export interface MessageState {
  readonly sessionId: string;
  readonly userId: string;
  readonly type: string;
  readonly sequenceNumber: number;
  readonly content: string;
  readonly createdAt: string | null;
}

/** The states that are right for one row, null among them for "no such row": one, or more after an unknown outcome. */
export type Accepted<State> = readonly [State | null, ...(State | null)[]];

export interface SessionEntry {
  readonly states: Accepted<SessionState>;
  /** By id. Where the session is gone its messages must be gone too, whatever stands here. */
  readonly messages: Map<string, Accepted<MessageState>>;
}

/** Every row that a client wrote, or read before anybody else could write it, as it must stand in the database now. */
export interface Ledger {
  readonly sessions: Map<string, SessionEntry>;
}

/** One row written, or deleted where `state` is null. */
export type Change =
  | { readonly table: 'sessions'; readonly id: string; readonly state: SessionState | null }
  | {
      readonly table: 'messages';
      readonly id: string;
      readonly sessionId: string;
      readonly state: MessageState | null;
    };

export function createLedger(): Ledger {
  return { sessions: new Map() };
}

/** Records a write that the server acknowledged: from now on nothing else is right. */
export function recordAcknowledged(ledger: Ledger, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.table === 'sessions') {
      ledger.sessions.set(change.id, { ...entryOf(ledger, change.id), states: [change.state] });
    } else {
      entryOf(ledger, change.sessionId).messages.set(change.id, [change.state]);
    }
  }
}

/**
 * Records a write of which nobody knows whether it was committed, because the connection was lost before the answer:
 * the row may stand as before, or as written. Whoever records this leaves the row alone from then on, since the server
 * may still be at work on it.
 */
export function recordUncertain(ledger: Ledger, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.table === 'sessions') {
      const entry = entryOf(ledger, change.id);
      ledger.sessions.set(change.id, { ...entry, states: [...entry.states, change.state] });
    } else {
      const { messages } = entryOf(ledger, change.sessionId);
      messages.set(change.id, [...(messages.get(change.id) ?? [null]), change.state] as const);
    }
  }
}

/** The state of a session of which the ledger is certain; null where it is deleted, unknown or uncertain. */
export function certainSession(ledger: Ledger, id: string): SessionState | null {
  const states = ledger.sessions.get(id)?.states;
  return states?.length === 1 ? states[0] : null;
}

/** The messages of a session of which the ledger is certain, by id; deleted ones are left out. */
export function certainMessages(ledger: Ledger, sessionId: string): [id: string, state: MessageState][] {
  const certain: [string, MessageState][] = [];
  for (const [id, states] of ledger.sessions.get(sessionId)?.messages ?? []) {
    if (states.length === 1 && states[0]) certain.push([id, states[0]]);
  }
  return certain;
}

function entryOf(ledger: Ledger, id: string): SessionEntry {
  let entry = ledger.sessions.get(id);
  if (!entry) {
    entry = { states: [null], messages: new Map() };
    ledger.sessions.set(id, entry);
  }
  return entry;
}
