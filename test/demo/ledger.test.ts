import { beforeEach, describe, expect, test } from 'vitest';
import { compareLedger } from '../../src/demo/compare-ledger.ts';
import {
  type Change,
  certainMessages,
  certainSession,
  createLedger,
  type Ledger,
  recordAcknowledged,
  recordUncertain,
} from '../../src/demo/ledger.ts';
import { loadFlatTables } from '../../src/demo/load.ts';
import { distributeSessions } from '../../src/demo/owned-sessions.ts';
import { useDatabase } from '../support/database.ts';
import { flatTables, NOW } from './flat-database.ts';
import { moveByHand } from './hand-made-move.ts';

const database = useDatabase(flatTables);
let ledger: Ledger;
let id: string;
let messageId: string;

beforeEach(async () => {
  await loadFlatTables(database.pool, { sessions: 40, messages: 300, seed: 4, now: NOW });
  ledger = createLedger();
  await distributeSessions(database.pool, ledger, 2, 20);
  const longest = [...ledger.sessions].sort(([, a], [, b]) => b.messages.size - a.messages.size)[0];
  id = longest?.[0] ?? '';
  messageId = certainMessages(ledger, id)[0]?.[0] ?? '';
});

const differences = async () => (await compareLedger(database.pool, ledger)).differences;
const sql = (text: string, ...values: unknown[]) => database.pool.query(text, values);

function session(set: object): Change {
  const state = certainSession(ledger, id);
  if (!state) throw new Error('The ledger does not know the session.');
  return { table: 'sessions', id, state: { ...state, ...set } };
}

const gone = (): Change => ({ table: 'sessions', id, state: null });
const messageGone = (): Change => ({ table: 'messages', id: messageId, sessionId: id, state: null });

describe('a ledger in which nothing changed', () => {
  test('agrees with the tables, and says how much it compared', async () => {
    expect(await compareLedger(database.pool, ledger)).toEqual({
      checkedSessions: 40,
      checkedMessages: 300,
      differences: [],
    });
  });

  test('agrees with tables that were moved to enums and partitions', async () => {
    await moveByHand(database.pool);
    expect(await differences()).toEqual([]);
  });

  test('gives each client sessions of its own', async () => {
    const { slices, users } = await distributeSessions(database.pool, createLedger(), 3, 10);
    expect(slices.map((slice) => slice.length)).toEqual([10, 10, 10]);
    expect(new Set(slices.flat()).size).toBe(30);
    expect(users.length).toBe(5);
  });
});

describe('what the comparison finds', () => {
  test.each([
    ['user_id', '(SELECT max(id::text)::uuid FROM auth.users WHERE id <> user_id)', 'userId'],
    ['language', "'it'", 'language'],
    ['level', "'expert'", 'level'],
    ['status', "'gone'", 'status'],
    ['title', 'NULL', 'title'],
    ['created_at', "created_at + interval '1 microsecond'", 'createdAt'],
    ['updated_at', "updated_at - interval '1 microsecond'", 'updatedAt'],
    ['last_accessed', 'now()', 'lastAccessed'],
  ])('a session with another %s', async (column, value, name) => {
    await sql(`UPDATE public.sessions SET ${column} = ${value} WHERE id = $1`, id);
    const [found, ...more] = await differences();
    expect(found).toMatch(new RegExp(`^session ${id} differs: ${name} is .*, not .*`));
    expect(more).toEqual([]);
  });

  test.each([
    ['user_id', '(SELECT max(id::text)::uuid FROM auth.users WHERE id <> user_id)', 'userId'],
    ['type', "'picture'", 'type'],
    ['sequence_number', 'sequence_number + 1', 'sequenceNumber'],
    ['content', "content || ' '", 'content'],
    ['created_at', "date_trunc('milliseconds', created_at - interval '1 millisecond')", 'createdAt'],
  ])('a message with another %s', async (column, value, name) => {
    await sql(`UPDATE public.messages SET ${column} = ${value} WHERE id = $1`, messageId);
    const [found, ...more] = await differences();
    expect(found).toMatch(new RegExp(`^message ${messageId} of session ${id} differs: ${name} is .*, not .*`));
    expect(more).toEqual([]);
  });

  test('a message that moved to another session, of the ledger or not', async () => {
    const other = [...ledger.sessions.keys()].find((key) => key !== id);
    await sql('UPDATE public.messages SET session_id = $2 WHERE id = $1', messageId, other);
    expect(await differences()).toEqual([expect.stringContaining(`sessionId is "${other}", not "${id}"`)]);
    await sql(
      'INSERT INTO public.sessions SELECT gen_random_uuid(), user_id, language, level FROM public.sessions LIMIT 1',
    );
    await sql(
      `UPDATE public.messages SET session_id = (SELECT id FROM public.sessions WHERE id <> ALL ($2::uuid[])) WHERE id = $1`,
      messageId,
      [...ledger.sessions.keys()],
    );
    expect(await differences()).toEqual([expect.stringContaining('sessionId is ')]);
  });

  test('a session that is missing, and its messages with it only once', async () => {
    await sql('DELETE FROM public.sessions WHERE id = $1', id);
    expect(await differences()).toEqual([`session ${id} is missing`]);
  });

  test('a message that is missing', async () => {
    await sql('DELETE FROM public.messages WHERE id = $1', messageId);
    expect(await differences()).toEqual([`message ${messageId} of session ${id} is missing`]);
  });

  test('a row that is there though its deletion was acknowledged', async () => {
    recordAcknowledged(ledger, [messageGone()]);
    expect(await differences()).toEqual([`message ${messageId} of session ${id} is there, though it was deleted`]);
    recordAcknowledged(ledger, [gone()]);
    expect(await differences()).toContain(`session ${id} is there, though it was deleted`);
  });

  test('messages that outlived their session', async () => {
    await sql('ALTER TABLE public.messages DROP CONSTRAINT messages_session_id_fkey');
    await sql('DELETE FROM public.sessions WHERE id = $1', id);
    await sql('DELETE FROM public.messages WHERE session_id = $1 AND id <> $2', id, messageId);
    recordAcknowledged(ledger, [gone()]);
    expect(await differences()).toEqual([`message ${messageId} of session ${id} is there, though it was deleted`]);
  });

  test('a message that no client wrote', async () => {
    const { rows } = await sql(
      `INSERT INTO public.messages (session_id, user_id, sequence_number, content)
       SELECT id, user_id, 99, 'never said' FROM public.sessions WHERE id = $1 RETURNING id`,
      id,
    );
    expect(await differences()).toEqual([`message ${rows[0]?.id} of session ${id} was written by no client`]);
  });

  test('a session that stands in two partitions', async () => {
    await moveByHand(database.pool);
    await sql(
      `INSERT INTO public.sessions SELECT id, user_id, language, level,
         CASE status WHEN 'active' THEN 'archived' ELSE 'active' END::public.session_status, title, created_at
       FROM public.sessions WHERE id = $1`,
      id,
    );
    expect(await differences()).toContain(`session ${id} is there 2 times`);
  });
});

describe('writes of which nobody knows the outcome', () => {
  test('are right either way, and wrong in any third', async () => {
    recordUncertain(ledger, [session({ title: 'Two', updatedAt: null, lastAccessed: null })]);
    expect(await differences()).toEqual([]);
    await sql("UPDATE public.sessions SET title = 'Two', updated_at = now() WHERE id = $1", id);
    expect(await differences()).toEqual([]);
    await sql("UPDATE public.sessions SET title = 'Three' WHERE id = $1", id);
    expect(await differences()).toEqual([expect.stringContaining('and no other outcome fits')]);
    await sql('DELETE FROM public.sessions WHERE id = $1', id);
    expect(await differences()).toEqual([`session ${id} is missing`]);
  });

  test('an unknown timestamp leaves no doubt about the other columns', async () => {
    recordAcknowledged(ledger, [session({ updatedAt: null, title: null })]);
    expect(await differences()).toEqual([expect.stringMatching(/differs: title is ".*", not null$/)]);
  });

  test('a deletion: all of it or nothing', async () => {
    recordUncertain(ledger, [gone()]);
    expect(await differences()).toEqual([]);
    await sql('DELETE FROM public.messages WHERE id = $1', messageId);
    expect(await differences()).toEqual([`message ${messageId} of session ${id} is missing`]);
    await sql('DELETE FROM public.sessions WHERE id = $1', id);
    expect(await differences()).toEqual([]);
  });

  test('a new row: there or not, but not otherwise', async () => {
    const state = certainMessages(ledger, id)[0]?.[1];
    const fresh = '99999999-9999-4999-8999-999999999999';
    if (state)
      recordUncertain(ledger, [{ table: 'messages', id: fresh, sessionId: id, state: { ...state, createdAt: null } }]);
    expect(await differences()).toEqual([]);
    await sql(
      `INSERT INTO public.messages (id, session_id, user_id, type, sequence_number, content)
       SELECT $2, session_id, user_id, type, sequence_number, content FROM public.messages WHERE id = $1`,
      messageId,
      fresh,
    );
    expect(await differences()).toEqual([]);
    await sql("UPDATE public.messages SET content = 'x' WHERE id = $1", fresh);
    expect(await differences()).toEqual([expect.stringContaining(`message ${fresh}`)]);
  });
});
