import type { Queryable } from '../../../src/db/connect.ts';
import { relationExists } from '../../../src/db/describe-table.ts';
import { displayName, type QualifiedName, quoteName } from '../../../src/db/identifier.ts';
import { createdObjects, recordCreated } from '../../../src/engine/created.ts';
import type { Finding } from '../../../src/engine/events.ts';
import { withLockRetry } from '../../../src/engine/retry-ddl.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { SessionsNames } from '../names.ts';
import { planStatements } from '../templates.ts';

const INDEXES = ['message_feedback_message_id_idx', 'message_feedback_created_at_idx'];
const SCORES = ['overall', 'grammar', 'vocabulary', 'fluency', 'pronunciation'];
const COLUMNS = {
  id: 'uuid',
  message_id: 'uuid',
  ...Object.fromEntries(SCORES.map((score) => [`${score}_score`, 'smallint'])),
  comment: 'text',
  corrections: 'jsonb',
  created_at: 'timestamp with time zone',
};

/** `message_feedback`: scores from 0 to 100, comment and corrections for a message. */
export function messageFeedbackStep(names: SessionsNames): Step {
  const table = { schema: names.sessions.schema, name: 'message_feedback' };
  const created = `table ${quoteName(table)}`;
  return {
    name: 'message-feedback',
    guide: '4',
    title: 'Create message_feedback',
    phase: 'preparing',
    // One that stood there before is taken as it is, where it is the same.
    check: async ({ client }) => ((await relationExists(client, table)) ? lacking(client, names, table) : []),
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
    verify: ({ pool }) => lacking(pool, names, table),
    revert: async ({ pool, options, emit, signal }) => {
      if (!(await relationExists(pool, table)) || !(await createdObjects(pool)).has(created)) return;
      // Its foreign key goes with it, and so messages are locked for an instant.
      const kept = await withLockRetry(
        pool,
        'Dropping message_feedback',
        async (client) => {
          // Locked first: a row that comes between the look and the drop would go with the table. A policy that would hide rows raises.
          await client.query(`LOCK TABLE ${quoteName(table)} IN ACCESS EXCLUSIVE MODE; SET LOCAL row_security = off`);
          const { rowCount } = await client.query(`SELECT FROM ${quoteName(table)} LIMIT 1`);
          // After the swap back: PostgREST may have read its schema before this, and would go on offering the table.
          if (rowCount === 0) await client.query(`DROP TABLE ${quoteName(table)}; NOTIFY pgrst, 'reload schema'`);
          return rowCount !== 0;
        },
        { ...options.cutover, emit, signal },
      );
      if (kept) emit({ event: 'note', message: 'message_feedback has rows, and stays: they would be lost with it.' });
    },
  };
}

/** What the plan's table has, and the one of its name has not. */
async function lacking(client: Queryable, names: SessionsNames, table: QualifiedName): Promise<Finding[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH feedback AS (SELECT pg_catalog.to_regclass($1) AS own)
     SELECT w.what FROM feedback CROSS JOIN LATERAL (
       SELECT pg_catalog.concat_ws(' ', 'column', c.name, c.type) AS what, EXISTS (SELECT FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = own AND a.attname = c.name AND pg_catalog.format_type(a.atttypid, NULL) = c.type) AS there
         FROM pg_catalog.jsonb_each_text($4::jsonb) AS c (name, type)
       UNION ALL
       SELECT 'foreign key of message_id to ' || $5::text, EXISTS (SELECT FROM pg_catalog.pg_constraint k
                JOIN pg_catalog.pg_attribute a ON a.attrelid = own AND a.attname = 'message_id'
                WHERE k.conrelid = own AND k.contype = 'f' AND k.confrelid = pg_catalog.to_regclass($6) AND k.conkey = ARRAY[a.attnum])
       UNION ALL
       SELECT 'index ' || i, EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
                WHERE x.indrelid = own AND c.relname = i AND x.indisvalid) FROM pg_catalog.unnest($2::text[]) AS i
       UNION ALL
       SELECT 'check on ' || s, EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = own AND k.contype = 'c'
                AND k.conname = 'message_feedback_' || s || '_score_check') FROM pg_catalog.unnest($3::text[]) AS s
     ) w WHERE NOT w.there`,
    [
      quoteName(table),
      INDEXES,
      SCORES,
      JSON.stringify(COLUMNS),
      displayName(names.messages),
      quoteName(names.messages),
    ],
  );
  return rows.map((row) => ({
    severity: 'blocks',
    subject: displayName(table),
    message: `there is no ${row.what}`,
    hint: 'A table of that name stood there before: rename it, and run the same command again.',
  }));
}
