import { inTransaction } from '../../../src/db/connect.ts';
import { quoteIdent, quoteName } from '../../../src/db/identifier.ts';
import type { Finding } from '../../../src/engine/events.ts';
import type { Step } from '../../../src/engine/step.ts';
import type { SessionsNames } from '../names.ts';

/** The guide's indexes: present, valid, and each chosen by the planner for the query it is there for. */
export function indexesStep(names: SessionsNames): Step {
  return {
    name: 'indexes',
    guide: '9',
    title: 'Verify the indexes',
    phase: 'baking',
    plan: async () =>
      commonQueries(names).map(({ sql }) => ({ sql: `EXPLAIN ${sql}`, lock: null, cost: 'planning only' })),
    apply: async () => undefined,
    verify: async ({ pool, emit }) => {
      const findings: Finding[] = [];
      const blocks = (index: string, message: string) => findings.push({ severity: 'blocks', subject: index, message });
      await inTransaction(pool, async (client) => {
        // A small table is read, or a few rows sorted, faster than by the index: the question is whether it can serve at all.
        await client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off');
        for (const { index, sql, orBy } of commonQueries(names)) {
          const { rows } = await client.query<{ valid: boolean }>(
            'SELECT i.indisvalid AND i.indisready AS valid FROM pg_catalog.pg_index i WHERE i.indexrelid = pg_catalog.to_regclass($1)',
            [quoteName({ schema: names.sessions.schema, name: index })],
          );
          if (rows[0]?.valid !== true) blocks(index, rows[0] ? 'is not valid' : 'does not exist');
          const plan = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`);
          const used = plan.rows.flatMap((row) => SCAN.exec(row['QUERY PLAN'])?.[1] ?? []);
          if (used.length === 0) blocks(index, `is not used by: ${sql}`);
          else if (!used.some((name) => name === index || name === orBy))
            // The application has an index of its own that serves as well: no harm, but one of the two is to spare.
            emit({ event: 'note', message: `${used.join(', ')} is preferred to ${index} by: ${sql}` });
        }
      });
      return findings;
    },
    revert: 'nothing to revert',
  };
}

/** How a plan names an index: `Index Scan using messages_session_id_idx on …`, `Bitmap Index Scan on …_idx  (cost=…`. */
const SCAN = /(?:Index(?: Only)? Scan(?: Backward)? using|Bitmap Index Scan on) "?([^"\s]+)"?/;

/** What the application asks most, and the index that should answer; `orBy`: another of the guide's that serves it as well. */
function commonQueries(names: SessionsNames): { index: string; sql: string; orBy?: string }[] {
  const [sessions, messages] = [quoteName(names.sessions), quoteName(names.messages)];
  const s = (column: string) => quoteIdent(names.sessionsColumns[column] ?? column);
  const m = (column: string) => quoteIdent(names.messagesColumns[column] ?? column);
  const feedback = quoteName({ schema: names.sessions.schema, name: 'message_feedback' });
  const nobody = `'00000000-0000-0000-0000-000000000000'`;
  const ofStatus = (status: string) => [
    {
      index: `sessions_${status}_user_id_idx`,
      sql: `SELECT * FROM ${sessions} WHERE ${s('user_id')} = ${nobody} AND ${s('status')} = '${status}'`,
    },
    {
      index: `sessions_${status}_last_accessed_idx`,
      sql: `SELECT * FROM ${sessions} WHERE ${s('status')} = '${status}' AND ${s('last_accessed')} < '2000-01-01' ORDER BY ${s('last_accessed')} LIMIT 100`,
    },
  ];
  return [
    ...ofStatus('active'),
    ...ofStatus('archived'),
    {
      index: 'messages_session_id_idx',
      sql: `SELECT count(*) FROM ${messages} WHERE ${m('session_id')} = ${nobody}`,
      orBy: 'messages_sequence_number_idx',
    },
    {
      index: 'messages_sequence_number_idx',
      sql: `SELECT * FROM ${messages} WHERE ${m('session_id')} = ${nobody} ORDER BY ${m('sequence_number')} LIMIT 50`,
    },
    {
      index: 'messages_content_search_idx',
      sql: `SELECT count(*) FROM ${messages} WHERE content_search @@ pg_catalog.to_tsquery('pg_catalog.english', 'word')`,
    },
    { index: 'message_feedback_message_id_idx', sql: `SELECT * FROM ${feedback} WHERE message_id = ${nobody}` },
    { index: 'message_feedback_created_at_idx', sql: `SELECT * FROM ${feedback} ORDER BY created_at DESC LIMIT 20` },
  ];
}
