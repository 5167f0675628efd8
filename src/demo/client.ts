import { z } from 'zod';
import type { Connection, Outcome } from './connection.ts';
import type { Lesson } from './dialogue.ts';
import { type Change, type Ledger, recordAcknowledged, recordUncertain } from './ledger.ts';
import type { Random } from './random.ts';
import type { StatementName } from './statements.ts';

/** What went wrong, as the application saw it. */
export interface Tally {
  /** Refused statements, by SQLSTATE. */
  readonly errors: Record<string, number>;
  /** Statements that were never answered, because the connection was lost. */
  uncertain: number;
  /** Answers that contradict what the client had been told before: a row not found, a message not read back. */
  contradictions: number;
  /** The first few of them, in words. */
  readonly samples: string[];
}

/** One user of the application's: a connection, and the sessions that nobody else writes to. */
export interface Client {
  readonly connection: Connection;
  readonly random: Random;
  readonly ledger: Ledger;
  readonly tally: Tally;
  readonly users: readonly string[];
  /** Sessions that stand in the database for certain. */
  readonly own: string[];
  /** The lessons under way, by session: what is said next. */
  readonly lessons: Map<string, Lesson>;
}

type Row = Readonly<Record<string, unknown>>;

const MOST_SAMPLES = 10;

export function createTally(): Tally {
  return { errors: {}, uncertain: 0, contradictions: 0, samples: [] };
}

/**
 * Writes one row in a statement of its own, and records in the ledger what became of it. `change` says what the row
 * must look like then: from the row that the statement returned, or from null where nobody knows what it returned.
 */
export async function writeRow(
  client: Client,
  sessionId: string,
  name: StatementName,
  values: readonly unknown[],
  change: (returned: Row | null) => Change,
): Promise<void> {
  const outcome = await client.connection.run(name, values);
  if (outcome.kind === 'done') {
    if (outcome.rowCount === 1) recordAcknowledged(client.ledger, [change(outcome.rows[0] ?? null)]);
    else contradict(client, `${name} found ${outcome.rowCount} rows for session ${sessionId}`);
  } else if (outcome.kind === 'unknown') {
    recordUncertain(client.ledger, [change(null)]);
    disown(client, sessionId);
  }
  tallyOutcome(client, outcome);
}

export function tallyOutcome({ tally }: Client, outcome: Outcome): void {
  if (outcome.kind === 'unknown') tally.uncertain++;
  if (outcome.kind === 'refused') tally.errors[outcome.sqlState] = (tally.errors[outcome.sqlState] ?? 0) + 1;
}

export function contradict({ tally }: Client, what: string): void {
  tally.contradictions++;
  if (tally.samples.length < MOST_SAMPLES) tally.samples.push(what);
}

/** Leaves a session alone from now on; the ledger still says what it must look like. */
export function disown(client: Client, sessionId: string): void {
  const index = client.own.indexOf(sessionId);
  if (index >= 0) client.own.splice(index, 1);
  client.lessons.delete(sessionId);
}

/** A timestamp that the server returned, as it wrote it; null only where there was no answer. */
export function returnedText(row: Row | null, column: string): string | null {
  return row === null ? null : z.string().parse(row[column]);
}
