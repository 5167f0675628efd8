import type { Client } from 'pg';
import { expect, test, vi } from 'vitest';
import type { Pool } from '../../src/db/connect.ts';
import { sqlStateOf } from '../../src/db/sqlstate.ts';
import { maybeLatestRun } from '../../src/engine/run-state.ts';
import { copyTable } from '../../src/move/copy.ts';
import { forward } from '../../src/move/direction.ts';
import { drainBatch } from '../../src/move/drain.ts';
import type { TableMove } from '../../src/move/table-move.ts';
import { verifyRows } from '../../src/move/verify-rows.ts';
import { fewRows } from '../engine/flat-database.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { backendOf, untilBlocked } from './blocked.ts';

const database = useDatabase(fewRows);

const work: readonly {
  what: string;
  before: string;
  run: (pool: Pool, messages: TableMove, moves: readonly TableMove[]) => Promise<unknown>;
  gives: unknown;
}[] = [
  {
    what: 'a batch of the copy',
    before: 'copy',
    run: (pool, messages) => copyTable({ pool, direction: forward(messages), workers: 1 }),
    gives: { rows: 2_000, restarts: 0 },
  },
  {
    what: 'a batch of the drain',
    before: 'verify-rows',
    run: (pool, messages, moves) => drainBatch(pool, forward(messages, moves)),
    gives: { taken: 2_000, unfit: 0 },
  },
  {
    what: 'a comparison',
    before: 'verify-rows',
    run: (pool, messages) => verifyRows(pool, [messages], 'before cutover'),
    gives: [{ leftOut: 2_000, differences: [] }],
  },
];

test.each(work)(
  'where $what and the application lock tables crosswise, Tandem is the victim, and comes again',
  async ({ before, run, gives }) => {
    const { pool } = database;
    await tandemOn(database).migrateUpTo(before);
    const moves = (await maybeLatestRun(pool))?.settings.moves ?? [];
    const messages = moves.find((move) => move.name === 'messages');
    if (!messages) throw new Error('There is no move of messages.');
    await pool.query('UPDATE public.messages SET content = content');
    const application = await database.connect();
    const pid = await backendOf(application);
    await application.query('BEGIN; LOCK TABLE public.sessions IN ACCESS EXCLUSIVE MODE');
    // It holds messages by now, and waits for sessions: it is the first to look for a deadlock.
    const running = run(pool, messages, moves);
    running.catch(() => undefined);
    await untilTandemWaits(application);
    const locked = application.query('LOCK TABLE public.messages IN ACCESS EXCLUSIVE MODE');
    await untilBlocked(pool, pid);
    await locked;
    await application.query('COMMIT');
    expect(await running).toMatchObject(gives as object);
  },
);

test('a batch that the server gives up as not serializable (40001) is done again', async () => {
  const { pool } = database;
  await tandemOn(database).migrateUpTo('verify-rows');
  const moves = (await maybeLatestRun(pool))?.settings.moves ?? [];
  const sessions = moves.find((move) => move.name === 'sessions');
  if (!sessions) throw new Error('There is no move of sessions.');
  const { rows } = await pool.query("SELECT id FROM public.sessions WHERE status = 'active' ORDER BY id LIMIT 1");
  const id = rows[0]?.id;
  await pool.query("UPDATE public.sessions SET status = 'deleted' WHERE id = $1", [id]);
  // Even where transactions are read committed, a row that goes to another partition under a DELETE's eyes is one.
  const other = await database.connect();
  await other.query('BEGIN');
  await other.query("UPDATE tandem.sessions_partitioned SET status = 'archived' WHERE id = $1", [id]);
  const refused = refusals(pool);
  const batch = drainBatch(pool, forward(sessions, moves));
  await untilTandemWaits(other);
  await other.query('COMMIT');
  expect(await batch).toMatchObject({ taken: 1, unfit: 0 });
  expect(refused).toEqual(['40001']);
  expect(await verifyRows(pool, moves, 'before cutover')).toMatchObject([{ differences: [] }, { differences: [] }]);
});

/** The SQLSTATEs that the server answers to statements of a pool, as they come. */
function refusals(pool: Pool): string[] {
  const states: string[] = [];
  pool.on('acquire', (client) => {
    const query = client.query.bind(client);
    Object.assign(client, {
      query: async (...values: Parameters<typeof query>) => {
        try {
          return await query(...values);
        } catch (error) {
          states.push(sqlStateOf(error) ?? 'none');
          throw error;
        }
      },
    });
  });
  return states;
}

async function untilTandemWaits(client: Client): Promise<void> {
  await vi.waitFor(async () => {
    const { rowCount } = await client.query(
      "SELECT FROM pg_stat_activity WHERE application_name = 'tandem' AND datname = current_database() AND wait_event_type = 'Lock'",
    );
    expect(rowCount).toBe(1);
  });
}
