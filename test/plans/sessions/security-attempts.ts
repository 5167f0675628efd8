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
  const insert = (user: string) =>
    `INSERT INTO ${table} (user_id, language, level, status) VALUES ('${user}', 'en', 'beginner', '${status}')`;
  const update = (id: string | undefined) => `UPDATE ${table} SET title = 'changed' WHERE id = '${id}'`;
  const give = (id: string | undefined, user: string) => `UPDATE ${table} SET user_id = '${user}' WHERE id = '${id}'`;
  return [
    operation(table, 'select', ...pair((id) => `SELECT FROM ${table} WHERE id = '${id}'`, mine, theirs)),
    operation(table, 'insert', insert(own.user), insert(other.user)),
    operation(table, 'update', update(mine), update(theirs)),
    operation(table, 'hand over', give(mine, other.user), give(theirs, own.user)),
    operation(table, 'delete', ...pair((id) => `DELETE FROM ${table} WHERE id = '${id}'`, mine, theirs)),
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
  ];
}

function messageOperations({ own, other }: People): Operation[] {
  const table = 'public.messages';
  const insert = (by: Person, into: Person, number: string) =>
    `INSERT INTO ${table} (session_id, user_id, sequence_number, content)
     VALUES ('${into.sessions.active}', '${by.user}', ${number}, 'written')`;
  const set = (what: string, message: string) => `UPDATE ${table} SET ${what} WHERE id = '${message}'`;
  return [
    operation(table, 'select', ...pair((id) => `SELECT FROM ${table} WHERE id = '${id}'`, own.message, other.message)),
    operation(
      table,
      'insert',
      [insert(own, own, '7'), insert(own, own, 'NULL')],
      [insert(own, other, '7'), insert(own, other, 'NULL'), insert(other, own, '7'), insert(other, other, '7')],
    ),
    operation(table, 'update', ...pair((id) => set("content = 'changed'", id ?? ''), own.message, other.message)),
    operation(
      table,
      'hand over',
      [set(`user_id = '${other.user}'`, own.message), set(`session_id = '${other.sessions.active}'`, own.message)],
      [set(`user_id = '${own.user}'`, other.message), set(`session_id = '${own.sessions.active}'`, other.message)],
    ),
    operation(table, 'delete', ...pair((id) => `DELETE FROM ${table} WHERE id = '${id}'`, own.message, other.message)),
  ];
}

function feedbackOperations({ own, other }: People): Operation[] {
  const table = 'public.message_feedback';
  const insert = (message: string) => `INSERT INTO ${table} (message_id, overall_score) VALUES ('${message}', 50)`;
  const set = (what: string, id: string) => `UPDATE ${table} SET ${what} WHERE id = '${id}'`;
  const each = (name: string, sql: (id: string) => string) =>
    operation(table, name, sql(own.feedback), sql(other.feedback));
  return [
    each('select', (id) => `SELECT FROM ${table} WHERE id = '${id}'`),
    operation(table, 'insert', insert(own.message), insert(other.message)),
    each('update', (id) => set("comment = 'changed'", id)),
    operation(
      table,
      'hand over',
      set(`message_id = '${other.message}'`, own.feedback),
      set(`message_id = '${own.message}'`, other.feedback),
    ),
    each('delete', (id) => `DELETE FROM ${table} WHERE id = '${id}'`),
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

function pair(sql: (id: string | undefined) => string, own: string | undefined, other: string | undefined) {
  return [sql(own), sql(other)] as const;
}
