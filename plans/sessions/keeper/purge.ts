import type { Queryable } from '../../../src/db/connect.ts';
import type { Batch } from './archive.ts';

/** Deletes a batch of due sessions for good, each with an audit row in the same transaction. */
export async function purgeBatch(client: Queryable, run: number, since: string, size: number): Promise<Batch> {
  const { rows } = await client.query<Batch>(
    'SELECT taken::float8 AS taken, moved::float8 AS moved, reached::text AS reached FROM keeper.purge_batch($1, $2, $3)',
    [run, since, size],
  );
  return rows[0] ?? { taken: 0, moved: 0, reached: null };
}
