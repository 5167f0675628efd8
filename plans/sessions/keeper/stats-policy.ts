import { z } from 'zod';
import type { Queryable } from '../../../src/db/connect.ts';

/** How often `session_stats` is refreshed, what share of the time may go into it, and how often all is counted anew. */
export const statsPolicySchema = z.object({
  refreshEverySeconds: z.number().positive(),
  share: z.number().positive().max(1),
  recountEveryHours: z.number().positive().nullable(),
});
export type StatsPolicy = z.infer<typeof statsPolicySchema>;

export async function readStatsPolicy(client: Queryable): Promise<StatsPolicy> {
  const { rows } = await client.query(
    `SELECT extract(epoch FROM refresh_every)::float8 AS "refreshEverySeconds", share,
            (extract(epoch FROM recount_every) / 3600)::float8 AS "recountEveryHours" FROM keeper.stats_policy`,
  );
  return statsPolicySchema.parse(rows[0]);
}

export async function writeStatsPolicy(client: Queryable, policy: StatsPolicy): Promise<void> {
  await client.query(
    `UPDATE keeper.stats_policy SET refresh_every = $1::float8 * interval '1 second', share = $2,
            recount_every = $3::float8 * interval '1 hour', changed_at = now(), changed_by = session_user`,
    [policy.refreshEverySeconds, policy.share, policy.recountEveryHours],
  );
}
