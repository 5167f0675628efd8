import type { Queryable } from '../db/connect.ts';

export const statuses = ['active', 'archived', 'deleted'] as const;
export type Status = (typeof statuses)[number];

/**
 * The application's tables as they are before a migration: one heap each, `text` where only a few words are allowed.
 * `auth.users` stands for the table that Supabase brings along, so it is kept where it exists.
 */
export const flatTablesSql = `
CREATE SCHEMA IF NOT EXISTS auth;
CREATE TABLE IF NOT EXISTS auth.users (id uuid PRIMARY KEY);

CREATE TABLE public.sessions (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id       uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  language      text NOT NULL,
  level         text NOT NULL,
  status        text NOT NULL DEFAULT 'active',
  title         text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  last_accessed timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_user_id_idx ON public.sessions (user_id);

CREATE TABLE public.messages (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  session_id      uuid NOT NULL REFERENCES public.sessions (id) ON DELETE CASCADE,
  user_id         uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  type            text NOT NULL DEFAULT 'text',
  sequence_number integer NOT NULL,
  content         text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX messages_session_id_idx ON public.messages (session_id);
`;

/**
 * Around a bulk load: checking each foreign key row by row takes longer than the load itself, checking them all at the
 * end a twentieth of that. The constraints end with the same names and the same definitions.
 */
export const dropMessageKeysSql = `
ALTER TABLE public.messages DROP CONSTRAINT messages_session_id_fkey, DROP CONSTRAINT messages_user_id_fkey`;
export const addMessageKeysSql = `
ALTER TABLE public.messages
  ADD CONSTRAINT messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions (id) ON DELETE CASCADE,
  ADD CONSTRAINT messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) ON DELETE CASCADE`;

/** Creates the flat tables, empty, in one transaction. Throws `duplicate_table` (42P07) where they stand already. */
export async function createFlatTables(db: Queryable): Promise<void> {
  await db.query(flatTablesSql);
}
