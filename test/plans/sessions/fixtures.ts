import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import { renderMigrationFiles } from '../../../plans/sessions/migration-files.ts';
import { placeholders, sessionsNames } from '../../../plans/sessions/names.ts';
import { readSqlFile, renderSql } from '../../../src/db/sql-file.ts';
import type { Setup } from '../../support/database.ts';

/** Runs migration files one after the other, each as `psql -f` would: all of them, or those whose names contain `part`. */
export async function runMigrationFiles(client: pg.ClientBase, part = ''): Promise<void> {
  for (const [name, sql] of Object.entries(renderMigrationFiles())) if (name.includes(part)) await client.query(sql);
}

/** One of the plan's SQL files, with the guide's own names. */
export function renderedTemplate(file: string): string {
  const names = placeholders(sessionsNames(sessionsConfigSchema.parse({})), 'live');
  return renderSql(readSqlFile(`plans/sessions/sql/${file}.sql`), names);
}

/** The end state, made by the files on an empty database. */
export const migrated: Setup = { name: 'files_migrated', run: (client) => runMigrationFiles(client) };

/** The flat tables alone. */
export const flat: Setup = { name: 'files_flat', run: (client) => runMigrationFiles(client, 'flat_tables') };

export interface Claims {
  /** `json`: request.jwt.claims, as PostgREST sets it now; `single`: request.jwt.claim.sub, as it did before version 9. */
  readonly setting: 'json' | 'single';
  readonly sub: string;
}

/** Runs `work` as an API role with a user's claims, in a transaction that is rolled back unless `keep` is set. */
export async function asRole<T>(
  client: pg.ClientBase,
  role: 'anon' | 'authenticated' | 'service_role',
  claims: Claims | null,
  work: () => Promise<T>,
  options: { keep?: boolean } = {},
): Promise<T> {
  await client.query('BEGIN');
  let done = false;
  try {
    if (claims?.setting === 'json') {
      await client.query("SELECT set_config('request.jwt.claims', $1, true)", [
        JSON.stringify({ sub: claims.sub, role }),
      ]);
    }
    if (claims?.setting === 'single')
      await client.query("SELECT set_config('request.jwt.claim.sub', $1, true)", [claims.sub]);
    await client.query(`SET LOCAL ROLE ${role}`);
    const result = await work();
    done = options.keep === true;
    return result;
  } finally {
    await client.query(done ? 'COMMIT' : 'ROLLBACK');
  }
}

export async function insertUser(client: pg.ClientBase): Promise<string> {
  const id = randomUUID();
  await client.query('INSERT INTO auth.users (id) VALUES ($1)', [id]);
  return id;
}

export async function insertSession(
  client: pg.ClientBase,
  userId: string,
  values: { id?: string; status?: string; language?: string; title?: string } = {},
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO public.sessions (id, user_id, language, level, status, title)
     VALUES ($1, $2, $3, 'beginner', $4, $5) RETURNING id`,
    [values.id ?? randomUUID(), userId, values.language ?? 'en', values.status ?? 'active', values.title ?? 'A title'],
  );
  return only(rows).id;
}

export async function insertMessage(
  client: pg.ClientBase,
  sessionId: string,
  userId: string,
  content = 'Hello there',
  number: number | null = 1,
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO public.messages (session_id, user_id, sequence_number, content) VALUES ($1, $2, $3, $4) RETURNING id`,
    [sessionId, userId, number, content],
  );
  return only(rows).id;
}

export async function insertFeedback(
  client: pg.ClientBase,
  messageId: string,
  overall: number | null = 80,
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    'INSERT INTO public.message_feedback (message_id, overall_score) VALUES ($1, $2) RETURNING id',
    [messageId, overall],
  );
  return only(rows).id;
}

/** The one row there is. */
export function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined || rows.length > 1) throw new Error(`One row was expected, not ${rows.length}.`);
  return row;
}

/** How many rows a query counts: `SELECT count(*) …`. */
export async function count(client: pg.ClientBase, from: string, parameters: unknown[] = []): Promise<number> {
  const { rows } = await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${from}`, parameters);
  return only(rows).n;
}

/** What a query was refused with: its SQLSTATE; fails the test where it was not refused. */
export async function refusal(query: Promise<unknown>): Promise<string> {
  try {
    await query;
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
    throw error;
  }
  throw new Error('The statement was not refused.');
}
