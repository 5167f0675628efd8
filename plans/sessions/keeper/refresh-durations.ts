import type { Queryable } from '../../../src/db/connect.ts';

export interface RefreshReader {
  /** Seconds that each refresh took which ended since this was asked the last time; the first time: none. */
  read(): Promise<number[]>;
}

/** Follows the history of refreshes, whoever ran them: this keeper, another one, a command, a scheduler in the database. */
export function createRefreshReader(client: Queryable): RefreshReader {
  let seen: string | null = null;
  return {
    read: async () => {
      const { rows } = await client.query<{ seen: string; took: number[] }>(
        `SELECT coalesce(max(ended_at), $1::timestamptz, '-infinity')::text AS seen,
                coalesce(array_agg(extract(epoch FROM ended_at - started_at)::float8)
                           FILTER (WHERE mode <> 'skipped' AND error IS NULL AND $1::timestamptz IS NOT NULL), '{}') AS took
           FROM keeper.stats_refreshes WHERE ended_at > coalesce($1::timestamptz, '-infinity')`,
        [seen],
      );
      seen = rows[0]?.seen ?? seen;
      return rows[0]?.took ?? [];
    },
  };
}
