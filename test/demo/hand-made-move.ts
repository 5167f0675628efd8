import type { Pool } from '../../src/db/connect.ts';
import { inTransaction } from '../../src/db/connect.ts';
import { SqlState, sqlStateOf } from '../../src/db/sqlstate.ts';

/**
 * The shape that a migration ends in, as far as clients can tell, made in the crudest way: everything under one lock.
 * Sessions partitioned by status, enums instead of text, other tables under the old names.
 */
const moveSql = `
CREATE TYPE public.session_language AS ENUM ('en', 'es', 'fr', 'de');
CREATE TYPE public.session_level AS ENUM ('beginner', 'intermediate', 'advanced');
CREATE TYPE public.session_status AS ENUM ('active', 'archived', 'deleted');
CREATE TYPE public.message_type AS ENUM ('text', 'audio', 'system');
CREATE CAST (text AS public.session_language) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS public.session_level) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS public.session_status) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS public.message_type) WITH INOUT AS ASSIGNMENT;

CREATE TABLE public.new_sessions (
  id uuid DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES auth.users, language public.session_language NOT NULL,
  level public.session_level NOT NULL, status public.session_status NOT NULL DEFAULT 'active', title text,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  last_accessed timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, status)
) PARTITION BY LIST (status);
CREATE TABLE public.sessions_active PARTITION OF public.new_sessions FOR VALUES IN ('active');
CREATE TABLE public.sessions_archived PARTITION OF public.new_sessions FOR VALUES IN ('archived');
CREATE TABLE public.sessions_deleted PARTITION OF public.new_sessions FOR VALUES IN ('deleted');
INSERT INTO public.new_sessions
SELECT id, user_id, language::text::public.session_language, level::text::public.session_level,
       status::text::public.session_status, title, created_at, updated_at, last_accessed FROM public.sessions;

CREATE FUNCTION public.drop_messages() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  DELETE FROM public.messages WHERE session_id = old.id AND NOT EXISTS (SELECT FROM public.sessions WHERE id = old.id);
  RETURN NULL;
END $$;
CREATE TRIGGER drop_messages AFTER DELETE ON public.new_sessions FOR EACH ROW EXECUTE FUNCTION public.drop_messages();

ALTER TABLE public.messages DROP CONSTRAINT messages_session_id_fkey, ALTER COLUMN type DROP DEFAULT,
  ALTER COLUMN type TYPE public.message_type USING type::public.message_type;
ALTER TABLE public.sessions RENAME TO old_sessions;
ALTER TABLE public.new_sessions RENAME TO sessions;
`;

/** Returns for how long the tables were locked, and when that was over. */
export async function moveByHand(pool: Pool): Promise<{ lockMs: number; cutoverAt: number }> {
  for (;;) {
    try {
      const locked = await inTransaction(pool, async (client) => {
        // A client in the middle of a transaction may hold one of the tables and want the other.
        await client.query("SET LOCAL lock_timeout = '200ms'");
        await client.query('LOCK TABLE public.messages, public.sessions IN ACCESS EXCLUSIVE MODE');
        const since = performance.now();
        await client.query(moveSql);
        return since;
      });
      return { lockMs: performance.now() - locked, cutoverAt: Date.now() };
    } catch (error) {
      if (sqlStateOf(error) !== SqlState.lockNotAvailable) throw error;
    }
  }
}
