import type { Queryable } from '../../src/db/connect.ts';
import { type QualifiedName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { CommonQuery, Statement } from '../../src/verify-report/common-queries.ts';
import type { SessionsNames } from './names.ts';

/** The quoted name that a column of the guide has here. */
export function columnOf(columns: Readonly<Record<string, string>>): (name: string) => string {
  return (name) => quoteIdent(columns[name] ?? name);
}

const NOBODY = '00000000-0000-0000-0000-000000000000';

/**
 * What the application asks most, with values that occur; asked of the retired tables too where they are still there. A
 * status may have had another name in them, which is read from the very row.
 */
export async function sessionsQueries(
  client: Queryable,
  names: SessionsNames,
  hasRetired: boolean,
): Promise<CommonQuery[]> {
  const s = columnOf(names.sessionsColumns);
  const m = columnOf(names.messagesColumns);
  const feedback: QualifiedName = { schema: names.sessions.schema, name: 'message_feedback' };
  const stats: QualifiedName = { schema: names.sessions.schema, name: 'session_stats' };
  const seen = await messageSeen(client, names);
  const both = (
    ask: (tables: { sessions: string; messages: string }) => string,
    values: readonly unknown[],
    then = values,
  ): Pick<CommonQuery, 'now' | 'flat'> => ({
    now: { sql: ask({ sessions: quoteName(names.sessions), messages: quoteName(names.messages) }), values },
    flat: hasRetired
      ? {
          sql: ask({ sessions: quoteName(names.sessionsRetired), messages: quoteName(names.messagesRetired) }),
          values: then,
        }
      : null,
  });
  const only = (sql: string, values: readonly unknown[]): Pick<CommonQuery, 'now' | 'flat'> => ({
    now: { sql, values },
    flat: null,
  });
  const queries: CommonQuery[] = [];
  for (const status of ['active', 'archived'] as const) {
    const sample = await sessionSeen(client, names, status, hasRetired);
    const values = [sample.user, status];
    const then = [sample.user, sample.retiredStatus];
    queries.push({
      title: `The ${status} sessions of a user`,
      ...both((t) => `SELECT * FROM ${t.sessions} WHERE ${s('user_id')} = $1 AND ${s('status')} = $2`, values, then),
      indexes: [`sessions_${status}_user_id_idx`],
      partitions: [names.partitions[status]],
    });
    queries.push({
      title: `The ${status} sessions that were not opened for longest`,
      ...both(
        (t) =>
          `SELECT * FROM ${t.sessions} WHERE ${s('status')} = $1 AND ${s('last_accessed')} < $2 ORDER BY ${s('last_accessed')} LIMIT 100`,
        [status, sample.accessed],
        [sample.retiredStatus, sample.accessed],
      ),
      indexes: [`sessions_${status}_last_accessed_idx`],
      partitions: [names.partitions[status]],
    });
  }
  queries.push(
    {
      title: 'A session by its id',
      ...both((t) => `SELECT * FROM ${t.sessions} WHERE ${s('id')} = $1`, [seen.session]),
      indexes: [],
      partitions: null,
    },
    {
      title: 'The first page of a session',
      ...both(
        (t) => `SELECT * FROM ${t.messages} WHERE ${m('session_id')} = $1 ORDER BY ${m('sequence_number')} LIMIT 50`,
        [seen.session],
      ),
      indexes: ['messages_sequence_number_idx'],
      partitions: null,
    },
    {
      title: 'How many messages a session has',
      ...both((t) => `SELECT count(*) FROM ${t.messages} WHERE ${m('session_id')} = $1`, [seen.session]),
      indexes: ['messages_session_id_idx', 'messages_sequence_number_idx'],
      partitions: null,
    },
    {
      title: 'The messages with a word',
      ...searchByWord(names, seen.word, hasRetired),
      indexes: ['messages_content_search_idx'],
      partitions: null,
    },
    {
      title: 'The same by search_messages, ranked, with the title of the session',
      ...only(`SELECT * FROM ${quoteIdent(names.sessions.schema)}.search_messages($1, NULL, $2)`, [
        seen.word,
        seen.user,
      ]),
      indexes: [],
      partitions: null,
    },
    {
      title: 'The feedback on a message',
      ...only(`SELECT * FROM ${quoteName(feedback)} WHERE message_id = $1`, [seen.id]),
      indexes: ['message_feedback_message_id_idx'],
      partitions: null,
    },
    {
      title: 'The latest feedback',
      ...only(`SELECT * FROM ${quoteName(feedback)} ORDER BY created_at DESC LIMIT 20`, []),
      indexes: ['message_feedback_created_at_idx'],
      partitions: null,
    },
    {
      title: 'The figures of a user',
      now: { sql: `SELECT * FROM ${quoteName(stats)} WHERE user_id = $1`, values: [seen.user] },
      flat: hasRetired ? figures(names, seen.user) : null,
      indexes: ['session_stats_user_status_idx'],
      partitions: null,
    },
  );
  return queries;
}

/** The flat table can only read every message for the word. */
function searchByWord(names: SessionsNames, word: string, hasRetired: boolean): Pick<CommonQuery, 'now' | 'flat'> {
  const m = columnOf(names.messagesColumns);
  return {
    now: {
      sql: `SELECT * FROM ${quoteName(names.messages)} WHERE content_search @@ pg_catalog.websearch_to_tsquery('pg_catalog.english', $1) LIMIT 20`,
      values: [word],
    },
    flat: hasRetired
      ? {
          sql: `SELECT * FROM ${quoteName(names.messagesRetired)} WHERE ${m('content')} ILIKE '%' || $1 || '%' LIMIT 20`,
          values: [word],
        }
      : null,
  };
}

/** What session_stats saves: counting anew. */
function figures(names: SessionsNames, user: string): Statement {
  const s = columnOf(names.sessionsColumns);
  const m = columnOf(names.messagesColumns);
  return {
    sql: `SELECT s.${s('status')}, count(DISTINCT s.${s('id')}), count(m.${m('id')}) FROM ${quoteName(names.sessionsRetired)} s
          LEFT JOIN ${quoteName(names.messagesRetired)} m ON m.${m('session_id')} = s.${s('id')}
         WHERE s.${s('user_id')} = $1 GROUP BY 1`,
    values: [user],
  };
}

async function sessionSeen(client: Queryable, names: SessionsNames, status: string, hasRetired: boolean) {
  const s = columnOf(names.sessionsColumns);
  const { rows } = await client.query<{ id: string; user: string; accessed: string }>(
    `SELECT ${s('id')}::text AS id, ${s('user_id')}::text AS user, ${s('last_accessed')}::text AS accessed
       FROM ${quoteName(names.sessions)} WHERE ${s('status')} = $1 ORDER BY ${s('last_accessed')} DESC LIMIT 1`,
    [status],
  );
  const [found] = rows;
  if (!found) return { user: NOBODY, accessed: '2000-01-01', retiredStatus: status };
  const retired = hasRetired
    ? await client.query<{ status: string }>(
        `SELECT ${s('status')}::text AS status FROM ${quoteName(names.sessionsRetired)} WHERE ${s('id')}::text = $1`,
        [found.id],
      )
    : null;
  return { ...found, retiredStatus: retired?.rows[0]?.status ?? status };
}

/** A message that is there, with a word of it that is worth looking for. */
async function messageSeen(client: Queryable, names: SessionsNames) {
  const m = columnOf(names.messagesColumns);
  const { rows } = await client.query<{ id: string; session: string; user: string; word: string | null }>(
    `SELECT ${m('id')}::text AS id, ${m('session_id')}::text AS session, ${m('user_id')}::text AS user,
            pg_catalog.substring(${m('content')}, '[[:alpha:]]{6,}') AS word
       FROM ${quoteName(names.messages)} WHERE language = 'en' LIMIT 1`,
  );
  return { id: NOBODY, session: NOBODY, user: NOBODY, ...rows[0], word: rows[0]?.word ?? 'hello' };
}
