import { z } from 'zod';
import type { Queryable } from '../../../src/db/connect.ts';

/** What keeper.samples holds, and what the label of each is. */
export const sampleSeries = {
  partition_bytes: 'status',
  partition_rows: 'status',
  search_seconds: 'language',
  /** 1 where the probe failed, else 0. */
  search_failed: 'language',
  stats_refresh_seconds: null,
  dirty_sessions: null,
} as const;
export type SampleSeries = keyof typeof sampleSeries;

export interface Sample {
  readonly series: SampleSeries;
  /** '' where the series has no label. */
  readonly label: string;
  readonly value: number;
}

const point = z.object({ label: z.string(), at: z.date(), value: z.number() });
export type Point = z.infer<typeof point>;

/** A series since then, oldest first, at most `points` of each label: of each stretch of time its greatest value. */
export async function readSamples(
  client: Queryable,
  series: SampleSeries,
  since: Date,
  points = 500,
): Promise<Point[]> {
  const { rows } = await client.query(
    `SELECT label, max(taken_at) AS at, max(value) AS value
       FROM keeper.samples WHERE series = $1 AND taken_at >= $2
      GROUP BY label, floor(extract(epoch FROM taken_at - $2) / (extract(epoch FROM now() - $2) / $3))
      ORDER BY at, label`,
    [series, since, points],
  );
  return z.array(point).parse(rows);
}

/** Notes figures as of now; the same figure a second time in one transaction is the first one. */
export async function writeSamples(client: Queryable, samples: readonly Sample[]): Promise<void> {
  await client.query(
    `INSERT INTO keeper.samples (series, label, value)
     SELECT * FROM unnest($1::text[], $2::text[], $3::float8[]) ON CONFLICT DO NOTHING`,
    [samples.map((s) => s.series), samples.map((s) => s.label), samples.map((s) => s.value)],
  );
}

/** Notes sizes, what waits to be folded, and what the last refresh took. */
export async function sampleFigures(client: Queryable): Promise<void> {
  await client.query('SELECT keeper.sample_figures()');
}

/** Keeps one sample an hour of what is older than a day, and nothing of what is older than 30 days. */
export async function thinSamples(client: Queryable): Promise<void> {
  await client.query('SELECT keeper.thin_samples()');
}
