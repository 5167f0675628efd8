import { relationExists } from '../../../src/db/describe-table.ts';
import { displayName, quoteName } from '../../../src/db/identifier.ts';
import { createdObjects, recordCreated } from '../../../src/engine/created.ts';
import { withLockRetry } from '../../../src/engine/retry-ddl.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { SessionsNames } from '../names.ts';
import { planStatements } from '../templates.ts';

const INDEXES = ['message_feedback_message_id_idx', 'message_feedback_created_at_idx'];
const SCORES = ['overall', 'grammar', 'vocabulary', 'fluency', 'pronunciation'];

/** `message_feedback`: scores from 0 to 100, comment and corrections for a message. */
export function messageFeedbackStep(names: SessionsNames): Step {
  const table = { schema: names.sessions.schema, name: 'message_feedback' };
  const created = `table ${quoteName(table)}`;
  return {
    name: 'message-feedback',
    guide: '4',
    title: 'Create message_feedback',
    phase: 'preparing',
    plan: async () =>
      planStatements('message-feedback', names, 'live').map((sql) => ({
        sql,
        lock: `SHARE ROW EXCLUSIVE on ${displayName(names.messages)}, for an instant`,
        cost: 'new table',
      })),
    apply: async ({ pool, options, emit, signal }) => {
      await withLockRetry(
        pool,
        'Creating message_feedback',
        async (client) => {
          if (!(await relationExists(client, table))) await recordCreated(client, [created]);
          for (const sql of planStatements('message-feedback', names, 'live')) await client.query(sql);
        },
        { ...options.cutover, emit, signal },
      );
      return undefined;
    },
    verify: async ({ pool }) => {
      const { rows } = await pool.query<{ what: string }>(
        `SELECT w.what FROM (
           SELECT 'index ' || i AS what, EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
                    WHERE x.indrelid = $1::regclass AND c.relname = i AND x.indisvalid) AS there FROM pg_catalog.unnest($2::text[]) AS i
           UNION ALL
           SELECT 'check on ' || s, EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1::regclass AND k.contype = 'c'
                    AND k.conname = 'message_feedback_' || s || '_score_check') FROM pg_catalog.unnest($3::text[]) AS s
         ) w WHERE NOT w.there`,
        [quoteName(table), INDEXES, SCORES],
      );
      return rows.map((row) => ({
        severity: 'blocks',
        subject: displayName(table),
        message: `there is no ${row.what}`,
        hint: 'A table of that name stood there before: rename it, and run the same command again.',
      }));
    },
    revert: async ({ pool, options, emit, signal }) => {
      if (!(await relationExists(pool, table)) || !(await createdObjects(pool)).has(created)) return;
      // Its foreign key goes with it, and so messages are locked for an instant.
      const kept = await withLockRetry(
        pool,
        'Dropping message_feedback',
        async (client) => {
          const { rowCount } = await client.query(`SELECT FROM ${quoteName(table)} LIMIT 1`);
          if (rowCount === 0) await client.query(`DROP TABLE ${quoteName(table)}`);
          return rowCount !== 0;
        },
        { ...options.cutover, emit, signal },
      );
      if (kept) emit({ event: 'note', message: 'message_feedback has rows, and stays: they would be lost with it.' });
    },
  };
}
