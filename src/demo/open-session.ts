import { randomUUID } from 'node:crypto';
import { type Client, returnedText, tallyOutcome, writeRow } from './client.ts';
import { beginLesson, type Lesson, languages, levels } from './dialogue.ts';
import { type Change, certainSession, recordAcknowledged, recordUncertain } from './ledger.ts';
import type { StatementName } from './statements.ts';

type Row = Readonly<Record<string, unknown>>;

/** Opens a session in one statement. */
export async function openSession(client: Client): Promise<void> {
  const { id, values, change } = newSession(client);
  await writeRow(client, id, 'open_session', values, change);
  own(client, id);
}

/** Opens a session and writes its first messages, all in one transaction: either all of it is there, or nothing. */
export async function startLesson(client: Client): Promise<void> {
  const { id, values, change, message } = newSession(client);
  const run = async (name: StatementName, parameters: readonly unknown[] = []) => {
    const outcome = await client.connection.run(name, parameters);
    tallyOutcome(client, outcome);
    return outcome;
  };
  if ((await run('begin')).kind !== 'done') return;
  const changes: Change[] = [];
  const steps = [{ name: 'open_session' as const, values, change }, message(1), message(2), message(3)];
  for (const step of steps) {
    const outcome = await run(step.name, step.values);
    if (outcome.kind === 'refused') await run('rollback');
    // Before COMMIT was sent nothing of it can have been committed, so there is nothing to record.
    if (outcome.kind !== 'done') return;
    changes.push(step.change(outcome.rows[0] ?? null));
  }
  const committed = await run('commit');
  if (committed.kind === 'done') recordAcknowledged(client.ledger, changes);
  if (committed.kind === 'unknown') recordUncertain(client.ledger, changes);
  own(client, id);
}

function newSession(client: Client) {
  const { random } = client;
  const id = randomUUID();
  const userId = random.pick(client.users);
  const language = random.pick(languages);
  const level = random.pick(levels);
  const lesson = beginLesson(random, language, level);
  const session = { userId, language, level, status: 'active', title: lesson.title };
  const change = (row: Row | null): Change => ({
    table: 'sessions',
    id,
    state: {
      ...session,
      createdAt: returnedText(row, 'created_at'),
      updatedAt: returnedText(row, 'updated_at'),
      lastAccessed: returnedText(row, 'last_accessed'),
    },
  });
  const message = (sequenceNumber: number) => newMessage(lesson, { id, userId }, sequenceNumber);
  return { id, values: [id, userId, language, level, session.status, session.title], change, message };
}

/** The next message of a lesson, as a statement and as what the ledger must say once that is acknowledged. */
export function newMessage(lesson: Lesson, session: { id: string; userId: string }, sequenceNumber: number) {
  const { type, content } = lesson.nextTurn();
  const { id: sessionId, userId } = session;
  const id = randomUUID();
  const change = (row: Row | null): Change => ({
    table: 'messages',
    id,
    sessionId,
    state: { sessionId, userId, type, sequenceNumber, content, createdAt: returnedText(row, 'created_at') },
  });
  return { name: 'append_message' as const, values: [id, sessionId, userId, type, sequenceNumber, content], change };
}

/** Only a session that certainly stands is written to later. */
function own(client: Client, id: string): void {
  if (certainSession(client.ledger, id)) client.own.push(id);
}
