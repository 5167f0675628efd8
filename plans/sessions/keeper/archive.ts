import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { isTransient, SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import { createPacer } from '../../../src/engine/pacer.ts';
import type { SessionsNames } from '../names.ts';
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

/** What one batch did: how many sessions it took, how many of them it moved, and the last access that it came to. */
export interface Batch {
  readonly taken: number;
  readonly moved: number;
  /** As text: microseconds would not survive a `Date`. */
  readonly reached: string | null;
}

const FIRST_BATCH = 100;
const MAX_BATCH = 5_000;
/** What a batch should take: so long, at most, does a client wait that wants one of its sessions. */
const TARGET_MS = 200;
/** How often a batch is tried again at whose rows somebody else was at that moment. */
const MAX_ATTEMPTS = 10;
const MOVES_A_SWEEP = 100_000;

/**
 * Moves every session that is due by the policy in force on by one step, in batches that are committed one by one, and
 * notes the run. A session that somebody holds locked is left to the next run. Messages are not touched: they refer to
 * the registry. Before each batch it minds the throttles of `keeper.control`.
 *
 * @throws TD022 where the signal fired between two batches: what was moved so far is moved, and noted
 */
export async function archiveDue(options: ArchiveOptions): Promise<ArchiveRun> {
  const { pool, signal, onThrottle } = options;
  const run = await beginRun(pool);
  const pacer = createPacer({
    pool,
    signal,
    control: keeperControl,
    emit: (event) => event.event === 'throttle' && onThrottle?.(event.reason),
  });
  try {
    const policy = await readPolicy(pool);
    const failures: unknown[] = [];
    for (const transition of transitions(policy))
      await drain(options, run, transition, policy.archiveDirectory, pacer.wait).catch((error: unknown) => {
        if (isEnd(error)) throw error;
        // One session that cannot be purged does not keep all others from being archived.
        failures.push(error);
      });
    await pool.query('SELECT keeper.forget_moves($1)', [MOVES_A_SWEEP]);
    if (failures.length > 0) throw failures[0];
  } catch (error) {
    await endRun(pool, run, error instanceof Error ? error.message : String(error));
    throw error;
  }
  return endRun(pool, run, null);
}

async function drain(
  options: ArchiveOptions,
  run: number,
  transition: Transition,
  directory: string | null,
  wait: () => Promise<void>,
) {
  let size = FIRST_BATCH;
  let since = '-infinity';
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
      if (!isPassing(error) || attempt >= MAX_ATTEMPTS) throw error;
      // Somebody else was at the same rows: fewer of them are less in the way.
      size = Math.max(1, Math.floor(size / 2));
      await sleep(attempt * 20 * (0.5 + Math.random()));
      attempt += 1;
      continue;
    }
    attempt = 1;
    const elapsedMs = performance.now() - startedAt;
    if (batch.taken === 0) return;
    options.onBatch?.({ transition: transition.name, sessions: batch.moved, elapsedMs });
    // What a trigger of the application's keeps where it is would be taken again and again.
    if (batch.moved === 0 && batch.reached === since) return;
    since = batch.reached ?? since;
    size = Math.round(Math.min(MAX_BATCH, size * 2, Math.max(1, size / 2, (batch.taken * TARGET_MS) / elapsedMs)));
  }
}

/** Somebody else has taken over, or the signal fired. */
function isEnd(error: unknown): boolean {
  return error instanceof TandemError && (error.code === 'TD021' || error.code === 'TD022');
}

function isPassing(error: unknown): boolean {
  const state = sqlStateOf(error);
  return isTransient(state) || state === SqlState.lockNotAvailable;
}

async function oneBatch(
  { pool, names, fence }: ArchiveOptions,
  run: number,
  { name }: Transition,
  directory: string | null,
  since: string,
  size: number,
): Promise<Batch> {
  return inTransaction(pool, async (client) => {
    await fence?.(client);
    if (name === 'purged') return purgeBatch(client, names, directory, { run, since, size });
    const { rows } = await client.query<Batch>(
      `SELECT taken::float8 AS taken, moved::float8 AS moved, reached::text AS reached
         FROM keeper.move_batch($1, $2, $3, $4)`,
      [run, name, since, size],
    );
    return rows[0] ?? { taken: 0, moved: 0, reached: null };
  });
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
