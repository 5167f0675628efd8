import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { quoteIdent } from '../../../src/db/identifier.ts';

interface Person {
  readonly user: string;
  /** One session in each partition, by status. */
  readonly sessions: Readonly<Record<string, string>>;
  readonly message: string;
  readonly feedback: string;
}

/** The caller, and somebody else. */
export interface People {
  readonly own: Person;
  readonly other: Person;
}

/** What is tried on one relation or function: statements that concern own rows only, and ones that concern others'. */
export interface Operation {
  readonly what: string;
  readonly name: string;
  readonly own: string | readonly string[];
  readonly other: string | readonly string[];
  /** The word for: on all rows. */
  readonly yes: string;
  /** Deferred constraints are checked, as at commit. */
  readonly checkDeferred: boolean;
  /** Arguments or values mean nothing, so that only the check of privileges counts. */
  readonly meaningless: boolean;
}

export const attemptsOf = (statements: string | readonly string[]): readonly string[] =>
  typeof statements === 'string' ? [statements] : statements;

/** Every operation on everything that is not the server's or Supabase's. What this file does not know is tried by its privileges. */
export async function relationsToTry(client: pg.Client, people: People): Promise<Operation[]> {
  const relations = await client.query<{ name: string; kind: string; column: string }>(
    `SELECT n.nspname || '.' || c.relname AS name, c.relkind::text AS kind,
            (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LIMIT 1) AS column
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname !~ '^pg_' AND n.nspname <> ALL ('{information_schema,auth}') AND c.relkind IN ('r', 'p', 'm', 'v', 'f')`,
  );
  const known = knownRelations(people);
  const operations: Operation[] = [];
  const names = [...new Set([...known.keys(), ...relations.rows.map(({ name }) => name).sort()])];
  for (const name of names) {
    const relation = relations.rows.find((row) => row.name === name);
    if (!relation) throw new Error(`There is no ${name} any more: take it out of the attempts.`);
    operations.push(...(known.get(name) ?? privilegesOf(name, relation.column)));
  }
  operations.push(...(await functionsToTry(client, people)));
  return operations;
}

function knownRelations(people: People): Map<string, Operation[]> {
  const result = new Map<string, Operation[]>();
  result.set('public.sessions', sessionOperations('public.sessions', 'active', people));
  for (const status of ['active', 'archived', 'deleted']) {
    const name = `public.sessions_${status}`;
    result.set(name, sessionOperations(name, status, people));
  }
  result.set('private.session_keys', registryOperations(people));
  result.set('public.messages', messageOperations(people));
  result.set('public.message_feedback', feedbackOperations(people));
  result.set('public.session_stats', statsOperations(people));
  result.set('public.my_session_stats', ownStatsOperations());
  return result;
}

function operation(
  what: string,
  name: string,
  own: string | readonly string[],
  other: string | readonly string[],
  rest: Partial<Operation> = {},
): Operation {
  return {
    what: what.replace('public.', ''),
    name,
    own,
    other,
    yes: 'all',
    checkDeferred: true,
    meaningless: false,
    ...rest,
  };
}

function sessionOperations(table: string, status: string, { own, other }: People): Operation[] {
  const [mine, theirs] = [own.sessions[status], other.sessions[status]];
  const columns = '(id, user_id, language, level, status)';
  const values = (user: string, id: string = randomUUID()) => `('${id}', '${user}', 'en', 'beginner', '${status}')`;
  const inserts = (user: string, id: string | undefined) => [
    `INSERT INTO ${table} ${columns} VALUES ${values(user)}`,
    merge(table, randomUUID(), `WHEN NOT MATCHED THEN INSERT ${columns} VALUES ${values(user)}`),
    `INSERT INTO ${table} ${columns} VALUES ${values(own.user, id)} ON CONFLICT (id, status) DO UPDATE SET title = 'changed'`,
  ];
  const give = (id: string | undefined, user: string) => changes(table, id, `user_id = '${user}'`);
  return [
    operation(table, 'select', reads(table, mine), reads(table, theirs)),
    operation(table, 'insert', inserts(own.user, mine), inserts(other.user, theirs)),
    operation(table, 'update', updates(table, mine, "title = 'changed'"), updates(table, theirs, "title = 'changed'")),
    operation(table, 'hand over', givesAway(table, mine, `user_id = '${other.user}'`), give(theirs, own.user)),
    operation(table, 'delete', deletes(table, mine), deletes(table, theirs)),
    truncation(table),
  ];
}

// Whoever may write here at all can break references; what matters is that nobody but the owner may.
function registryOperations({ own, other }: People): Operation[] {
  const table = 'private.session_keys';
  const each = (name: string, sql: (id: string | undefined) => string) =>
    operation(table, name, ...pair(sql, own.sessions.active, other.sessions.active), { checkDeferred: false });
  return [
    each('select', (id) => `SELECT FROM ${table} WHERE id = '${id}'`),
    each('insert', () => `INSERT INTO ${table} (id, status, language) VALUES (gen_random_uuid(), 'active', 'en')`),
    each('update', (id) => `UPDATE ${table} SET language = 'de' WHERE id = '${id}'`),
    each('delete', (id) => `DELETE FROM ${table} WHERE id = '${id}'`),
    truncation(table),
  ];
}

function messageOperations({ own, other }: People): Operation[] {
  const table = 'public.messages';
  const columns = '(id, session_id, user_id, sequence_number, content)';
  const values = (by: Person, into: Person, number: string, id: string = randomUUID()) =>
    `('${id}', '${into.sessions.active}', '${by.user}', ${number}, 'written')`;
  const insert = (by: Person, into: Person, number: string, id: string = randomUUID()) =>
    `INSERT INTO ${table} ${columns} VALUES ${values(by, into, number, id)}`;
  const put = (id: string) => `${insert(own, own, '7', id)} ON CONFLICT (id) DO UPDATE SET content = 'changed'`;
  const mergeInto = (into: Person) =>
    merge(table, randomUUID(), `WHEN NOT MATCHED THEN INSERT ${columns} VALUES ${values(own, into, '7')}`);
  const [mine, theirs] = [own.message, other.message];
  return [
    operation(table, 'select', reads(table, mine), reads(table, theirs)),
    operation(
      table,
      'insert',
      [insert(own, own, '7'), insert(own, own, 'NULL'), put(mine), mergeInto(own)],
      [
        ...[insert(own, other, '7'), insert(own, other, 'NULL'), insert(other, own, '7'), insert(other, other, '7')],
        ...[put(theirs), mergeInto(other)],
      ],
    ),
    operation(table, 'update', ...pair((id) => updates(table, id, "content = 'changed'"), mine, theirs)),
    operation(
      table,
      'hand over',
      [
        ...givesAway(table, mine, `user_id = '${other.user}'`),
        ...givesAway(table, mine, `session_id = '${other.sessions.active}'`),
      ],
      [
        ...changes(table, theirs, `user_id = '${own.user}'`),
        ...changes(table, theirs, `session_id = '${own.sessions.active}'`),
      ],
    ),
    operation(table, 'delete', deletes(table, mine), deletes(table, theirs)),
    truncation(table),
  ];
}

function feedbackOperations({ own, other }: People): Operation[] {
  const table = 'public.message_feedback';
  const inserts = (message: string, id: string) => [
    `INSERT INTO ${table} (message_id, overall_score) VALUES ('${message}', 50)`,
    merge(table, randomUUID(), `WHEN NOT MATCHED THEN INSERT (message_id) VALUES ('${message}')`),
    `INSERT INTO ${table} (id, message_id) VALUES ('${id}', '${own.message}') ON CONFLICT (id) DO UPDATE SET comment = 'changed'`,
  ];
  const each = (name: string, sql: (id: string) => readonly string[]) =>
    operation(table, name, sql(own.feedback), sql(other.feedback));
  return [
    each('select', (id) => reads(table, id)),
    operation(table, 'insert', inserts(own.message, own.feedback), inserts(other.message, other.feedback)),
    each('update', (id) => updates(table, id, "comment = 'changed'")),
    operation(
      table,
      'hand over',
      givesAway(table, own.feedback, `message_id = '${other.message}'`),
      changes(table, other.feedback, `message_id = '${own.message}'`),
    ),
    each('delete', (id) => deletes(table, id)),
    truncation(table),
  ];
}

function statsOperations({ own, other }: People): Operation[] {
  const view = 'public.session_stats';
  const each = (name: string, sql: (user: string) => string, rest: Partial<Operation> = {}) =>
    operation(view, name, sql(own.user), sql(other.user), rest);
  return [
    each('select', (user) => `SELECT FROM ${view} WHERE user_id = '${user}'`),
    each('insert', (user) => `INSERT INTO ${view} (user_id) VALUES ('${user}')`),
    each('update', (user) => `UPDATE ${view} SET sessions = 0 WHERE user_id = '${user}'`),
    each('delete', (user) => `DELETE FROM ${view} WHERE user_id = '${user}'`),
    // In a transaction with changed rows, not possible: only the privilege is asked for.
    each('refresh', () => `REFRESH MATERIALIZED VIEW ${view}`, { meaningless: true, yes: 'yes', checkDeferred: false }),
  ];
}

// It has no column that says whose a row is: a fourth row could only be somebody else's.
function ownStatsOperations(): Operation[] {
  const view = 'public.my_session_stats';
  return [
    operation(view, 'select', `SELECT FROM ${view}`, `SELECT FROM ${view} OFFSET 3`),
    ...['INSERT INTO % (sessions) VALUES (1)', 'UPDATE % SET sessions = 0', 'DELETE FROM %'].map((sql) =>
      operation(view, sql.slice(0, 6).toLowerCase(), sql.replace('%', view), sql.replace('%', view)),
    ),
  ];
}

function privilegesOf(name: string, column: string): Operation[] {
  const table = name.split('.').map(quoteIdent).join('.');
  const rest = { meaningless: true, checkDeferred: false };
  const each = (what: string, sql: string) => operation(name, what, sql, sql, rest);
  return [
    each('select', `SELECT count(*) FROM ${table}`),
    each('insert', `INSERT INTO ${table} DEFAULT VALUES`),
    each('update', `WITH changed AS (UPDATE ${table} SET ${quoteIdent(column)} = NULL WHERE false) SELECT 1`),
    each('delete', `WITH gone AS (DELETE FROM ${table} WHERE false) SELECT 1`),
  ];
}

async function functionsToTry(client: pg.Client, { own, other }: People): Promise<Operation[]> {
  const { rows } = await client.query<{ name: string; call: string }>(
    `SELECT CASE WHEN t.typtype = 'c' AND p.pronargs = 1 THEN p.oid::regprocedure::text
                 ELSE concat(nullif(n.nspname, 'public') || '.', p.proname, '()') END AS name,
            format('%I.%I(%s)', n.nspname, p.proname, (SELECT string_agg('NULL::' || format_type(t.oid, NULL), ', ' ORDER BY t.place)
              FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t (oid, place))) AS call
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace LEFT JOIN pg_type t ON t.oid = p.proargtypes[0]
      WHERE n.nspname !~ '^pg_' AND n.nspname <> ALL ('{information_schema,auth}')
        -- What an extension brings is its own, and C functions on internal values can be called by nobody.
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
      ORDER BY n.nspname DESC, 1`,
  );
  const row = (table: string, values: Record<string, unknown>) =>
    `jsonb_populate_record(NULL::public.${table}, '${JSON.stringify(values)}')`;
  // A caller can make up the row that a computed relationship is called with.
  const known: Record<string, (person: Person) => string> = {
    'messages(sessions)': (person) => `SELECT FROM public.messages(${row('sessions', { id: person.sessions.active })})`,
    'sessions(messages)': (person) =>
      `SELECT FROM public.sessions(${row('messages', { session_id: person.sessions.active })})`,
    'search_messages()': (person) => `SELECT FROM public.search_messages('hello') WHERE user_id = '${person.user}'`,
    'private.my_session_stats()': (person) => `SELECT FROM private.my_session_stats() WHERE user_id = '${person.user}'`,
  };
  return rows.map(({ name, call }) => {
    const sql = known[name];
    if (sql) return operation(name, 'execute', sql(own), sql(other), { checkDeferred: false });
    const rest = { meaningless: true, checkDeferred: false, yes: 'yes' };
    return operation(name, 'execute', `SELECT ${call}`, `SELECT ${call}`, rest);
  });
}

// Each statement by which a row is read, changed or deleted: row security has rules of its own for most of them.

const reads = (table: string, id: string | undefined) => [
  `SELECT FROM ${table} WHERE id = '${id}'`,
  `COPY (SELECT FROM ${table} WHERE id = '${id}') TO STDOUT`,
];

const changes = (table: string, id: string | undefined, set: string) => [
  `UPDATE ${table} SET ${set} WHERE id = '${id}'`,
  `UPDATE ${table} SET ${set} WHERE id = '${id}' RETURNING *`,
  merge(table, id, `WHEN MATCHED THEN UPDATE SET ${set}`),
];

// Without a condition, the policies for SELECT are not asked as well: those for UPDATE are alone.
const givesAway = (table: string, id: string | undefined, set: string) => [
  ...changes(table, id, set),
  `UPDATE ${table} SET ${set}`,
];

const updates = (table: string, id: string | undefined, set: string) => [
  ...changes(table, id, set),
  `SELECT FROM ${table} WHERE id = '${id}' FOR UPDATE`,
  `SELECT FROM ${table} WHERE id = '${id}' FOR KEY SHARE`,
];

const deletes = (table: string, id: string | undefined) => [
  `DELETE FROM ${table} WHERE id = '${id}'`,
  `DELETE FROM ${table} WHERE id = '${id}' RETURNING *`,
  merge(table, id, 'WHEN MATCHED THEN DELETE'),
];

function merge(table: string, id: string | undefined, action: string): string {
  return `MERGE INTO ${table} t USING (SELECT '${id}'::uuid AS id) s ON t.id = s.id ${action}`;
}

/** It asks no policy. Past the check of privileges, foreign keys refuse it, and messages of the sessions. */
function truncation(table: string): Operation {
  return operation(table, 'truncate', `TRUNCATE ${table}`, `TRUNCATE ${table}`, {
    checkDeferred: false,
    meaningless: true,
  });
}

function pair<T>(sql: (id: string | undefined) => T, own: string | undefined, other: string | undefined) {
  return [sql(own), sql(other)] as const;
}
