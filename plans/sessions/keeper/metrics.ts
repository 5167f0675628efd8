import type { Pool } from 'pg';
import { Counter, Gauge, type Registry } from 'prom-client';
import { quoteIdent } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';

const statuses = ['active', 'archived', 'deleted'] as const;
const kinds = ['archived', 'deleted', 'purged'] as const;

/**
 * The series of the plan. What is returned reads them from the database, and is to be awaited before the registry is
 * asked: whichever keeper is asked, says the same.
 */
export function addSessionsMetrics(registry: Registry, pool: Pool, names: SessionsNames): () => Promise<void> {
  const registers = [registry];
  const bytes = new Gauge({
    name: 'tandem_partition_bytes',
    help: 'Size of a partition of sessions with its indexes.',
    labelNames: ['status'],
    registers,
  });
  const rows = new Gauge({
    name: 'tandem_partition_rows',
    help: 'Rows of a partition of sessions, as of the last ANALYZE.',
    labelNames: ['status'],
    registers,
  });
  const holds = new Gauge({ name: 'tandem_session_holds', help: 'Sessions that are held.', registers });
  const moved = new Counter({
    name: 'tandem_archive_sessions_total',
    help: 'Sessions that archiving moved on, by what became of them.',
    labelNames: ['transition'],
    registers,
  });
  const refreshed = new Gauge({
    name: 'tandem_stats_snapshot_timestamp_seconds',
    help: 'When session_stats was last brought up to date; 0 where it never was.',
    registers,
  });
  const took = new Gauge({
    name: 'tandem_stats_refresh_seconds',
    help: 'How long the last refresh of session_stats took that was not skipped.',
    registers,
  });
  return async () => {
    const found = await read(pool, names);
    for (const status of statuses) {
      bytes.set({ status }, found[`bytes_${status}`] ?? 0);
      rows.set({ status }, Math.max(0, found[`rows_${status}`] ?? 0));
    }
    moved.reset();
    for (const transition of kinds) moved.inc({ transition }, found[transition] ?? 0);
    holds.set(found['holds'] ?? 0);
    refreshed.set(found['refreshed'] ?? 0);
    took.set(found['took'] ?? 0);
  };
}

async function read(pool: Pool, names: SessionsNames): Promise<Record<string, number | null>> {
  const schema = quoteIdent(names.sessions.schema);
  const partitions = statuses.map((status) => `${schema}.${quoteIdent(names.partitions[status])}`);
  const sizes = statuses.flatMap((status, i) => [
    `pg_catalog.pg_total_relation_size($${i + 1}::regclass)::float8 AS bytes_${status}`,
    `(SELECT reltuples::float8 FROM pg_catalog.pg_class WHERE oid = $${i + 1}::regclass) AS rows_${status}`,
  ]);
  const { rows } = await pool.query<Record<string, number | null>>(
    `SELECT ${sizes.join(', ')}, (SELECT count(*)::float8 FROM keeper.session_holds) AS holds, r.*, s.*
       FROM (SELECT coalesce(sum(archived), 0)::float8 AS archived, coalesce(sum(deleted), 0)::float8 AS deleted,
                    coalesce(sum(purged), 0)::float8 AS purged FROM keeper.archive_runs) r,
            (SELECT max(extract(epoch FROM started_at))::float8 AS refreshed,
                    (SELECT extract(epoch FROM l.ended_at - l.started_at)::float8 FROM keeper.stats_refreshes l
                      WHERE l.error IS NULL AND l.mode <> 'skipped' AND l.ended_at IS NOT NULL ORDER BY l.id DESC LIMIT 1) AS took
               FROM keeper.stats_refreshes WHERE error IS NULL AND ended_at IS NOT NULL) s`,
    partitions,
  );
  return rows[0] ?? {};
}
