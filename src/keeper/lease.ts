import type { Queryable } from '../db/connect.ts';
import { TandemError } from '../engine/errors.ts';

/** For how long a leader that says nothing is still taken for one. */
export const LEASE_MS = 10_000;
/** How often it says something: it may miss one and keep the lease. */
export const RENEW_MS = 4_000;
/** How often those ask for it that do not have it: after a leader is killed, the next one has it within 12 seconds. */
export const ASK_MS = 2_000;

/**
 * A lease on being the only keeper of a database: one row, so that it works behind a pooler that hands each transaction
 * another connection. The epoch is the fencing token (as in Kleppmann, "How to do distributed locking").
 *
 * It waits for transactions that have looked at the lease: their lock keeps it from changing hands, and from nothing else.
 *
 * @returns the epoch, or null where another keeper holds the lease
 */
export async function acquireLease(client: Queryable, holder: string): Promise<string | null> {
  const { rows } = await client.query<{ epoch: string }>(
    `UPDATE keeper.leader l
        SET holder = $1, epoch = l.epoch + 1, expires_at = clock_timestamp() + $2::float8 * interval '1 ms'
       FROM (SELECT only_row FROM keeper.leader WHERE expires_at < now() FOR UPDATE) lapsed
      WHERE l.only_row = lapsed.only_row RETURNING l.epoch::text AS epoch`,
    [holder, LEASE_MS],
  );
  return rows[0]?.epoch ?? null;
}

/** False where the lease is somebody else's by now. */
export async function renewLease(client: Queryable, epoch: string): Promise<boolean> {
  const { rowCount } = await client.query(
    "UPDATE keeper.leader SET expires_at = now() + $2::float8 * interval '1 ms' WHERE epoch = $1",
    [epoch, LEASE_MS],
  );
  return rowCount === 1;
}

/** Lets the next keeper take over at once. */
export async function releaseLease(client: Queryable, epoch: string): Promise<void> {
  await client.query("UPDATE keeper.leader SET expires_at = '-infinity', holder = NULL WHERE epoch = $1", [epoch]);
}

/**
 * In the transaction that writes: the lease is ours, and nobody can take it before this transaction has ended. We can renew
 * it meanwhile, however long that takes: a renewal changes no key, and passes a KEY SHARE lock.
 *
 * @throws TD021 where another keeper has it
 */
export async function assertLease(client: Queryable, epoch: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM keeper.leader WHERE epoch = $1 FOR KEY SHARE', [epoch]);
  if (rowCount === 1) return;
  throw new TandemError('TD021', 'Another keeper has taken over.', {
    hint: 'This one lost its connection, or was stopped, for longer than its lease; it waits for its turn again.',
  });
}
