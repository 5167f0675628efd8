import { Hono } from 'hono';
import { z } from 'zod';
import { compareFigures, listRecounts } from '../../../plans/sessions/keeper/drift.ts';
import type { Queryable } from '../../db/connect.ts';
import { TandemError } from '../../engine/errors.ts';
import { atMost } from '../at-most.ts';
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
const RECOUNTS_SHOWN = 10;

export function statisticsRoutes({ pool }: Dashboard) {
  const comparing = atMost(1, 'The figures are being compared already.');
  const app = new Hono<Signed>().get('/', since, async (context) => {
    if (!(await hasTable(pool, 'stats_refreshes')))
      return context.json({ summary: null, refreshes: [], durations: [], recounts: [] });
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
      recounts: await listRecounts(pool, RECOUNTS_SHOWN),
      durations: durations.reverse().map(({ started_at, ended_at }) => ({
        at: started_at,
        seconds: ((ended_at?.getTime() ?? started_at.getTime()) - started_at.getTime()) / 1000,
      })),
    });
  });
  // It changes nothing, but it reads every message: whoever goes away meanwhile wants it no more.
  return app.get('/comparison', async (context) => {
    if (!(await hasTable(pool, 'stats_refreshes')))
      throw new TandemError('TD012', 'There are no statistics yet.', { hint: 'They are there from the cutover on.' });
    return context.json(await comparing(() => compareFigures(pool, context.req.raw.signal)));
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
