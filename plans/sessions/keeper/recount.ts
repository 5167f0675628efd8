import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { TandemError } from '../../../src/engine/errors.ts';

export interface Recount {
  readonly sessions: number;
  /** Sessions whose figures were wrong, and were put right. */
  readonly drifted: number;
}

export interface RecountOptions {
  readonly pool: Pool;
  /** Although the last one was not long ago. */
  readonly force?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly fence?: ((client: Queryable) => Promise<void>) | undefined;
  /** Awaited after each batch, with what it took. */
  readonly pace?: ((elapsedMs: number) => Promise<void>) | undefined;
}

const FIRST_BATCH = 100;
const MAX_BATCH = 5_000;
/** What a batch should take: so long, at most, does a fold wait for it. */
const TARGET_MS = 200;

/**
 * Counts every session anew, in batches that are committed one by one, compares that with what rollup and queue say, and
 * puts right what differs. A recount that was stopped goes on where it was. Null where none is due.
 *
 *     SELECT sessions, drifted, ended FROM keeper.recount_batch($1, $2);
 *
 * @throws TD022 where the signal fired between two batches
 */
export async function recountStats({ pool, force, signal, fence, pace }: RecountOptions): Promise<Recount | null> {
  let size = FIRST_BATCH;
  for (let begun = false; ; begun = true) {
    if (signal?.aborted)
      throw new TandemError('TD022', 'Stopped between two batches of sessions that are counted anew.', {
        hint: 'Run the same command again to go on.',
      });
    const startedAt = performance.now();
    const batch = await inTransaction(pool, async (client) => {
      await fence?.(client);
      const { rows } = await client.query<{ sessions: number; drifted: number; ended: boolean }>(
        'SELECT sessions::float8 AS sessions, drifted::float8 AS drifted, ended FROM keeper.recount_batch($1, $2)',
        [size, force === true && !begun],
      );
      return rows[0] ?? null;
    });
    const elapsedMs = performance.now() - startedAt;
    // Where it has ended at somebody else's hands meanwhile, there is nothing due either.
    if (batch === null) return null;
    if (batch.ended) return { sessions: batch.sessions, drifted: batch.drifted };
    size = Math.round(Math.min(MAX_BATCH, size * 2, Math.max(1, (size * TARGET_MS) / elapsedMs)));
    await pace?.(elapsedMs);
  }
}
