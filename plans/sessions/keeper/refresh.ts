import type { Pool } from 'pg';
import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import { keeperNames } from './transitions.ts';

export interface Refresh {
  readonly mode: 'plain' | 'concurrent' | 'skipped';
  readonly elapsedMs: number;
  readonly rows: number | null;
}

/**
 * Refreshes `session_stats` and notes it. Readers go on reading the old figures meanwhile; only a view that was never
 * filled, or was emptied, is refreshed plainly. Where no row was written since the last time, nothing is done.
 *
 *     REFRESH MATERIALIZED VIEW CONCURRENTLY "public".session_stats
 */
export async function refreshStats(pool: Pool, names: SessionsNames, force = false): Promise<Refresh> {
  const k = keeperNames(names);
  // Counted before the refresh: what is written meanwhile is due the next time.
  const changes = await countChanges(pool, [k.sessions, k.messages, k.feedback]);
  const { populated, last } = await readState(pool, k.stats);
  const mode = !populated ? 'plain' : !force && last === changes ? 'skipped' : 'concurrent';
  const { rows } = await pool.query<{ id: string }>(
    'INSERT INTO keeper.stats_refreshes (mode, changes) VALUES ($1, $2) RETURNING id',
    [mode, changes],
  );
  const id = rows[0]?.id;
  const startedAt = performance.now();
  try {
    if (mode !== 'skipped')
      await pool.query(`REFRESH MATERIALIZED VIEW ${mode === 'plain' ? '' : 'CONCURRENTLY '}${k.stats}`);
  } catch (error) {
    await pool.query('UPDATE keeper.stats_refreshes SET ended_at = clock_timestamp(), error = $2 WHERE id = $1', [
      id,
      error instanceof Error ? error.message : String(error),
    ]);
    throw error;
  }
  const elapsedMs = performance.now() - startedAt;
  const ended = await pool.query<{ rows: number | null }>(
    `UPDATE keeper.stats_refreshes SET ended_at = clock_timestamp(),
            rows = CASE WHEN mode = 'skipped' THEN NULL ELSE (SELECT count(*) FROM ${k.stats}) END
      WHERE id = $1 RETURNING rows::float8 AS rows`,
    [id],
  );
  return { mode, elapsedMs, rows: ended.rows[0]?.rows ?? null };
}

/** Rows written so far, by the server's own count, partitions included. */
async function countChanges(client: Queryable, tables: readonly string[]): Promise<string> {
  const { rows } = await client.query<{ changes: string }>(
    `SELECT coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(p.relid) + pg_catalog.pg_stat_get_tuples_updated(p.relid)
                         + pg_catalog.pg_stat_get_tuples_deleted(p.relid)), 0)::bigint::text AS changes
       FROM pg_catalog.unnest($1::text[]) t (name),
            LATERAL (SELECT relid FROM pg_catalog.pg_partition_tree(t.name::regclass)
                      UNION SELECT t.name::regclass) p`,
    [tables],
  );
  return rows[0]?.changes ?? '0';
}

async function readState(client: Queryable, stats: string): Promise<{ populated: boolean; last: string | null }> {
  const { rows } = await client.query<{ populated: boolean; last: string | null }>(
    `SELECT (SELECT relispopulated FROM pg_catalog.pg_class WHERE oid = $1::regclass) AS populated,
            (SELECT r.changes::text FROM keeper.stats_refreshes r WHERE r.ended_at IS NOT NULL AND r.error IS NULL
              ORDER BY r.id DESC LIMIT 1) AS last`,
    [stats],
  );
  return { populated: rows[0]?.populated === true, last: rows[0]?.last ?? null };
}
