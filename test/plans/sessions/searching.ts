import type pg from 'pg';
import { insertMessage, insertSession } from './fixtures.ts';

export interface Found {
  readonly id: string;
  readonly session_id: string;
  readonly session_title: string | null;
  readonly user_id: string;
  readonly language: string;
  readonly content: string;
  readonly rank: number;
  readonly snippet: string;
  readonly correction: string | null;
}

/** The parameters of search_messages, by name. */
export type SearchParameters = Readonly<Record<string, string | number | boolean | null>>;

/** `SELECT * FROM search_messages(name => value, …)`, as PostgREST calls it. */
export async function search(client: pg.ClientBase, parameters: SearchParameters): Promise<Found[]> {
  const names = Object.keys(parameters).map((name, i) => `${name} => $${i + 1}`);
  const { rows } = await client.query<Found>(
    `SELECT * FROM public.search_messages(${names.join(', ')})`,
    Object.values(parameters),
  );
  return rows;
}

export async function contentsFound(client: pg.ClientBase, parameters: SearchParameters): Promise<string[]> {
  return (await search(client, parameters)).map((row) => row.content);
}

/** A session with messages, the first of which is the oldest. */
export async function say(
  client: pg.ClientBase,
  user: string,
  language: string,
  contents: readonly string[],
  title = 'A title',
): Promise<string> {
  const session = await insertSession(client, user, { language, title });
  for (const content of contents) await insertMessage(client, session, user, content, null);
  return session;
}
