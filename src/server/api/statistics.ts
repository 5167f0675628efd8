import { Hono } from 'hono';
import { z } from 'zod';
import type { Queryable } from '../../db/connect.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';
import { hours, since } from '../since.ts';

const refresh = z.object({
  id: z.coerce.number(),
  started_at: z.date(),
  ended_at: z.date().nullable(),
  mode: z.string(),
  rows: z.coerce.number().nullable(),
  error: z.string().nullable(),
});
export type RefreshRow = z.infer<typeof refresh>;

const summary = z.object({
  /** As of when the figures are. */
  as_of: z.date().nullable(),
  refreshed: z.number(),
  skipped: z.number(),
  failed: z.number(),
});

const SHOWN = 50;
const MOST_POINTS = 500;

export function statisticsRoutes({ pool }: Dashboard) {
  return new Hono<Signed>().get('/', since, async (context) => {
    if (!(await hasTable(pool, 'stats_refreshes')))
      return context.json({ summary: null, refreshes: [], durations: [] });
    const from = hours(context.req.valid('query'));
    const counted = await pool.query(
      `SELECT (SELECT max(started_at) FROM keeper.stats_refreshes WHERE error IS NULL AND ended_at IS NOT NULL) AS as_of,
              count(*) FILTER (WHERE mode <> 'skipped' AND error IS NULL)::float8 AS refreshed,
              count(*) FILTER (WHERE mode = 'skipped')::float8 AS skipped,
              count(*) FILTER (WHERE error IS NOT NULL)::float8 AS failed
         FROM keeper.stats_refreshes WHERE started_at >= $1`,
      [from],
    );
    const durations = await listRefreshes(pool, MOST_POINTS, from, true);
    return context.json({
      summary: summary.parse(counted.rows[0]),
      refreshes: await listRefreshes(pool, SHOWN, null, false),
      durations: durations.reverse().map(({ started_at, ended_at }) => ({
        at: started_at,
        seconds: ((ended_at?.getTime() ?? started_at.getTime()) - started_at.getTime()) / 1000,
      })),
    });
  });
}

async function listRefreshes(
  client: Queryable,
  limit: number,
  from: Date | null,
  measured: boolean,
): Promise<RefreshRow[]> {
  const { rows } = await client.query(
    `SELECT id, started_at, ended_at, mode, rows, error FROM keeper.stats_refreshes
      WHERE ($2::timestamptz IS NULL OR started_at >= $2)
        AND (NOT $3 OR mode <> 'skipped' AND ended_at IS NOT NULL AND error IS NULL)
      ORDER BY id DESC LIMIT $1`,
    [limit, from, measured],
  );
  return z.array(refresh).parse(rows);
}
