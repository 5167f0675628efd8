import { expect, test } from 'vitest';
import { archiveDue } from '../../../../plans/sessions/keeper/archive.ts';
import { placeHold } from '../../../../plans/sessions/keeper/holds.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { createStore } from '../../../../src/client/index.ts';
import { useDatabase } from '../../../support/database.ts';
import { refusal } from '../fixtures.ts';
import { idleSessions, idOf, names, never, run, statusOf, untilWaitsFor } from './keeping.ts';

const database = useDatabase(idleSessions);
const due = idOf('active', 10);

/**
 * Has the archiving stop in the middle of the statement that takes the due sessions: its snapshot is taken, no row is
 * locked yet. It looks at the holds there, and a look at this one waits for the returned function.
 */
async function stopBeforeTheLocks(): Promise<{ arrived: Promise<void>; goOn: () => Promise<void> }> {
  await installKeeper(database.pool, names);
  await placeHold(database.pool, idOf('deleted', 1), 'so that there is one to look at');
  const gate = await database.connect();
  await gate.query(`
    CREATE FUNCTION public.wait_at_gate() RETURNS boolean LANGUAGE plpgsql SET lock_timeout = 0 AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END $$;
    ALTER TABLE keeper.session_holds RENAME TO held;
    CREATE VIEW keeper.session_holds AS SELECT * FROM keeper.held WHERE (SELECT public.wait_at_gate());
    SELECT pg_advisory_lock(7)`);
  return {
    arrived: untilWaitsFor(database.pool, gate),
    goOn: async () => {
      await gate.query('SELECT pg_advisory_unlock(7)');
    },
  };
}

test('a session that is used after the batch has chosen it, and before it is locked, stays', async () => {
  const { arrived, goOn } = await stopBeforeTheLocks();
  const running = archiveDue({ pool: database.pool, names, signal: never() });
  await arrived;
  await database.pool.query('UPDATE public.sessions SET last_accessed = now() WHERE id = $1', [due]);
  await goOn();
  expect(await running).toMatchObject({ archived: 5 });
  expect(await statusOf(database.pool, due)).toBe('active');
});

test('a session that is moved by somebody else in that moment ends the batch, and the batch is run again', async () => {
  const { arrived, goOn } = await stopBeforeTheLocks();
  const running = archiveDue({ pool: database.pool, names, signal: never() });
  await arrived;
  await database.pool.query("UPDATE public.sessions SET status = 'deleted' WHERE id = $1", [due]);
  await goOn();
  expect(await running).toMatchObject({ archived: 5 });
  expect(await statusOf(database.pool, due)).toBe('deleted');
});

test('a session to which somebody is just adding a message, or on which a hold is being placed, stays', async () => {
  await installKeeper(database.pool, names);
  const [writer, holder] = [await database.connect(), await database.connect()];
  await writer.query('BEGIN');
  await writer.query(
    "INSERT INTO public.messages (session_id, user_id, content) SELECT id, user_id, 'Me again' FROM public.sessions WHERE id = $1",
    [due],
  );
  await holder.query('BEGIN');
  await holder.query("INSERT INTO keeper.session_holds (session_id, reason) VALUES ($1, 'just now')", [
    idOf('active', 9),
  ]);
  expect(await run(database.pool)).toMatchObject({ archived: 4 });
  await Promise.all([writer.query('COMMIT'), holder.query('COMMIT')]);
  expect(await statusOf(database.pool, due)).toBe('active');
});

/** A move that is not committed: it stands for the moment in which a batch holds its rows. */
async function movingAway() {
  const mover = await database.connect();
  await mover.query('BEGIN');
  await mover.query("UPDATE public.sessions SET status = 'archived' WHERE id = $1", [due]);
  return mover;
}

test('an update of the application that waits for a move fails with 40001', async () => {
  const [mover, application] = [await movingAway(), await database.connect()];
  const updated = refusal(application.query("UPDATE public.sessions SET title = 'New' WHERE id = $1", [due]));
  await untilWaitsFor(database.pool, mover);
  await mover.query('COMMIT');
  expect(await updated).toBe('40001');
});

test('the client library runs it again, and it succeeds', async () => {
  const mover = await movingAway();
  const renamed = createStore(database.pool).asService().sessions.rename(due, 'New');
  await untilWaitsFor(database.pool, mover);
  await mover.query('COMMIT');
  expect(await renamed).toMatchObject({ id: due, title: 'New', status: 'archived' });
});
