import { rm } from 'node:fs/promises';
import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import type { Batch } from './archive.ts';
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
  { run, since, size }: { run: number; since: string; size: number },
): Promise<Batch> {
  if (directory === null) {
    const { rows } = await client.query<Batch>(
      'SELECT taken::float8 AS taken, moved::float8 AS moved, reached::text AS reached FROM keeper.purge_batch($1, $2, $3)',
      [run, since, size],
    );
    return rows[0] ?? { taken: 0, moved: 0, reached: null };
  }
  const { rows } = await client.query<{ id: string; reached: string; messages: number; feedback: number }>(
    `SELECT session_id AS id, max(last_accessed) OVER ()::text AS reached, messages::float8 AS messages, feedback::float8 AS feedback
       FROM keeper.take_purge($1, $2)`,
    [since, size],
  );
  const [first] = rows;
  if (first === undefined) return { taken: 0, moved: 0, reached: null };
  const all = rows.map(({ id }) => id);
  const { tables, busy } = await findCascadedRows(client, names, all, { lock: true });
  const free = rows.filter(({ id }) => !busy.has(id));
  if (free.length === 0) return { taken: rows.length, moved: 0, reached: first.reached };
  const ids = free.map(({ id }) => id);
  const file = await writePurgeFile(client, names, run, ids, tables, directory);
  try {
    const purged = await client.query<{ moved: number }>('SELECT keeper.purge($1, $2, $3, $4, $5)::float8 AS moved', [
      run,
      ids,
      free.map((r) => r.messages),
      free.map((r) => r.feedback),
      file,
    ]);
    return { taken: rows.length, moved: purged.rows[0]?.moved ?? 0, reached: first.reached };
  } catch (error) {
    // Not where the COMMIT fails: it may have been done, and its answer lost.
    await rm(file, { force: true });
    throw error;
  }
}
