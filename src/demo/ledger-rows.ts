import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import type { MessageState, SessionState } from './ledger.ts';

export interface LiveSession extends SessionState {
  readonly id: string;
}
export interface LiveMessage extends MessageState {
  readonly id: string;
}

// Every column as text: what is text before the migration may be an enum after it, and a Date has no microseconds.
const SESSIONS = `
SELECT id::text, user_id::text AS "userId", language::text, level::text, status::text, title,
       created_at::text AS "createdAt", updated_at::text AS "updatedAt", last_accessed::text AS "lastAccessed"
FROM public.sessions`;
const MESSAGES = `
SELECT id::text, session_id::text AS "sessionId", user_id::text AS "userId", type::text,
       sequence_number AS "sequenceNumber", content, created_at::text AS "createdAt"
FROM public.messages`;

const sessionRow = z.object({
  id: z.string(),
  userId: z.string(),
  language: z.string(),
  level: z.string(),
  status: z.string(),
  title: z.string().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
  lastAccessed: z.string(),
});
const messageRow = z.object({
  id: z.string(),
  sessionId: z.string(),
  userId: z.string(),
  type: z.string(),
  sequenceNumber: z.number().int(),
  content: z.string(),
  createdAt: z.string(),
});

/** Timestamps as text can be compared only where every connection writes them in the same way. */
export const SAME_TIMESTAMP_TEXT = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'";

/** The live sessions with these ids. One id comes twice if it stands in two partitions. */
export async function readSessions(db: Queryable, ids: readonly string[]): Promise<LiveSession[]> {
  const { rows } = await db.query<Record<string, unknown>>(`${SESSIONS} WHERE id = ANY ($1::uuid[])`, [ids]);
  return rows.map((row) => sessionRow.parse(row));
}

/** The live messages that belong to these sessions or have these ids. */
export async function readMessages(
  db: Queryable,
  sessionIds: readonly string[],
  ids: readonly string[] = [],
): Promise<LiveMessage[]> {
  const { rows } = await db.query<Record<string, unknown>>(
    `${MESSAGES} WHERE session_id = ANY ($1::uuid[]) OR id = ANY ($2::uuid[])`,
    [sessionIds, ids],
  );
  return rows.map((row) => messageRow.parse(row));
}

/** At most `limit` sessions; their ids are random, and so is the choice. */
export async function sampleSessionIds(db: Queryable, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: unknown }>('SELECT id::text FROM public.sessions ORDER BY id LIMIT $1', [
    limit,
  ]);
  return rows.map((row) => z.string().parse(row.id));
}
