import type pg from 'pg';
import { catalogSnapshot } from '../../src/db/catalog-snapshot.ts';
import type { Setup } from '../support/database.ts';

/** The guide's flat tables on a plain PostgreSQL: no auth schema, foreign keys to nobody. */
export const plainFlat: Setup = {
  name: 'cli_plain',
  run: async (client) => {
    await client.query(`
      CREATE TABLE public.sessions (
        id uuid PRIMARY KEY, user_id uuid NOT NULL, language text NOT NULL, level text NOT NULL,
        status text NOT NULL DEFAULT 'active', title text, created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(), last_accessed timestamptz NOT NULL DEFAULT now());
      CREATE TABLE public.messages (
        id uuid PRIMARY KEY, session_id uuid NOT NULL REFERENCES public.sessions (id) ON DELETE CASCADE,
        user_id uuid NOT NULL, type text NOT NULL DEFAULT 'text', sequence_number integer NOT NULL,
        content text NOT NULL, created_at timestamptz NOT NULL DEFAULT now())`);
    await insertLessons(client, { sessions: 200, messages: 1_000 });
  },
};

/** Sessions of every status, language and level with their messages; the same rows each time. */
export async function insertLessons(
  client: Pick<pg.ClientBase, 'query'>,
  { sessions, messages }: { sessions: number; messages: number },
): Promise<void> {
  await client.query(
    `INSERT INTO public.sessions (id, user_id, language, level, status, title)
     SELECT md5('s' || i)::uuid, md5('u' || i % 20)::uuid, (array['en','es','fr','de'])[i % 4 + 1],
            (array['beginner','intermediate','advanced'])[i % 3 + 1], (array['active','archived','deleted'])[i % 3 + 1],
            'Lesson ' || i FROM generate_series(1, $1::int) AS i`,
    [sessions],
  );
  await client.query(
    `INSERT INTO public.messages (id, session_id, user_id, type, sequence_number, content)
     SELECT md5('m' || i)::uuid, md5('s' || i % $2::int + 1)::uuid, md5('u' || i % 20)::uuid, 'text', i / $2::int + 1,
            'The teacher asked question number ' || i || ' about gardens, weather and breakfast'
       FROM generate_series(1, $1::int) AS i`,
    [messages, sessions],
  );
}

/**
 * Everything that a database holds outside of PostgreSQL's own schemas: its catalog, and every row of every table. Not the
 * roles: they belong to the whole server, and other test files make some meanwhile.
 */
export async function contentOf(client: pg.ClientBase): Promise<string[]> {
  const { rows: schemas } = await client.query<{ name: string }>(
    "SELECT nspname AS name FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' ORDER BY 1",
  );
  const names = schemas.map(({ name }) => name);
  const { rows: tables } = await client.query<{ name: string }>(
    "SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relnamespace::regnamespace::text = ANY ($1) ORDER BY 1",
    [names],
  );
  const content = [`schemas ${names.join(', ')}`, ...(await catalogSnapshot(client, names))];
  for (const { name } of tables) {
    const { rows } = await client.query<{ digest: string }>(
      `SELECT md5(coalesce(string_agg(t::text || t.xmin::text || t.ctid::text, ';' ORDER BY t.ctid), '')) AS digest FROM ${name} t`,
    );
    content.push(`${name} ${rows[0]?.digest}`);
  }
  return content;
}
