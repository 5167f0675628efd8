import { expect, test, vi } from 'vitest';
import type { Pool } from '../../src/db/connect.ts';
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
    await vi.waitFor(async () => {
      const { rowCount } = await application.query(
        "SELECT FROM pg_stat_activity WHERE application_name = 'tandem' AND datname = current_database() AND wait_event_type = 'Lock'",
      );
      expect(rowCount).toBe(1);
    });
    const locked = application.query('LOCK TABLE public.messages IN ACCESS EXCLUSIVE MODE');
    await untilBlocked(pool, pid);
    await locked;
    await application.query('COMMIT');
    expect(await running).toMatchObject(gives as object);
  },
);
