import { Hono } from 'hono';
import { type PartitionSize, partitionSizes } from '../../../plans/sessions/keeper/partitions.ts';
import { type Point, readSamples } from '../../../plans/sessions/keeper/samples.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';
import { hours, since } from '../since.ts';

const WEEK_MS = 7 * 86_400_000;
const DAY_MS = 86_400_000;
/** Growth over less than this says nothing. */
const LEAST_MS = 3_600_000;

export interface PartitionView extends PartitionSize {
  /** Over the last week, or as long as there are figures; null where that is less than an hour. */
  readonly bytes_a_day: number | null;
  /** Until the limit is reached at this growth; null where it never is. */
  readonly days_left: number | null;
}

export function partitionsRoutes({ pool, names, config }: Dashboard) {
  return new Hono<Signed>().get('/', since, async (context) => {
    const sizes = await partitionSizes(pool, names, config.monitoring.partitionLimits);
    const sampled = await hasTable(pool, 'samples');
    const week = sampled ? await readSamples(pool, 'partition_bytes', new Date(Date.now() - WEEK_MS)) : [];
    const bytes = sampled ? await readSamples(pool, 'partition_bytes', hours(context.req.valid('query'))) : [];
    const partitions = sizes.map((size) => growing(size, week));
    return context.json({ partitions, bytes });
  });
}

function growing(size: PartitionSize, week: readonly Point[]): PartitionView {
  const own = week.filter(({ label }) => label === size.status);
  const first = own[0];
  const last = own.at(-1);
  const ms = first && last ? last.at.getTime() - first.at.getTime() : 0;
  if (!first || !last || ms < LEAST_MS) return { ...size, bytes_a_day: null, days_left: null };
  const perDay = ((last.value - first.value) / ms) * DAY_MS;
  return { ...size, bytes_a_day: perDay, days_left: perDay > 0 ? (size.limit_bytes - size.bytes) / perDay : null };
}
