import { type Client, contradict, disown, returnedText, tallyOutcome, writeRow } from './client.ts';
import { beginLesson, type Lesson, languageOf, languages, levelOf, levels } from './dialogue.ts';
import { statuses } from './flat-tables.ts';
import { type Change, certainMessages, certainSession, type SessionState } from './ledger.ts';
import { newMessage, openSession, startLesson } from './open-session.ts';
import type { StatementName } from './statements.ts';

type OwnSession = SessionState & { readonly id: string };
type SessionAction = (client: Client, session: OwnSession) => Promise<void>;

/** What users of the application do, and how often: mostly they talk, and now and then they tidy up. */
const sessionActions: readonly (readonly [SessionAction, number])[] = [
  [appendMessage, 36],
  [readBack, 22],
  [listSessions, 8],
  [(client, session) => update(client, session, 'touch_session', {}), 14],
  [(client, session) => update(client, session, 'set_status', { status: client.random.pick(statuses) }), 8],
  [(client, session) => update(client, session, 'rename_session', { title: newTitle(client, session) }), 3],
  [(client, session) => update(client, session, 'set_language', { language: client.random.pick(languages) }), 1],
  [(client, session) => update(client, session, 'set_level', { level: client.random.pick(levels) }), 1],
  [editMessage, 3],
  [deleteMessage, 1],
  [deleteSession, 1],
];
const OPENING = 0.03;
const STARTING_A_LESSON = 0.01;

/** Does the next thing. Never throws for what the server answers; the tally and the ledger say what came of it. */
export async function act(client: Client): Promise<void> {
  const { random, own, ledger } = client;
  if (own.length === 0 || random.chance(OPENING)) return openSession(client);
  if (random.chance(STARTING_A_LESSON)) return startLesson(client);
  const id = random.pick(own);
  const state = certainSession(ledger, id);
  if (state) await random.weighted(sessionActions)(client, { ...state, id });
}

async function update(client: Client, session: OwnSession, name: StatementName, set: Partial<SessionState>) {
  const { id, ...state } = session;
  await writeRow(client, id, name, [id, ...Object.values(set)], (row) => {
    const updatedAt = returnedText(row, 'updated_at');
    return {
      table: 'sessions',
      id,
      state: { ...state, ...set, updatedAt, lastAccessed: returnedText(row, 'last_accessed') },
    };
  });
}

async function deleteSession(client: Client, { id }: OwnSession) {
  await writeRow(client, id, 'delete_session', [id], () => ({ table: 'sessions', id, state: null }));
  if (!certainSession(client.ledger, id)) disown(client, id);
}

async function appendMessage(client: Client, session: OwnSession) {
  const last = Math.max(0, ...certainMessages(client.ledger, session.id).map(([, state]) => state.sequenceNumber));
  const { name, values, change } = newMessage(lessonOf(client, session), session, last + 1);
  await writeRow(client, session.id, name, values, change);
}

async function editMessage(client: Client, session: OwnSession) {
  const messages = certainMessages(client.ledger, session.id);
  if (messages.length === 0) return;
  const [id, state] = client.random.pick(messages);
  const { content } = lessonOf(client, session).nextTurn();
  const change: Change = { table: 'messages', id, sessionId: session.id, state: { ...state, content } };
  await writeRow(client, session.id, 'edit_message', [id, content], () => change);
}

async function deleteMessage(client: Client, session: OwnSession) {
  const messages = certainMessages(client.ledger, session.id);
  if (messages.length === 0) return;
  const [id] = client.random.pick(messages);
  const change: Change = { table: 'messages', id, sessionId: session.id, state: null };
  await writeRow(client, session.id, 'delete_message', [id], () => change);
}

/** Reads a session's messages, which must be those that were written: nothing may be missing even for a moment. */
async function readBack(client: Client, session: OwnSession) {
  const outcome = await client.connection.run('read_messages', [session.id]);
  tallyOutcome(client, outcome);
  if (outcome.kind !== 'done') return;
  const expected = certainMessages(client.ledger, session.id)
    .sort(([a, one], [b, other]) => one.sequenceNumber - other.sequenceNumber || (a < b ? -1 : 1))
    .map(([id, { content }]) => ({ id, content }));
  if (JSON.stringify(outcome.rows) !== JSON.stringify(expected)) {
    contradict(client, `session ${session.id} was read with messages other than those written to it`);
  }
}

async function listSessions(client: Client, session: OwnSession) {
  tallyOutcome(client, await client.connection.run('list_sessions', [session.userId]));
}

function newTitle({ random }: Client, { language, level }: OwnSession): string {
  return beginLesson(random, languageOf(language), levelOf(level)).title;
}

function lessonOf({ random, lessons }: Client, { id, language, level }: OwnSession): Lesson {
  const lesson = lessons.get(id) ?? beginLesson(random, languageOf(language), levelOf(level));
  lessons.set(id, lesson);
  return lesson;
}
