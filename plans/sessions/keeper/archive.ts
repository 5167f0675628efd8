import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { isTransient, SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import { createPacer } from '../../../src/engine/pacer.ts';
import type { SessionsNames } from '../names.ts';
import { type Batch, type BatchRow, isRefusal, oneBatchOf, type Reached, START } from './batch.ts';
import { keeperControl } from './control.ts';
import { readPolicy } from './policy.ts';
import { purgeBatch } from './purge.ts';
import { type Transition, transitions } from './transitions.ts';

export interface ArchiveRun {
  readonly id: number;
  readonly archived: number;
  readonly deleted: number;
  readonly purged: number;
}

export interface ArchiveOptions {
  readonly pool: Pool;
  readonly names: SessionsNames;
  readonly signal: AbortSignal;
  /** Awaited in the transaction of each batch: refuses where somebody else is at work by now. */
  readonly fence?: (client: Queryable) => Promise<void>;
  /** Told after each batch, which is committed by then. */
  readonly onBatch?: (batch: { transition: Transition['name']; sessions: number; elapsedMs: number }) => void;
  /** Told when it begins to wait, and why; null: it goes on. */
  readonly onThrottle?: (reason: string | null) => void;
}

const FIRST_BATCH = 100;
const MAX_BATCH = 5_000;
/** What a batch should take: so long, at most, does a client wait that wants one of its sessions. */
const TARGET_MS = 200;
/** How often a batch is tried again at whose rows somebody else was at that moment. */
const MAX_ATTEMPTS = 10;
/** How many sessions that cannot be moved a run leaves out before it takes the fault for one of all of them. */
const MAX_LEFT_OUT = 100;
const MOVES_A_SWEEP = 100_000;

/**
 * Moves every session that is due by the policy in force on by one step, in batches that are committed one by one, and
 * notes the run. A session that somebody holds locked is left to the next run. Messages are not touched: they refer to
 * the registry. Before each batch it minds the throttles of `keeper.control`.
 *
 * @throws TD022 where the signal fired between two batches: what was moved so far is moved, and noted
 */
export async function archiveDue(options: ArchiveOptions): Promise<ArchiveRun> {
  const { pool } = options;
  // A session of its own: by its lock, others know that somebody works on the run.
  const client = await pool.connect();
  let run: number | null = null;
  try {
    run = await beginRun(client);
    return await archiveIn(options, run);
  } finally {
    // Where its session is gone, so is its lock.
    await (run === null ? null : client.query('SELECT keeper.end_run($1)', [run]).catch(() => undefined));
    client.release();
  }
}

async function archiveIn(options: ArchiveOptions, run: number): Promise<ArchiveRun> {
  const { pool, signal, onThrottle } = options;
  const pacer = createPacer({
    pool,
    signal,
    control: keeperControl,
    emit: (event) => event.event === 'throttle' && onThrottle?.(event.reason),
  });
  const leftOut: string[] = [];
  try {
    const policy = await readPolicy(pool);
    const failures: unknown[] = [];
    for (const transition of transitions(policy))
      await drain(options, run, transition, policy.archiveDirectory, pacer.wait, leftOut).catch((error: unknown) => {
        if (isEnd(error)) throw error;
        // What goes wrong with purging does not keep others from being archived.
        failures.push(error);
      });
    await pool.query('SELECT keeper.forget_moves($1)', [MOVES_A_SWEEP]);
    if (failures.length > 0) throw failures[0];
  } catch (error) {
    await endRun(pool, run, error instanceof Error ? error.message : String(error), leftOut);
    throw error;
  }
  return endRun(pool, run, null, leftOut);
}

async function drain(
  options: ArchiveOptions,
  run: number,
  transition: Transition,
  directory: string | null,
  wait: () => Promise<void>,
  leftOut: string[],
) {
  let size = FIRST_BATCH;
  let since = START;
  const refusals: unknown[] = [];
  for (let attempt = 1; ; ) {
    await wait();
    if (options.signal.aborted)
      throw new TandemError('TD022', 'Stopped between two batches of sessions.', {
        hint: 'Run the same command again to go on.',
      });
    const startedAt = performance.now();
    let batch: Batch;
    try {
      batch = await oneBatch(options, run, transition, directory, since, size);
    } catch (error) {
      if (isRefusal(error)) {
        // Fewer and fewer, until it is the one that is refused: it is left out, and does not keep those behind it.
        if (size === 1) {
          refusals.push(error);
          const next = refusals.length > MAX_LEFT_OUT ? null : await nextDue(options.pool, transition, since);
          if (next === null) throw refusals[0];
          leftOut.push(next.id ?? '');
          since = next;
        }
        size = Math.max(1, Math.floor(size / 2));
        continue;
      }
      if (!isPassing(error) || attempt >= MAX_ATTEMPTS) throw error;
      // Somebody else was at the same rows: fewer of them are less in the way.
      size = Math.max(1, Math.floor(size / 2));
      await sleep(attempt * 20 * (0.5 + Math.random()));
      attempt += 1;
      continue;
    }
    attempt = 1;
    const elapsedMs = performance.now() - startedAt;
    if (batch.taken === 0) break;
    options.onBatch?.({ transition: transition.name, sessions: batch.moved, elapsedMs });
    since = batch.reached;
    size = Math.round(Math.min(MAX_BATCH, size * 2, Math.max(1, size / 2, (batch.taken * TARGET_MS) / elapsedMs)));
  }
  if (refusals.length > 0) throw refusals[0];
}

/** Somebody else has taken over, or the signal fired. */
function isEnd(error: unknown): boolean {
  return error instanceof TandemError && (error.code === 'TD021' || error.code === 'TD022');
}

function isPassing(error: unknown): boolean {
  const state = sqlStateOf(error);
  return isTransient(state) || state === SqlState.lockNotAvailable;
}

/** The next session that is due from there on; null where none is. */
async function nextDue(pool: Pool, { name }: Transition, since: Reached): Promise<Reached | null> {
  const { rows } = await pool.query<Reached>(
    'SELECT reached::text AS at, reached_id::text AS id FROM keeper.next_due($1, $2, $3)',
    [name, since.at, since.id],
  );
  return rows[0] ?? null;
}

async function oneBatch(
  { pool, names, fence }: ArchiveOptions,
  run: number,
  { name }: Transition,
  directory: string | null,
  since: Reached,
  size: number,
): Promise<Batch> {
  return inTransaction(pool, async (client) => {
    await fence?.(client);
    if (name === 'purged') return purgeBatch(client, names, directory, { run, since, size });
    return oneBatchOf(
      await client.query<BatchRow>(
        `SELECT taken::float8 AS taken, moved::float8 AS moved, reached::text AS at, reached_id::text AS id
           FROM keeper.move_batch($1, $2, $3, $4, $5)`,
        [run, name, since.at, since.id, size],
      ),
    );
  });
}

async function beginRun(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ id: number }>('SELECT keeper.begin_run()::float8 AS id');
  const [run] = rows;
  if (run === undefined) throw new TandemError('TD099', 'The run of the archiving was not noted.');
  return run.id;
}

async function endRun(pool: Pool, run: number, error: string | null, leftOut: readonly string[]): Promise<ArchiveRun> {
  const { rows } = await pool.query<ArchiveRun>(
    `UPDATE keeper.archive_runs SET ended_at = clock_timestamp(), error = $2, note = $3 WHERE id = $1
     RETURNING id::float8 AS id, archived::float8 AS archived, deleted::float8 AS deleted, purged::float8 AS purged`,
    [run, error, leftOut.length === 0 ? null : `left out: ${leftOut.join(', ')}`],
  );
  const [ended] = rows;
  if (ended === undefined) throw new TandemError('TD099', `Run ${run} of the archiving is no longer noted.`);
  return ended;
}
