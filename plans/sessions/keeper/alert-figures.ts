import type { Queryable } from '../../../src/db/connect.ts';
import type { KeeperFigures } from './figures.ts';
import type { MigrationFigures } from './migration-figures.ts';
import type { BackupSettings } from './monitoring-config.ts';

/** What the conditions of the alerts are decided by. */
export interface AlertFigures extends KeeperFigures {
  readonly migration: MigrationFigures;
  readonly history: History;
  readonly backupSettings: BackupSettings | null;
}

/** What only looking back tells. */
export interface History {
  /** Of a partition, by status: bytes that it grew a second, over the last day. */
  readonly growth: Readonly<Record<string, number>>;
  /** By language, in seconds: over the last hour, and over the week before. */
  readonly search: Readonly<Record<string, { readonly lately: number | null; readonly before: number | null }>>;
  /** Languages in which every probe of the last quarter of an hour failed. */
  readonly searchFailing: readonly string[];
  /** Mean of the refreshes of the last hour, in seconds; null where there was none. */
  readonly refreshSeconds: number | null;
}

export async function readHistory(client: Queryable): Promise<History> {
  const growth = await client.query<{ label: string; slope: number | null }>(
    `SELECT label, regr_slope(value, extract(epoch FROM taken_at))::float8 AS slope FROM keeper.samples
      WHERE series = 'partition_bytes' AND taken_at > now() - interval '1 day' GROUP BY label`,
  );
  const search = await client.query<{ label: string; lately: number | null; before: number | null }>(
    `SELECT label, avg(value) FILTER (WHERE taken_at > now() - interval '1 hour') AS lately,
            avg(value) FILTER (WHERE taken_at <= now() - interval '1 hour') AS before
       FROM keeper.samples WHERE series = 'search_seconds' AND taken_at > now() - interval '7 days' GROUP BY label`,
  );
  const failing = await client.query<{ label: string }>(
    `SELECT label FROM keeper.samples WHERE series = 'search_failed' AND taken_at > now() - interval '15 minutes'
      GROUP BY label HAVING min(value) > 0 ORDER BY label`,
  );
  const refresh = await client.query<{ took: number | null }>(
    `SELECT avg(extract(epoch FROM ended_at - started_at))::float8 AS took FROM keeper.stats_refreshes
      WHERE mode <> 'skipped' AND error IS NULL AND ended_at > now() - interval '1 hour'`,
  );
  return {
    growth: Object.fromEntries(growth.rows.map(({ label, slope }) => [label, slope ?? 0])),
    search: Object.fromEntries(search.rows.map(({ label, ...means }) => [label, means])),
    searchFailing: failing.rows.map(({ label }) => label),
    refreshSeconds: refresh.rows[0]?.took ?? null,
  };
}
