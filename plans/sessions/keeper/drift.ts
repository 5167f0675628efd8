import { z } from 'zod';
import { cancelledBy } from '../../../src/db/cancel.ts';
import { inTransaction, type Pool, type Queryable } from '../../../src/db/connect.ts';
import { readSqlFile } from '../../../src/db/sql-file.ts';

const recountRow = z.object({
  id: z.coerce.number(),
  started_at: z.date(),
  /** Null while it is under way, or where it waits to be gone on with. */
  ended_at: z.date().nullable(),
  sessions: z.coerce.number(),
  /** Sessions whose figures were wrong, and were put right. */
  drifted: z.coerce.number(),
});
export type RecountRow = z.infer<typeof recountRow>;

/** The recounts so far, the newest first. */
export async function listRecounts(client: Queryable, limit: number): Promise<RecountRow[]> {
  const { rows } = await client.query(
    'SELECT id, started_at, ended_at, sessions, drifted FROM keeper.stats_recounts ORDER BY id DESC LIMIT $1',
    [limit],
  );
  return z.array(recountRow).parse(rows);
}

const comparison = z.object({
  sessions: z.number(),
  drifted: z.number(),
  /** Each figure that differs, of the first of those sessions; null: there is none. */
  differences: z.array(
    z.object({ session: z.string(), figure: z.string(), noted: z.string().nullable(), counted: z.string().nullable() }),
  ),
});
export type Comparison = z.infer<typeof comparison>;

const SHOWN = 20;

/** What the statistics say of every session beside what its rows give. Puts nothing right, and reads every message. */
export function compareFigures(pool: Pool, signal: AbortSignal): Promise<Comparison> {
  const sql = readSqlFile('plans/sessions/sql/stats-comparison.sql');
  return inTransaction(
    pool,
    (client) =>
      cancelledBy(pool, client, signal, async () => comparison.parse((await client.query(sql, [SHOWN])).rows[0])),
    "BEGIN READ ONLY; SET LOCAL statement_timeout = '60s'",
  );
}
