import { quoteName } from '../../../src/db/identifier.ts';
import { withLockRetry } from '../../../src/engine/retry-ddl.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { SessionsNames } from '../names.ts';
import { planStatements } from '../templates.ts';

/** The materialized view `session_stats`: filled by a plain refresh once, and proved to refresh CONCURRENTLY from then on. */
export function sessionStatsStep(names: SessionsNames): Step {
  const view = { schema: names.sessions.schema, name: 'session_stats' };
  return {
    name: 'session-stats',
    guide: '7',
    title: 'Create and fill session_stats',
    phase: 'baking',
    plan: async () =>
      planStatements('session-stats', names, 'live').map((sql) => ({
        sql,
        lock: 'ACCESS SHARE on the tables that it reads',
        cost: 'one read of sessions, messages and message_feedback',
      })),
    apply: async ({ pool }) => {
      for (const sql of planStatements('session-stats', names, 'live')) await pool.query(sql);
      await pool.query(`REFRESH MATERIALIZED VIEW CONCURRENTLY ${quoteName(view)}`);
      const { rows } = await pool.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${quoteName(view)}`);
      return `${rows[0]?.rows ?? 0} rows`;
    },
    verify: async ({ pool }) => {
      const { rows } = await pool.query<{ populated: boolean; unique: boolean }>(
        `SELECT c.relispopulated AS populated, EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND x.relname = 'session_stats_user_status_idx') AS unique
           FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`,
        [quoteName(view)],
      );
      if (rows[0]?.populated === true && rows[0].unique) return [];
      return [{ severity: 'blocks', subject: quoteName(view), message: 'is not populated, or lacks its unique index' }];
    },
    revert: async ({ pool, options, emit, signal }) => {
      await withLockRetry(
        pool,
        'Dropping session_stats',
        async (client) => {
          await client.query(`DROP VIEW IF EXISTS ${quoteName({ ...view, name: 'my_session_stats' })}`);
          await client.query('DROP FUNCTION IF EXISTS private.my_session_stats()');
          await client.query(`DROP MATERIALIZED VIEW IF EXISTS ${quoteName(view)}`);
        },
        { ...options.cutover, emit, signal },
      );
    },
  };
}
