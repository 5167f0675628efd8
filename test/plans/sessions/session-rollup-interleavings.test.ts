import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';
import { insertFeedback, insertMessage, insertSession, insertUser, migrated, refusal } from './fixtures.ts';
import { untilWaitsFor } from './keeper/keeping.ts';
import { expectExact, expectFolded, fold, hold } from './rollup.ts';

const database = useDatabase(migrated);
let client: pg.Client;
let writer: pg.Client;
let user: string;
let session: string;
let other: string;
let message: string;
let feedback: string;

beforeEach(async () => {
  client = await database.connect();
  writer = await database.connect();
  user = await insertUser(client);
  [session, other] = [await insertSession(client, user), await insertSession(client, user)];
  message = await insertMessage(client, session, user);
  await insertMessage(client, session, user, 'Hello', 2);
  feedback = await insertFeedback(client, message, 70);
  await fold(client);
});

const insert = (into: string, number = 9) =>
  `INSERT INTO public.messages (session_id, user_id, sequence_number, content) VALUES ('${into}', '${user}', ${number}, 'x')`;
const remove = () => `DELETE FROM public.messages WHERE id = '${message}'`;
const move = (to = other) => `UPDATE public.messages SET session_id = '${to}' WHERE id = '${message}'`;
const grade = () => `INSERT INTO public.message_feedback (message_id, overall_score) VALUES ('${message}', 10)`;
const regrade = (score: number) =>
  `UPDATE public.message_feedback SET overall_score = ${score} WHERE id = '${feedback}'`;

describe('writers in flight', () => {
  test.each([
    ['inserts', () => insert(session)],
    ['deletes', remove],
    ['moves', move],
    ['grades', grade],
  ])('one that %s is in no fold before it commits, and in the next one after', async (_, sql) => {
    const commit = await hold(writer, sql());
    // Something of the same session is folded, and something that has it counted anew.
    await client.query(insert(session, 10));
    await client.query(`DELETE FROM public.messages WHERE session_id = '${session}' AND sequence_number = 2`);
    expect(await fold(client)).toBe(2);
    await expectExact(client);
    await commit();
    await expectExact(client);
    expect(await fold(client)).toBeGreaterThan(0);
    await expectFolded(client);
  });

  test('a fold waits for nobody, and nobody for it', async () => {
    const commit = await hold(writer, insert(session));
    await client.query(remove());
    const folding = await database.connect();
    await folding.query("SET statement_timeout = '5s'");
    await folding.query('BEGIN');
    await fold(folding);
    // With the fold open, others write to the very sessions that it folds.
    await client.query(`SET statement_timeout = '5s'; ${insert(session, 11)}; ${insert(other, 1)}`);
    await commit();
    await folding.query('COMMIT');
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
  });

  test('what commits between a fold’s lock and its snapshot is folded once', async () => {
    const folding = await database.connect();
    await client.query(insert(session));
    const release = await hold(writer, 'SELECT FROM private.session_rollup_state FOR UPDATE');
    const folded = fold(folding);
    await untilWaitsFor(database.pool, writer);
    await client.query(`${insert(session, 10)}; ${remove()}`);
    await release();
    expect(await folded).toBe(3);
    await expectFolded(client);
  });

  test('two folds at once: one after the other, each entry once', async () => {
    await client.query(`${insert(session)}; ${insert(other)}`);
    const [one, two] = [await database.connect(), await database.connect()];
    await one.query('BEGIN');
    expect(await fold(one)).toBe(2);
    await client.query(remove());
    const second = fold(two);
    await untilWaitsFor(database.pool, one);
    await one.query('COMMIT');
    expect(await second).toBe(1);
    await expectFolded(client);
  });

  test('a fold in a transaction with an older snapshot fails, and does not count twice', async () => {
    const old = await database.connect();
    await client.query(insert(session));
    await old.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    await old.query('SELECT FROM private.session_changes');
    await fold(client);
    expect(await refusal(fold(old))).toBe('40001');
    await old.query('ROLLBACK');
    await expectFolded(client);
  });

  test('a recount meets a writer and a fold', async () => {
    const commit = await hold(writer, `${insert(session)}; ${move()}`);
    await client.query(insert(session, 10));
    const recount = async () =>
      (await client.query("SELECT drifted::int FROM private.recount_sessions('00000000-0000-0000-0000-000000000000')"))
        .rows[0];
    expect(await recount()).toEqual({ drifted: 0 });
    await fold(client);
    await commit();
    expect(await recount()).toEqual({ drifted: 0 });
    await fold(client);
    await expectFolded(client);
  });

  test('TRUNCATE that a fold has to wait for', async () => {
    await client.query(`${remove()}; ${insert(other)}`);
    const commit = await hold(writer, `TRUNCATE public.messages CASCADE; ${insert(session, 5)}`);
    const folding = await database.connect();
    const folded = fold(folding);
    await untilWaitsFor(database.pool, writer);
    await commit();
    await folded;
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
  });
});

describe('the first fold, of everything', () => {
  beforeEach(async () => {
    // As when the triggers have just come: nothing is counted yet, and the queue asks for all.
    await client.query(
      'DELETE FROM private.session_rollup; INSERT INTO private.session_changes (recount) VALUES (true)',
    );
    await expectExact(client);
  });

  test.each([
    ['inserts', () => insert(session)],
    ['deletes', remove],
    ['moves', move],
    ['grades', grade],
    ['truncates', () => 'TRUNCATE public.message_feedback'],
  ])('counts nothing twice of one who %s meanwhile', async (what, sql) => {
    await client.query(insert(other, 3));
    const commit = await hold(writer, sql());
    const folding = fold(await database.connect());
    if (what === 'truncates') await untilWaitsFor(database.pool, writer);
    else await folding;
    await commit();
    await folding;
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
  });

  test('begins anew where it was killed, and whoever asks for figures meanwhile has them', async () => {
    const killed = await database.connect();
    await killed.query('BEGIN');
    await fold(killed);
    await client.query(insert(session));
    await expectExact(client);
    const { rows } = await killed.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await client.query('SELECT pg_terminate_backend($1, 10000)', [rows[0]?.pid]);
    await expectExact(client);
    expect(await fold(client)).toBe(2);
    await expectFolded(client);
  });
});

describe('feedback on a message that moves to another session at that moment', () => {
  const levels = ['READ COMMITTED', 'REPEATABLE READ'];
  const writes: [string, () => string][] = [
    ['is added', grade],
    ['is changed', () => regrade(20)],
    ['is taken away', () => `DELETE FROM public.message_feedback WHERE id = '${feedback}'`],
  ];

  test.each(writes)('%s before: the one that moves waits, and takes it along', async (_, sql) => {
    const commit = await hold(writer, sql());
    const moving = client.query(move());
    await untilWaitsFor(database.pool, writer);
    await commit();
    await moving;
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
  });

  test.each(writes)(
    '%s while the move is not committed: it waits, and is noted where the message is then',
    async (_, sql) => {
      const commit = await hold(writer, move());
      const grading = client.query(sql());
      await untilWaitsFor(database.pool, writer);
      await commit();
      await grading;
      await expectExact(client);
      await fold(client);
      await expectFolded(client);
    },
  );

  test.each(writes)('%s by a transaction that does not see the move: it fails, and is done again', async (_, sql) => {
    await writer.query(`BEGIN ISOLATION LEVEL ${levels[1]}`);
    await writer.query('SELECT FROM public.messages');
    await client.query(move());
    await fold(client);
    expect(await refusal(writer.query(sql()))).toBe('40001');
    await writer.query('ROLLBACK');
    await writer.query(sql());
    await expectExact(client);
    await fold(client);
    await expectFolded(client);
  });

  test('neither of two who write feedback on one message waits for the other, nor who edits it', async () => {
    const commit = await hold(writer, grade());
    await client.query(
      `SET statement_timeout = '5s'; ${grade()}; UPDATE public.messages SET content = 'edited' WHERE id = '${message}'`,
    );
    await commit();
    await expectExact(client);
  });
});

test('a message is deleted while its feedback is changed', async () => {
  const commit = await hold(writer, regrade(30));
  const deleting = client.query(remove());
  await untilWaitsFor(database.pool, writer);
  await fold(await database.connect());
  await commit();
  await deleting;
  await expectExact(client);
  await fold(client);
  await expectFolded(client);
});

test('two transactions each delete the first message that remains', async () => {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM public.messages WHERE session_id = '${session}' ORDER BY created_at`,
  );
  await client.query(insert(session));
  const commits = [];
  for (const { id } of rows) {
    const deleting = await database.connect();
    commits.push(await hold(deleting, `DELETE FROM public.messages WHERE id = '${id}'`));
  }
  for (const commit of commits) {
    await commit();
    await fold(client);
    await expectFolded(client);
  }
});
