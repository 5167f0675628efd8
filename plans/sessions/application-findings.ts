import type { Client, Queryable } from '../../src/db/connect.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { SessionsNames } from './names.ts';

/** What an application will notice that writes sessions: their key becomes (id, status), and a new status moves the row. */
export async function applicationFindings(client: Client, names: SessionsNames): Promise<Finding[]> {
  return [...(await conflictsOnId(client, names)), ...(await skippedTriggers(client, names))];
}

/** So many are named. */
const SAMPLES = 5;

/**
 * `ON CONFLICT (id)`, by the text of pg_stat_statements and of functions. A search for words may miss one or find one too
 * many: `tandem rehearse` parses and plans them, and this says that it is worth it.
 */
async function conflictsOnId(client: Client, names: SessionsNames): Promise<Finding[]> {
  const id = names.sessionsColumns['id'] ?? 'id';
  const status = names.sessionsColumns['status'] ?? 'status';
  const written = (name: string) => `"?${name.replaceAll(/\W/g, '\\$&')}"?`;
  const pattern = new RegExp(
    `insert\\s+into\\s+(${written(names.sessions.schema)}\\s*\\.\\s*)?${written(names.sessions.name)}[\\s(](?:(?!insert\\s+into)[^;])*on\\s+conflict\\s*\\(\\s*${written(id)}\\s*\\)`,
    'i',
  );
  const like = `%${names.sessions.name.replaceAll(/[\\%_]/g, '\\$&')}%on%conflict%`;
  const functions = (await functionBodies(client, like))
    .filter(({ body }) => pattern.test(body))
    .map(({ name }) => name);
  const statements = (await statementTexts(client, like)).filter((sql) => pattern.test(sql));
  if (functions.length + statements.length === 0) return [];
  const shown = [
    ...functions.map((name) => `function ${name}`),
    ...statements.map((sql) => sql.replaceAll(/\s+/g, ' ').trim().slice(0, 80)),
  ].slice(0, SAMPLES);
  const counts = [
    ...(statements.length > 0 ? [`${statements.length} ${statements.length === 1 ? 'statement' : 'statements'}`] : []),
    ...(functions.length > 0 ? [`${functions.length} ${functions.length === 1 ? 'function' : 'functions'}`] : []),
  ];
  return [
    {
      severity: 'warning',
      subject: displayName(names.sessions),
      message: `${counts.join(' and ')} of the application ${functions.length + statements.length === 1 ? 'says' : 'say'} ON CONFLICT (${id}), which no unique key matches after the cutover: the primary key becomes (${id}, ${status}); for example ${shown.join('; ')}`,
      hint: '`tandem rehearse` shows each statement that would break, and what to write instead.',
    },
  ];
}

async function functionBodies(client: Queryable, like: string): Promise<{ name: string; body: string }[]> {
  const { rows } = await client.query<{ name: string; body: string }>(
    `SELECT p.oid::regprocedure::text AS name, p.prosrc AS body
       FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE p.prosrc ILIKE $1 AND n.nspname NOT IN ('information_schema', 'tandem') AND n.nspname !~ '^pg_' ORDER BY 1`,
    [like],
  );
  return rows;
}

/** Empty where pg_stat_statements is not there, or does not work: an extension without its library is refused with 55000. */
async function statementTexts(client: Client, like: string): Promise<string[]> {
  const { rows: extensions } = await client.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
      WHERE e.extname = 'pg_stat_statements'`,
  );
  const schema = extensions[0]?.schema;
  if (schema === undefined) return [];
  await client.query('SAVEPOINT statements');
  try {
    const { rows } = await client.query<{ sql: string }>(
      `SELECT DISTINCT s.query AS sql FROM ${quoteIdent(schema)}.pg_stat_statements s
        WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) AND s.query ILIKE $1
          AND s.query !~* '^\\s*create\\s' ORDER BY 1`,
      [like],
    );
    return rows.map(({ sql }) => sql);
  } catch {
    await client.query('ROLLBACK TO SAVEPOINT statements');
    return [];
  }
}

const ROW = 1;
const BEFORE = 2;
const UPDATE = 16;

/** A status that changes moves the row to another partition: PostgreSQL fires the triggers of a DELETE and an INSERT then. */
async function skippedTriggers(client: Queryable, names: SessionsNames): Promise<Finding[]> {
  const status = names.sessionsColumns['status'] ?? 'status';
  const triggers = await afterUpdateTriggers(client, names.sessions);
  return triggers.length === 0
    ? []
    : [
        {
          severity: 'warning',
          subject: displayName(names.sessions),
          message: `${triggers.length} ${triggers.length === 1 ? 'trigger' : 'triggers'} AFTER UPDATE will not fire for a row whose ${status} changes, which moves to another partition: ${triggers.slice(0, SAMPLES).join(', ')}`,
          hint: 'DELETE and INSERT triggers fire for it. Have it fire BEFORE UPDATE, or AFTER INSERT OR UPDATE.',
        },
      ];
}

async function afterUpdateTriggers(client: Queryable, table: QualifiedName): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT tgname AS name FROM pg_catalog.pg_trigger
      WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgenabled <> 'D' AND tgname NOT LIKE 'tandem\\_%'
        AND tgtype & $2 = $2 AND tgtype & $3 = 0 ORDER BY tgname`,
    [quoteName(table), ROW | UPDATE, BEFORE],
  );
  return rows.map(({ name }) => name);
}
