import { renderMigrationFiles } from '../plans/sessions/migration-files.ts';
import type { Client } from '../src/db/connect.ts';

/** One user's messages in one language. */
export interface Said {
  readonly user: string;
  /** By the place of the message. */
  readonly ids: readonly string[];
}

/** The guide's end state, empty. */
export async function createTables(client: Client): Promise<void> {
  for (const sql of Object.values(renderMigrationFiles())) await client.query(sql);
  await client.query("SET search_path = ''");
}

/** A new user with one session that holds the messages. */
export async function insertSaid(client: Client, language: string, messages: readonly string[]): Promise<Said> {
  const { rows } = await client.query<{ user: string; session: string }>(
    `WITH person AS (INSERT INTO auth.users (id) VALUES (pg_catalog.gen_random_uuid()) RETURNING id)
     SELECT id AS user, pg_catalog.gen_random_uuid() AS session FROM person`,
  );
  const { user = '', session = '' } = rows[0] ?? {};
  await client.query(`INSERT INTO public.sessions (id, user_id, language, level) VALUES ($1, $2, $3, 'beginner')`, [
    session,
    user,
    language,
  ]);
  const inserted = await client.query<{ id: string }>(
    `INSERT INTO public.messages (session_id, user_id, sequence_number, content)
     SELECT $1, $2, n, t FROM pg_catalog.unnest($3::text[]) WITH ORDINALITY AS turns (t, n) ORDER BY n RETURNING id`,
    [session, user, messages],
  );
  return { user, ids: inserted.rows.map(({ id }) => id) };
}

/** So many messages: one user has `heavy` of them, everybody else 40, each in two languages; in the order of time. */
export async function fillMessages(
  client: Client,
  size: { messages: number; heavy: number },
  lines: Readonly<Record<string, readonly string[]>>,
): Promise<{ heavy: string; median: string }> {
  const others = Math.max(1, Math.floor((size.messages - size.heavy) / 40));
  await client.query(`CREATE TEMPORARY TABLE line (language public.session_language, n int, of int, text text)`);
  for (const [language, texts] of Object.entries(lines)) {
    await client.query(
      `INSERT INTO line SELECT $1::public.session_language, n - 1, $3, t FROM pg_catalog.unnest($2::text[]) WITH ORDINALITY AS texts (t, n)`,
      [language, texts, texts.length],
    );
  }
  await client.query('CREATE INDEX ON pg_temp.line (language, n)');
  await client.query(
    'INSERT INTO auth.users (id) SELECT pg_catalog.gen_random_uuid() FROM pg_catalog.generate_series(0, $1)',
    [others],
  );
  await client.query(
    `CREATE TEMPORARY TABLE person AS SELECT id, pg_catalog.row_number() OVER (ORDER BY id) AS place FROM auth.users
      WHERE NOT EXISTS (SELECT FROM public.sessions s WHERE s.user_id = users.id)`,
  );
  await client.query(
    `INSERT INTO public.sessions (user_id, language, level, title)
     SELECT p.id, (pg_catalog.enum_range(NULL::public.session_language))[1 + ((p.place + k) % 4)::int], 'beginner', 'Lesson ' || k
       FROM pg_temp.person p CROSS JOIN pg_catalog.generate_series(1, 2) AS k`,
  );
  // The rows are complete as they are; the triggers would only make the filling slow.
  await client.query('ALTER TABLE public.messages DISABLE TRIGGER USER');
  await client.query(
    `INSERT INTO public.messages (session_id, user_id, sequence_number, content, created_at, language)
     SELECT drawn.id, drawn.user_id, drawn.k, one.text || ' ' || two.text
              -- Words that only the oldest messages have, few of them: no luck with the newest ones.
              || CASE WHEN drawn.r3 < 0.002 AND drawn.r4 < 0.3 THEN ' zyzzyva' ELSE '' END,
            pg_catalog.now() - (1 - drawn.r4) * interval '700 days', drawn.language
       FROM (SELECT s.id, s.user_id, s.language, k, pg_catalog.random() AS r1, pg_catalog.random() AS r2, pg_catalog.random() AS r3, pg_catalog.random() AS r4
               FROM public.sessions s JOIN pg_temp.person p ON p.id = s.user_id
              CROSS JOIN LATERAL pg_catalog.generate_series(1, CASE WHEN p.place = 1 THEN $1::int / 2 ELSE 20 END) AS k) drawn
       JOIN (SELECT DISTINCT language, of FROM pg_temp.line) many ON many.language = drawn.language
       JOIN pg_temp.line one ON one.language = drawn.language AND one.n = pg_catalog.floor(drawn.r1 * many.of)::int
       JOIN pg_temp.line two ON two.language = drawn.language AND two.n = pg_catalog.floor(drawn.r2 * many.of)::int
      ORDER BY drawn.r4`,
    [size.heavy],
  );
  await client.query('ALTER TABLE public.messages ENABLE TRIGGER USER');
  const { rows } = await client.query<{ id: string }>('SELECT id FROM pg_temp.person WHERE place <= 2 ORDER BY place');
  return { heavy: rows[0]?.id ?? '', median: rows[1]?.id ?? '' };
}
