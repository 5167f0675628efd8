import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import type { ArchivePolicy } from './policy.ts';
import { purgeBatch } from './purge.ts';
import { dueCondition, keeperNames, type Transition, transitions } from './transitions.ts';

export interface ArchiveRun {
  readonly id: number;
  readonly archived: number;
  readonly deleted: number;
  readonly purged: number;
}

export interface ArchiveOptions {
  readonly pool: Pool;
  readonly names: SessionsNames;
  readonly policy: ArchivePolicy;
  readonly signal: AbortSignal;
  /** Awaited in the transaction of each batch: refuses where somebody else is at work by now. */
  readonly fence?: (client: Queryable) => Promise<void>;
  /** Told after each batch, which is committed by then. */
  readonly onBatch?: (batch: { transition: Transition['name']; sessions: number; elapsedMs: number }) => void;
}

const FIRST_BATCH = 100;
const MAX_BATCH = 5_000;
/** What a batch should take: so long, at most, does a client wait that wants one of its sessions. */
const TARGET_MS = 200;

/**
 * Moves every session that is due on by one step, in batches that are committed one by one, and notes the run. A session
 * that somebody holds locked is left to the next run. Messages are not touched: they refer to the registry.
 *
 * @throws TD022 where the signal fired between two batches: what was moved so far is moved, and noted
 */
export async function archiveDue(options: ArchiveOptions): Promise<ArchiveRun> {
  const { pool, policy, signal, onBatch } = options;
  const run = await beginRun(pool);
  try {
    for (const transition of transitions(policy)) {
      let size = FIRST_BATCH;
      for (;;) {
        if (signal.aborted)
          throw new TandemError('TD022', 'Stopped between two batches of sessions.', {
            hint: 'Run the same command again to go on.',
          });
        const startedAt = performance.now();
        const moved = await oneBatch(options, run, transition, size);
        const elapsedMs = performance.now() - startedAt;
        if (moved === 0) break;
        onBatch?.({ transition: transition.name, sessions: moved, elapsedMs });
        size = Math.round(Math.min(MAX_BATCH, size * 2, Math.max(1, size / 2, (moved * TARGET_MS) / elapsedMs)));
      }
    }
  } catch (error) {
    await endRun(pool, run, error instanceof Error ? error.message : String(error));
    throw error;
  }
  return endRun(pool, run, null);
}

async function oneBatch({ pool, names, fence }: ArchiveOptions, run: number, transition: Transition, size: number) {
  return inTransaction(pool, async (client) => {
    await fence?.(client);
    const moved =
      transition.to === null
        ? await purgeBatch(client, names, run, transition, size)
        : await moveBatch(client, names, run, transition, size);
    await client.query(`UPDATE keeper.archive_runs SET ${transition.name} = ${transition.name} + $2 WHERE id = $1`, [
      run,
      moved,
    ]);
    return moved;
  });
}

/**
 * The lock looks at the row again as it is by then: a session that was used a moment ago is no longer idle.
 *
 * `WITH due AS (SELECT id … FOR UPDATE SKIP LOCKED), moved AS (UPDATE sessions SET status …) INSERT INTO session_moves …`
 */
async function moveBatch(
  client: Queryable,
  names: SessionsNames,
  run: number,
  { from, to, days }: Transition,
  size: number,
): Promise<number> {
  const k = keeperNames(names);
  const { rowCount } = await client.query(
    `WITH due AS MATERIALIZED (
       SELECT s.${k.id} FROM ${k.sessions} s WHERE ${dueCondition(names)}
        ORDER BY s.${k.lastAccessed} LIMIT $4 FOR UPDATE OF s SKIP LOCKED),
     moved AS (
       UPDATE ${k.sessions} s SET ${k.status} = $3::${k.statusType} FROM due
        WHERE s.${k.id} = due.${k.id} AND s.${k.status} = $1::${k.statusType} RETURNING s.${k.id} AS id)
     INSERT INTO keeper.session_moves (session_id, run_id, from_status, to_status)
     SELECT id, $5, $1::${k.statusType}, $3::${k.statusType} FROM moved`,
    [from, days, to, size, run],
  );
  return rowCount ?? 0;
}

async function beginRun(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ id: number }>(
    'INSERT INTO keeper.archive_runs DEFAULT VALUES RETURNING id::float8 AS id',
  );
  const [run] = rows;
  if (run === undefined) throw new TandemError('TD099', 'The run of the archiving was not noted.');
  return run.id;
}

async function endRun(pool: Pool, run: number, error: string | null): Promise<ArchiveRun> {
  const { rows } = await pool.query<ArchiveRun>(
    `UPDATE keeper.archive_runs SET ended_at = clock_timestamp(), error = $2 WHERE id = $1
     RETURNING id::float8 AS id, archived::float8 AS archived, deleted::float8 AS deleted, purged::float8 AS purged`,
    [run, error],
  );
  const [ended] = rows;
  if (ended === undefined) throw new TandemError('TD099', `Run ${run} of the archiving is no longer noted.`);
  return ended;
}
