import { rm } from 'node:fs/promises';
import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import { type Batch, type BatchRow, oneBatchOf, type Reached, START } from './batch.ts';
import { findCascadedRows } from './cascaded-rows.ts';
import { writePurgeFile } from './purge-file.ts';

/**
 * Deletes a batch of due sessions for good, each with an audit row in the same transaction. Where there is a directory,
 * they are written to a file in it first, with all that goes with them; a session with a row that somebody else
 * has locked is left to the next run.
 */
export async function purgeBatch(
  client: Queryable,
  names: SessionsNames,
  directory: string | null,
  { run, since, size }: { run: number; since: Reached; size: number },
): Promise<Batch> {
  if (directory === null)
    return oneBatchOf(
      await client.query<BatchRow>(
        `SELECT taken::float8 AS taken, moved::float8 AS moved, reached::text AS at, reached_id::text AS id
           FROM keeper.purge_batch($1, $2, $3, $4)`,
        [run, since.at, since.id, size],
      ),
    );
  const { rows } = await client.query<{ id: string; at: string; messages: number; feedback: number; busy: boolean }>(
    `SELECT session_id::text AS id, last_accessed::text AS at, messages::float8 AS messages, feedback::float8 AS feedback, busy
       FROM keeper.take_purge($1, $2, $3)`,
    [since.at, since.id, size],
  );
  const { at, id } = rows.at(-1) ?? START;
  const looked = { taken: rows.length, reached: { at, id } };
  const taken = rows.filter(({ busy }) => !busy).map((row) => row.id);
  const { tables, busy } = await findCascadedRows(client, names, taken, { lock: true });
  const free = rows.filter((row) => !row.busy && !busy.has(row.id));
  if (free.length === 0) return { ...looked, moved: 0 };
  const ids = free.map((row) => row.id);
  const file = await writePurgeFile(client, names, run, ids, tables, directory);
  try {
    const purged = await client.query<{ moved: number }>('SELECT keeper.purge($1, $2, $3, $4, $5)::float8 AS moved', [
      run,
      ids,
      free.map((r) => r.messages),
      free.map((r) => r.feedback),
      file,
    ]);
    return { ...looked, moved: purged.rows[0]?.moved ?? 0 };
  } catch (error) {
    // Not where the COMMIT fails: it may have been done, and its answer lost.
    await rm(file, { force: true });
    throw error;
  }
}
