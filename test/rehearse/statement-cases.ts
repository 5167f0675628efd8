import type { Verdict } from '../../src/rehearse/result.ts';
import { ACTIVE, ARCHIVED, MESSAGE, USER } from './rehearsing.ts';

export interface StatementCase {
  readonly sql: string;
  readonly values?: readonly unknown[];
  readonly verdict: Verdict;
  /** The first problem's. */
  readonly sqlstate?: string;
  /** What the caret points at. */
  readonly at?: string;
  /** The statement as it was mended and tried; null where there must be no proposal. */
  readonly mended?: string | null;
  /** The mended one is good on the new shape only. */
  readonly onlyAfterwards?: true;
  /** Its rows are another each time. */
  readonly volatile?: true;
}

const insert = (columns: string, values: string, rest = '') =>
  `INSERT INTO sessions (${columns}) VALUES (${values}) ${rest}`.trim();
const newSession = (status: string, rest = '') =>
  insert('user_id, language, level, status', `'${USER}', 'en', 'beginner', ${status}`, rest);
const knownSession = (status: string, rest: string) =>
  insert('id, user_id, language, level, status', `'${ACTIVE}', '${USER}', 'en', 'beginner', ${status}`, rest);

/** What applications say, and what becomes of it. */
export const statementCases: readonly StatementCase[] = [
  // Held: constants and parameters take the column's type.
  { sql: "SELECT id FROM sessions WHERE status = 'active'", verdict: 'holds' },
  { sql: "SELECT id FROM public.sessions WHERE public.sessions.status <> 'active' ORDER BY id", verdict: 'holds' },
  { sql: `SELECT id FROM "sessions" AS s WHERE s.status = ANY ('{active,archived}') ORDER BY id`, verdict: 'holds' },
  { sql: "SELECT id FROM sessions WHERE status::text LIKE 'a%' ORDER BY id", verdict: 'holds' },
  { sql: "SELECT status || '!' AS loud, concat(status, '?') AS asked FROM sessions ORDER BY 1", verdict: 'holds' },
  {
    sql: 'SELECT id, title, last_accessed FROM sessions WHERE user_id = $1 ORDER BY last_accessed DESC LIMIT $2',
    values: [USER, 2],
    verdict: 'holds',
  },
  { sql: 'SELECT count(DISTINCT status) FROM sessions', verdict: 'holds' },
  {
    sql: 'SELECT s.id FROM sessions s WHERE EXISTS (SELECT FROM messages m WHERE m.session_id = s.id) FOR UPDATE OF s',
    verdict: 'holds',
  },
  { sql: 'SELECT to_jsonb(s) ->> $1 AS value FROM sessions s ORDER BY id', values: ['status'], verdict: 'holds' },
  { sql: 'TABLE sessions', verdict: 'reconnect', sqlstate: '0A000' },
  { sql: 'WITH sessions AS (SELECT 1 AS id) SELECT sessions.id FROM sessions, public.messages m', verdict: 'holds' },
  { sql: newSession('$1'), values: ['archived'], verdict: 'holds' },
  { sql: newSession("'act' || 'ive'"), verdict: 'holds' },
  { sql: newSession("'active'", 'RETURNING ctid IS NOT NULL AS there'), verdict: 'holds' },
  {
    sql: 'UPDATE sessions SET status = $2, updated_at = now() WHERE id = $1',
    values: [ACTIVE, 'archived'],
    verdict: 'holds',
  },
  { sql: 'UPDATE sessions SET status = $2::text WHERE id = $1', values: [ACTIVE, 'archived'], verdict: 'holds' },
  {
    sql: 'UPDATE sessions SET title = $2 WHERE id = $1 RETURNING xmax IS NOT NULL AS there',
    values: [ACTIVE, 'New'],
    verdict: 'holds',
  },
  { sql: "DELETE FROM sessions WHERE status = 'deleted'", verdict: 'holds' },
  {
    sql: `INSERT INTO messages VALUES (gen_random_uuid(), '${ACTIVE}', '${USER}', 'text', 3, 'Hello', now())`,
    verdict: 'holds',
  },
  {
    sql: 'INSERT INTO messages (id, session_id, user_id, sequence_number, content) VALUES ($1, $2, $3, 1, $4) ON CONFLICT (id) DO UPDATE SET content = excluded.content || messages.content',
    values: [MESSAGE, ACTIVE, USER, 'Hi '],
    verdict: 'holds',
  },
  {
    sql: `MERGE INTO sessions s USING (VALUES ('${ACTIVE}'::uuid, 'archived')) v (id, status) ON s.id = v.id WHEN MATCHED THEN UPDATE SET status = v.status`,
    verdict: 'holds',
  },

  // As PostgREST writes it.
  {
    sql: `WITH pgrst_source AS (SELECT "public"."sessions"."id", "public"."sessions"."title" FROM "public"."sessions" WHERE "public"."sessions"."status" = 'active' LIMIT $1 OFFSET $2)
      SELECT null::bigint AS total_result_set, pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body
        FROM (SELECT * FROM pgrst_source) _postgrest_t`,
    values: [10, 0],
    verdict: 'holds',
  },

  // Comparisons with what is said to be text.
  {
    sql: 'SELECT id FROM sessions WHERE status = $1::text',
    values: ['active'],
    verdict: 'breaks',
    sqlstate: '42883',
    at: '= $1',
    mended: 'SELECT id FROM sessions WHERE status = $1',
  },
  {
    sql: 'SELECT id FROM sessions WHERE status = CAST($1 AS text)',
    values: ['active'],
    verdict: 'breaks',
    sqlstate: '42883',
    at: '= CAST',
    mended: 'SELECT id FROM sessions WHERE status::text = CAST($1 AS text)',
  },
  {
    sql: "SELECT id FROM sessions WHERE status = 'active'::character varying(20)",
    verdict: 'breaks',
    sqlstate: '42883',
    at: "= 'active'",
    mended: "SELECT id FROM sessions WHERE status = 'active'",
  },
  {
    sql: 'SELECT id FROM sessions WHERE status = ANY($1::text[])',
    values: [['active']],
    verdict: 'breaks',
    sqlstate: '42883',
    at: '= ANY',
    mended: 'SELECT id FROM sessions WHERE status = ANY($1)',
  },
  {
    sql: "SELECT id FROM sessions WHERE status = ANY (ARRAY['active', 'deleted']) ORDER BY id",
    verdict: 'breaks',
    sqlstate: '42883',
    at: '= ANY',
    mended: "SELECT id FROM sessions WHERE status::text = ANY (ARRAY['active', 'deleted']) ORDER BY id",
  },
  {
    sql: "SELECT id FROM sessions WHERE status LIKE 'arch%'",
    verdict: 'breaks',
    sqlstate: '42883',
    at: 'LIKE',
    mended: "SELECT id FROM sessions WHERE status::text LIKE 'arch%'",
  },
  {
    sql: 'SELECT id FROM sessions WHERE public.sessions.status ILIKE $1',
    values: ['ARCH%'],
    verdict: 'breaks',
    sqlstate: '42883',
    at: 'ILIKE',
    mended: 'SELECT id FROM sessions WHERE public.sessions.status::text ILIKE $1',
  },
  { sql: "SELECT id FROM sessions WHERE status ~ '^a' ORDER BY id", verdict: 'breaks', sqlstate: '42883', at: '~' },
  {
    sql: 'SELECT id FROM sessions WHERE status IN (SELECT title FROM sessions)',
    verdict: 'breaks',
    sqlstate: '42883',
    at: 'IN',
    mended: 'SELECT id FROM sessions WHERE status::text IN (SELECT title FROM sessions)',
  },
  {
    sql: "SELECT s.id FROM sessions s JOIN (VALUES ('active')) v (name) ON s.status = v.name",
    verdict: 'breaks',
    sqlstate: '42883',
    at: '= v.name',
  },
  { sql: 'SELECT id FROM sessions WHERE title = status', verdict: 'breaks', sqlstate: '42883', at: '= status' },
  {
    sql: 'SELECT x.id FROM (SELECT id, status AS state FROM sessions) x WHERE lower(x.state) = $1',
    values: ['active'],
    verdict: 'breaks',
    sqlstate: '42883',
    at: 'lower',
  },
  {
    sql: 'SELECT upper(status) AS loud FROM sessions ORDER BY 1',
    verdict: 'breaks',
    sqlstate: '42883',
    at: 'upper',
    mended: 'SELECT upper(status::text) AS loud FROM sessions ORDER BY 1',
  },
  {
    sql: "SELECT string_agg(status, ',' ORDER BY status) AS all FROM sessions",
    verdict: 'breaks',
    sqlstate: '42883',
    at: 'string_agg',
  },
  {
    sql: "SELECT id FROM sessions WHERE status = $1::text AND level LIKE 'b%' AND lower(language) = 'de'",
    values: ['deleted'],
    verdict: 'breaks',
    sqlstate: '42883',
    mended: "SELECT id FROM sessions WHERE status = $1 AND level::text LIKE 'b%' AND lower(language::text) = 'de'",
  },

  // Constants that are no label.
  {
    sql: "SELECT id FROM sessions WHERE status = 'done'",
    verdict: 'breaks',
    sqlstate: '22P02',
    at: "'done'",
    mended: "SELECT id FROM sessions WHERE status::text = 'done'",
  },
  {
    sql: "SELECT id FROM sessions WHERE status IN ('active', 'paused')",
    verdict: 'breaks',
    sqlstate: '22P02',
    at: "'paused'",
  },
  {
    sql: "SELECT id FROM sessions WHERE (status, level) = ('active', 'expert')",
    verdict: 'breaks',
    sqlstate: '22P02',
    at: "'expert'",
  },
  {
    sql: `INSERT INTO messages (session_id, user_id, type, sequence_number, content) VALUES ('${ACTIVE}', '${USER}', 'video', 3, 'x')`,
    verdict: 'breaks',
    sqlstate: '22P02',
    at: "'video'",
    mended: null,
  },
  {
    sql: "UPDATE sessions SET status = 'done' WHERE false",
    verdict: 'breaks',
    sqlstate: '22P02',
    at: "'done'",
    mended: null,
  },
  {
    sql: "SELECT coalesce(status, '') AS status FROM sessions ORDER BY 1",
    verdict: 'breaks',
    sqlstate: '22P02',
    at: "'')",
  },

  // Text and enum in one value.
  {
    sql: 'SELECT coalesce(title, status) AS label FROM sessions ORDER BY 1',
    verdict: 'breaks',
    sqlstate: '42804',
    at: 'status)',
    mended: 'SELECT coalesce(title, status::text) AS label FROM sessions ORDER BY 1',
  },
  {
    sql: 'SELECT CASE WHEN title IS NULL THEN status ELSE title END AS label FROM sessions ORDER BY 1',
    verdict: 'breaks',
    sqlstate: '42804',
    mended: 'SELECT CASE WHEN title IS NULL THEN status::text ELSE title END AS label FROM sessions ORDER BY 1',
  },
  {
    sql: 'SELECT id, status FROM sessions UNION SELECT id, title FROM sessions ORDER BY 1, 2',
    verdict: 'breaks',
    sqlstate: '42804',
    mended: 'SELECT id, status::text FROM sessions UNION SELECT id, title FROM sessions ORDER BY 1, 2',
  },
  { sql: "SELECT status::varchar::text AS s FROM sessions UNION SELECT 'all' ORDER BY 1", verdict: 'holds' },
  {
    sql: newSession("'active'::varchar"),
    verdict: 'breaks',
    sqlstate: '42804',
    at: "'active'",
    mended: newSession("'active'"),
  },
  {
    sql: 'SELECT id FROM sessions ORDER BY status COLLATE "C", id',
    verdict: 'breaks',
    sqlstate: '42804',
    at: 'COLLATE',
  },
  {
    sql: 'SELECT nullif(status, $1)::varchar::int AS n FROM sessions WHERE false',
    values: ['active'],
    verdict: 'reconnect',
    sqlstate: '42883',
  },

  // The key is wider.
  {
    sql: knownSession("'active'", 'ON CONFLICT (id) DO NOTHING'),
    verdict: 'breaks',
    sqlstate: '42P10',
    at: '(id) DO',
    mended: knownSession("'active'", 'ON CONFLICT (id, status) DO NOTHING'),
    onlyAfterwards: true,
  },
  {
    sql: knownSession('$1', 'ON CONFLICT (id) DO UPDATE SET status = excluded.status'),
    values: ['active'],
    verdict: 'breaks',
    sqlstate: '42P10',
    at: '(id) DO',
    onlyAfterwards: true,
  },
  { sql: knownSession("'deleted'", 'ON CONFLICT DO NOTHING'), verdict: 'changes', at: 'ON CONFLICT' },
  {
    sql: knownSession("'deleted'", "ON CONFLICT ON CONSTRAINT sessions_pkey DO UPDATE SET title = 'again'"),
    verdict: 'changes',
    at: 'ON CONSTRAINT',
  },
  {
    sql: newSession("'active'", 'RETURNING (xmax = 0) AS inserted'),
    verdict: 'breaks',
    sqlstate: '0A000',
    at: 'xmax',
    mended: null,
  },

  // Partitions.
  { sql: 'SELECT id FROM ONLY sessions', verdict: 'changes', at: 'ONLY', mended: 'SELECT id FROM sessions' },
  { sql: 'SELECT id FROM ONLY (public.sessions) ORDER BY 1', verdict: 'changes', at: 'ONLY' },
  { sql: "UPDATE ONLY sessions SET title = 'x' RETURNING id", verdict: 'changes', at: 'ONLY' },
  { sql: 'COPY sessions TO STDOUT', verdict: 'breaks', sqlstate: '42809', at: 'sessions' },
  { sql: 'COPY (SELECT id FROM sessions) TO STDOUT', verdict: 'holds' },

  // New columns.
  {
    sql: 'SELECT language FROM messages m JOIN sessions s ON s.id = m.session_id',
    verdict: 'breaks',
    sqlstate: '42702',
    at: 'language',
    mended: 'SELECT s.language FROM messages m JOIN sessions s ON s.id = m.session_id',
  },
  { sql: 'INSERT INTO messages SELECT * FROM messages WHERE false', verdict: 'breaks', sqlstate: '428C9' },
  { sql: 'COPY messages TO STDOUT', verdict: 'changes', at: 'messages' },

  // The order of labels.
  {
    sql: 'SELECT id FROM sessions ORDER BY level',
    verdict: 'changes',
    at: 'level',
    mended: 'SELECT id FROM sessions ORDER BY level::text',
  },
  { sql: "SELECT id FROM sessions WHERE language > 'en'", verdict: 'changes', at: 'language' },
  { sql: 'SELECT max(level)::varchar AS level FROM sessions', verdict: 'changes', at: 'level' },
  { sql: 'SELECT id FROM sessions ORDER BY status', verdict: 'holds' },

  // Prepared before, and kept.
  {
    sql: 'SELECT id FROM sessions WHERE status = $1',
    values: ['active'],
    verdict: 'reconnect',
    sqlstate: '42883',
    at: '= $1',
  },
  { sql: 'SELECT * FROM sessions ORDER BY id', verdict: 'reconnect', sqlstate: '0A000' },
  {
    sql: 'SELECT * FROM messages WHERE session_id = $1 ORDER BY id',
    values: [ARCHIVED],
    verdict: 'reconnect',
    sqlstate: '0A000',
  },
  { sql: 'SELECT status FROM sessions ORDER BY id', verdict: 'reconnect', sqlstate: '0A000' },
  {
    sql: 'UPDATE sessions SET title = title WHERE id = $1 RETURNING *',
    values: [ACTIVE],
    verdict: 'reconnect',
    sqlstate: '0A000',
    volatile: true,
  },

  // Not for the rehearsal to say: it does not hold today.
  { sql: 'SELECT id FROM sessions WHERE no_such_column = 1', verdict: 'not understood', sqlstate: '42703' },
];
