import type { Pool } from 'pg';
import type { Client, Queryable } from '../db/connect.ts';
import { displayName, quoteIdent, quoteLiteral, quoteName } from '../db/identifier.ts';
import { isDataError, sqlStateOf } from '../db/sqlstate.ts';
import { AttemptAgain } from '../engine/attempt-again.ts';
import { openLockWindow, untilNoDeadlockCheckIsDue } from '../engine/deadlock-check.ts';
import { TandemError } from '../engine/errors.ts';
import type { Emit } from '../engine/events.ts';
import { type LockOptions, withLockRetry } from '../engine/retry-ddl.ts';
import { assertLogged } from './assert-logged.ts';
import { backlog, hasTruncateEntry } from './change-log.ts';
import { backward, type Direction, forward } from './direction.ts';
import { BEGIN, drainUntil, drainWithin } from './drain.ts';
import { endingBlockers } from './end-blockers.ts';
import { handOverIdentitySql } from './hand-over.ts';
import { countQuarantined } from './quarantine.ts';
import { cutoverSql, lockOrder, rollbackSql, type SwapInput } from './swap.ts';
import type { TableMove } from './table-move.ts';

export interface CutoverLimits extends LockOptions {
  /** Entries a table's log may hold when the locks are obtained; more are drained outside the lock first. */
  readonly maxBacklog: number;
  /** Milliseconds after which the transaction that holds the locks is rolled back rather than committed. */
  readonly maxLockMs: number;
  /** From the second attempt on, whoever holds a lock that the cutover waits for is ended. Off: nobody ever is. */
  readonly terminateBlockers?: boolean;
}

export const defaultCutoverLimits: CutoverLimits = {
  lockTimeoutMs: 200,
  attempts: 40,
  maxPauseMs: 1500,
  maxBacklog: 500,
  maxLockMs: 1000,
};

/** Entries that a last pass over all logs may take, so that the locks are asked for next. */
const FEW = 20;
const MAX_PASSES = 20;

export interface CutoverOptions extends SwapInput {
  readonly pool: Pool;
  readonly direction: 'forward' | 'back';
  readonly limits: CutoverLimits;
  /** Called in each attempt's transaction, before its locks are taken. */
  readonly beforeLocks?: (client: Client) => Promise<void>;
  /** Called under the locks, before anything is changed: throws where the tables are not what the statements were made for. */
  readonly assertCurrent?: (client: Client) => Promise<void>;
  /** Written in the same transaction as the swap: the run's phase can never disagree with the names. */
  readonly record: (client: Client) => Promise<void>;
  readonly emit?: Emit;
  readonly signal?: AbortSignal;
}

/**
 * The one short transaction that swaps the names, either way. Under its locks it drains what little is left, changes
 * the catalog, and reads nothing that grows with a table.
 *
 * @returns how long the locks were held, in milliseconds, and how many attempts it took
 * @throws TD031 where quarantine is not empty; TD020 where the locks were not to be had; TD024 where the log grows faster than it drains;
 * TD023 where a change log is no longer in force, so that writes may have been missed
 */
export async function cutover(options: CutoverOptions): Promise<{ lockMs: number; attempts: number }> {
  const { pool, moves, limits, direction } = options;
  const directions = moves.map((move) => (direction === 'forward' ? forward(move, moves) : backward(move)));
  const lock = lockOrder(moves);
  const statements = direction === 'forward' ? cutoverSql(options) : rollbackSql(options);
  const rest = Math.max(100, Math.floor(limits.maxBacklog / 2));
  const catchUp = async () => {
    // While one log is drained the others grow. Each pass is shorter than the one before, down to what comes in meanwhile.
    for (let pass = 1; pass <= MAX_PASSES; pass++) {
      let taken = 0;
      for (const d of directions) {
        const counts = await drainUntil(pool, d, {
          rest,
          maxBatches: 1000,
          ...(options.signal ? { signal: options.signal } : {}),
        });
        taken += counts.taken;
      }
      if (taken <= FEW || options.signal?.aborted) break;
    }
    // Before the locks: rows in quarantine are no reason to make anybody wait.
    await assertNothingQuarantined(pool, direction);
  };
  await catchUp();
  // What has been drained is still in the log's pages: under the locks, nothing walks past it.
  for (const d of directions) await pool.query(`VACUUM (TRUNCATE off) ${quoteName(d.log)}`);
  let lockedAt = 0;
  let attempts = 0;
  const told = new Set<number>();
  const attemptOnce = async (client: Client, attempt: number) => {
    attempts = attempt;
    // Right before the locks: what came in since is drained while nobody waits for it.
    await catchUp();
    await ensureReadCommitted(client);
    await options.beforeLocks?.(client);
    const locks = await openLockWindow(client, limits.lockTimeoutMs);
    // Views before the tables that they read, as a query takes them.
    const drop = options.dependents?.drop ?? [];
    await locks.take(drop);
    if (drop.length > 0) lockedAt = performance.now();
    // Partitions included: somebody may write to one by its own name.
    await locks.take(lock.map((name) => `LOCK TABLE ${quoteName(name)} IN ACCESS EXCLUSIVE MODE`));
    if (drop.length === 0) lockedAt = performance.now();
    // From here on the server itself gives the locks back, whatever becomes of this process.
    await client.query(
      `SET LOCAL statement_timeout = ${limits.maxLockMs}; SET LOCAL idle_in_transaction_session_timeout = ${limits.maxLockMs}`,
    );
    await assertLogged(client, moves, direction);
    await options.assertCurrent?.(client);
    await drainRest(client, moves, directions, limits.maxBacklog, direction === 'forward');
    await assertNothingQuarantined(client, direction);
    for (const move of moves) for (const sql of handOverIdentitySql(move, direction)) await client.query(sql);
    // The foreign keys to tables that are not moved want locks on those, too.
    await untilNoDeadlockCheckIsDue(client, limits.lockTimeoutMs, 1);
    await client.query(statements.join(';\n'));
    await options.record(client);
    assertWithin(lockedAt, limits.maxLockMs);
  };
  try {
    await withLockRetry(
      pool,
      direction === 'forward' ? 'The cutover' : 'The rollback',
      async (client, attempt) => {
        lockedAt = Number.POSITIVE_INFINITY;
        try {
          // The whole of it: dropping a foreign key asks for a lock on the table that it refers to, too.
          if (limits.terminateBlockers === true && attempt > 1) {
            const afterMs = limits.lockTimeoutMs / 4;
            const watched = { pool, client, afterMs, purpose: 'the cutover', emit: options.emit, told };
            await endingBlockers(watched, () => attemptOnce(client, attempt));
          } else await attemptOnce(client, attempt);
        } catch (error) {
          // What ended then is the server's own limit on a statement or on a silence, if not ours.
          if (!(error instanceof TandemError)) assertWithin(lockedAt, limits.maxLockMs, error);
          throw error;
        }
      },
      { ...limits, emit: options.emit, signal: options.signal },
    );
  } catch (error) {
    if (error instanceof TandemError && error.code === 'TD020' && error.cause instanceof BacklogTooLarge) {
      throw new TandemError('TD024', 'The change log grows faster than it can be drained.', {
        hint: 'Run the same command again at a quieter time, or allow more changes under the lock.',
        detail: error.cause.message,
        cause: error,
      });
    }
    throw error;
  }
  const lockMs = performance.now() - lockedAt;
  options.emit?.({ event: 'cutover', direction, lock_ms: Math.round(lockMs * 10) / 10, attempts });
  return { lockMs, attempts };
}

/**
 * Under the locks, everything that was committed before them must be seen: each statement takes a snapshot of its own,
 * whatever the role's or the database's default is.
 */
async function ensureReadCommitted(client: Client): Promise<void> {
  const { rows } = await client.query<{ isolation: string; lock_timeout: string }>(
    `SELECT pg_catalog.current_setting('transaction_isolation') AS isolation, pg_catalog.current_setting('lock_timeout') AS lock_timeout`,
  );
  const [now] = rows;
  if (now === undefined || now.isolation === 'read committed') return;
  await client.query(`COMMIT; ${BEGIN}; SET LOCAL lock_timeout = ${quoteLiteral(now.lock_timeout)}`);
}

/** The log holds more than may be drained under the locks. */
class BacklogTooLarge extends AttemptAgain {}

/** @throws AttemptAgain where the locks have been held for longer than they may be */
function assertWithin(lockedAt: number, maxLockMs: number, cause?: unknown): void {
  const held = performance.now() - lockedAt;
  if (held <= maxLockMs) return;
  const reason = `the locks were held for ${Math.round(held)} ms, more than ${maxLockMs} ms`;
  throw new AttemptAgain(reason, cause === undefined ? {} : { cause });
}

async function drainRest(
  client: Client,
  moves: readonly TableMove[],
  directions: readonly Direction[],
  maxBacklog: number,
  settle: boolean,
): Promise<void> {
  for (const [i, direction] of directions.entries()) {
    const move = moves[i];
    if (!move) continue;
    if (await hasTruncateEntry(client, move))
      throw new AttemptAgain(`${displayName(move.source)} was truncated a moment ago`);
    const waiting = await backlog(client, move, maxBacklog + 1);
    if (waiting > maxBacklog)
      throw new BacklogTooLarge(`more than ${maxBacklog} changes of ${displayName(move.source)} are waiting`);
    if (waiting === 0) continue;
    const { unfit } = await orAttemptAgain(drainWithin(client, direction, maxBacklog + 1));
    // What is noted here would be lost with this attempt: the rows are drained, and noted, outside the locks.
    if (unfit > 0) throw new AttemptAgain(`${unfit} changes of ${displayName(move.source)} do not fit`);
  }
  // Deferred checks of the drained rows, now: the swap's ALTER TABLE refuses a table with pending trigger events.
  await orAttemptAgain(client.query('SET CONSTRAINTS ALL IMMEDIATE'));
  if (settle) for (const move of moves) for (const statement of move.settle) await client.query(statement);
  for (const move of moves) {
    if ((await backlog(client, move, 1)) > 0)
      throw new AttemptAgain(`changes of ${displayName(move.source)} came due while others were drained`);
  }
}

/** A row that is refused is found and set aside outside the lock, where there is time for it. */
async function orAttemptAgain<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && isDataError(sqlStateOf(error)))
      throw new AttemptAgain(error.message, { cause: error });
    throw error;
  }
}

async function assertNothingQuarantined(client: Queryable, direction: 'forward' | 'back'): Promise<void> {
  const count = await countQuarantined(client);
  // On the way back the rows stay recorded: the flat tables cannot hold them, and the run goes back all the same.
  if (count === 0 || direction === 'back') return;
  throw new TandemError(
    'TD031',
    `${count} ${count === 1 ? 'row does' : 'rows do'} not fit the target, so the cutover waits.`,
    {
      hint: '`tandem status` lists them. Mend them in the live table, or map their values in the plan file; then run the same command again.',
    },
  );
}

/** What the validation after a swap runs: each takes SHARE UPDATE EXCLUSIVE, and blocks no writer while it reads. */
export function validateSql(table: { schema: string; name: string }, constraint: string): string {
  return `ALTER TABLE ${quoteName(table)} VALIDATE CONSTRAINT ${quoteIdent(constraint)}`;
}
