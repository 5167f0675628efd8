import type { Queryable } from '../../../src/db/connect.ts';

export interface BackupFigures {
  /** When the newest finished one began; null where there is none. Likewise below. */
  readonly lastSuccess: Date | null;
  readonly lastFailure: Date | null;
  readonly lastBytes: number;
  /** The median of those before it; null where there are fewer than three. */
  readonly usualBytes: number | null;
  readonly lastDrillSuccess: Date | null;
  readonly lastDrillFailure: Date | null;
}

export async function readBackupFigures(client: Queryable): Promise<BackupFigures> {
  const { rows } = await client.query<BackupFigures>(
    `WITH good AS (SELECT started_at, bytes FROM keeper.backups WHERE ended_at IS NOT NULL AND error IS NULL ORDER BY id DESC LIMIT 11)
     SELECT (SELECT max(started_at) FROM keeper.backups
              WHERE ended_at IS NOT NULL AND error IS NULL AND removed_at IS NULL) AS "lastSuccess",
            (SELECT max(started_at) FROM keeper.backups WHERE error IS NOT NULL) AS "lastFailure",
            coalesce((SELECT bytes FROM good LIMIT 1), 0)::float8 AS "lastBytes",
            (SELECT CASE WHEN count(*) >= 3 THEN percentile_disc(0.5) WITHIN GROUP (ORDER BY bytes) END
               FROM (SELECT bytes FROM good OFFSET 1) before)::float8 AS "usualBytes",
            (SELECT max(started_at) FROM keeper.drills WHERE ended_at IS NOT NULL AND error IS NULL) AS "lastDrillSuccess",
            (SELECT max(started_at) FROM keeper.drills WHERE error IS NOT NULL) AS "lastDrillFailure"`,
  );
  const [row] = rows;
  return (
    row ?? {
      lastSuccess: null,
      lastFailure: null,
      lastBytes: 0,
      usualBytes: null,
      lastDrillSuccess: null,
      lastDrillFailure: null,
    }
  );
}
