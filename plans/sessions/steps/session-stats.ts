import { inTransaction } from '../../../src/db/connect.ts';
import { displayName, quoteName } from '../../../src/db/identifier.ts';
import type { Finding } from '../../../src/engine/events.ts';
import { withLockRetry } from '../../../src/engine/retry-ddl.ts';
import type { Step } from '../../../src/engine/step.ts';
import { guardHeld } from '../keeper/holds.ts';
import type { SessionsNames } from '../names.ts';
import { driftFindings, triggerFindings } from '../stats-findings.ts';
import { planStatements } from '../templates.ts';

/**
 * The materialized view `session_stats`, and what keeps it cheap: triggers that queue what every write adds to a session,
 * and the rollup that the queue is folded into. Filled once while clients write, and proved to refresh CONCURRENTLY from
 * then on.
 */
export function sessionStatsStep(names: SessionsNames): Step {
  const view = { schema: names.sessions.schema, name: 'session_stats' };
  const feedback = { schema: names.sessions.schema, name: 'message_feedback' };
  const statements = (file: string) => planStatements(file, names, 'live');
  return {
    name: 'session-stats',
    guide: '7',
    title: 'Create and fill session_stats',
    phase: 'baking',
    plan: async () => [
      ...statements('session-rollup').map((sql) => ({ sql, lock: null, cost: 'catalog only' })),
      ...statements('session-changes').map((sql) => ({
        sql,
        lock: `SHARE ROW EXCLUSIVE on ${displayName(feedback)} and ${displayName(names.messages)}, for an instant`,
        cost: 'catalog only',
      })),
      ...statements('session-stats').map((sql) => ({
        sql,
        lock: 'ACCESS SHARE on the tables that it reads',
        cost: 'one read of messages and message_feedback, then of sessions',
      })),
    ],
    apply: async ({ pool, options, emit, signal }) => {
      await inTransaction(pool, async (client) => {
        for (const sql of statements('session-rollup')) await client.query(sql);
      });
      await withLockRetry(
        pool,
        'Putting the triggers of the statistics on messages',
        async (client) => {
          for (const sql of statements('session-changes')) await client.query(sql);
          // The locks are the same, and a migration may have made the table anew.
          await guardHeld(client, names, 'feedback');
        },
        { ...options.cutover, emit, signal },
      );
      for (const sql of statements('session-stats')) await pool.query(sql);
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
      const findings: Finding[] = [];
      if (rows[0]?.populated !== true || !rows[0].unique)
        findings.push({
          severity: 'blocks',
          subject: quoteName(view),
          message: 'is not populated, or lacks its unique index',
        });
      return [...findings, ...(await triggerFindings(pool, names)), ...(await driftFindings(pool, names))];
    },
    revert: async ({ pool, options, emit, signal }) => {
      await withLockRetry(
        pool,
        'Dropping session_stats',
        async (client) => {
          for (const sql of statements('session-stats-revert')) await client.query(sql);
        },
        { ...options.cutover, emit, signal },
      );
    },
  };
}
