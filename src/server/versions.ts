import type { Pool } from '../db/connect.ts';
import { hasTable } from './installed.ts';
import type { Topic } from './topics.ts';

/** SQL for what changes whenever a topic does; each is answered by an index or a handful of rows. */
const VERSIONS = {
  archiving: {
    table: 'archive_policy',
    sql: `(SELECT concat(max(id), ' ', count(*) FILTER (WHERE ended_at IS NULL), ' ', max(undone_at)) FROM keeper.archive_runs
            WHERE id > (SELECT max(id) - 30 FROM keeper.archive_runs)) || (SELECT changed_at::text FROM keeper.archive_policy)`,
  },
  holds: { table: 'archive_policy', sql: "(SELECT concat(count(*), ' ', max(placed_at)) FROM keeper.session_holds)" },
  statistics: {
    table: 'stats_refreshes',
    sql: `concat((SELECT concat(id, ' ', ended_at) FROM keeper.stats_refreshes ORDER BY id DESC LIMIT 1),
            (SELECT concat(' ', id, ' ', ended_at) FROM keeper.stats_recounts ORDER BY id DESC LIMIT 1))`,
  },
  alerts: {
    table: 'alerts',
    sql: "(SELECT concat(max(id), ' ', max(firing_at), ' ', max(resolved_at)) FROM keeper.alerts)",
  },
  backups: {
    table: 'backups',
    sql: `(SELECT concat(max(id), ' ', max(ended_at), ' ', max(removed_at)) FROM keeper.backups)
            || (SELECT concat(' ', max(id), ' ', max(ended_at)) FROM keeper.drills)`,
  },
  audit: { table: 'audit', sql: '(SELECT max(id)::text FROM keeper.audit)' },
  samples: { table: 'samples', sql: '(SELECT max(taken_at)::text FROM keeper.samples)' },
} as const satisfies Partial<Record<Topic, { table: Parameters<typeof hasTable>[1]; sql: string }>>;

/** What stands for the state of each topic now; nothing for one whose table is not there yet. */
export async function readVersions(pool: Pool): Promise<Partial<Record<Topic, string>>> {
  const found: Partial<Record<Topic, string>> = {};
  for (const topic of Object.keys(VERSIONS) as (keyof typeof VERSIONS)[]) {
    const { table, sql } = VERSIONS[topic];
    if (!(await hasTable(pool, table))) continue;
    const { rows } = await pool.query<{ version: string | null }>(`SELECT ${sql} AS version`);
    found[topic] = rows[0]?.version ?? '';
  }
  return found;
}
