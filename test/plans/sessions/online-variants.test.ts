import { beforeAll, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { catalogOf, rowsOf } from '../../engine/snapshot.ts';
import { type Config, tandemOn } from '../../engine/tandem.ts';
import { createTestDatabase, useDatabase } from '../../support/database.ts';

const setup = flatWithRows('variants', { sessions: 60, messages: 300 });
const database = useDatabase(setup);
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;
const SCHEMAS = ['public', 'private', 'auth', 'app'];

/** The new catalog of the guide's own flat tables. */
let standard: string[];
beforeAll(async () => {
  const other = await createTestDatabase(setup);
  await tandemOn(other).migrate();
  standard = await catalogOf(other.pool, SCHEMAS);
  await other.drop();
});

interface Variant {
  readonly name: string;
  /** What makes the guide's flat tables different ones. */
  readonly sql: string;
  readonly config?: Config;
  /** What the end state has beyond that of the guide's tables, or lacks; absent: nothing. */
  readonly beyond?: (string | RegExp)[];
  /** Holds after the cutover; one row with one column `holds`. */
  readonly holds?: string;
}

const asEnum = (table: string, column: string, type: string, fallback?: string) => `
  ALTER TABLE public.${table} ALTER COLUMN ${column} DROP DEFAULT;
  ALTER TABLE public.${table} ALTER COLUMN ${column} TYPE public.${type} USING ${column}::text::public.${type};
  ${fallback === undefined ? '' : `ALTER TABLE public.${table} ALTER COLUMN ${column} SET DEFAULT '${fallback}'`};`;

const variants: Variant[] = [
  {
    name: 'enums of their own, with labels in another order and more of them',
    sql: `
      CREATE TYPE public.chat_state AS ENUM ('deleted', 'paused', 'archived', 'active');
      CREATE TYPE public.chat_language AS ENUM ('de', 'en', 'es', 'fr', 'it');
      CREATE TYPE public.chat_level AS ENUM ('advanced', 'intermediate', 'beginner');
      CREATE TYPE public.chat_kind AS ENUM ('system', 'text', 'audio');
      ${asEnum('sessions', 'status', 'chat_state', 'active')} ${asEnum('sessions', 'language', 'chat_language')}
      ${asEnum('sessions', 'level', 'chat_level')} ${asEnum('messages', 'type', 'chat_kind', 'text')}`,
    beyond: [/^\+ type public\.chat_/],
  },
  {
    name: "the guide's enums already, with the right labels, two of them in use",
    sql: `
      CREATE TYPE public.session_status AS ENUM ('active', 'archived', 'deleted');
      CREATE TYPE public.session_level AS ENUM ('beginner', 'intermediate', 'advanced');
      CREATE TYPE public.message_type AS ENUM ('text', 'audio', 'system');
      ${asEnum('sessions', 'status', 'session_status', 'active')} ${asEnum('messages', 'type', 'message_type', 'text')}`,
  },
  {
    name: 'no title, updated_at or last_accessed',
    sql: 'ALTER TABLE public.sessions DROP COLUMN title, DROP COLUMN updated_at, DROP COLUMN last_accessed',
    holds:
      'SELECT bool_and(title IS NULL AND updated_at = created_at AND last_accessed = created_at) AS holds FROM public.sessions',
  },
  {
    name: 'no last_accessed, which is then updated_at',
    sql: 'ALTER TABLE public.sessions DROP COLUMN last_accessed',
    holds: 'SELECT bool_and(last_accessed = updated_at) AS holds FROM public.sessions',
  },
  {
    name: 'no sequence_number, which is then counted by creation time',
    sql: 'ALTER TABLE public.messages DROP COLUMN sequence_number',
    holds: `SELECT bool_and(sequence_number = number) AS holds FROM (
      SELECT sequence_number, row_number() OVER (PARTITION BY session_id ORDER BY created_at, id) AS number FROM public.messages) m`,
  },
  {
    name: 'columns of other widths and kinds of text',
    sql: `
      ALTER TABLE public.sessions ALTER COLUMN language TYPE char(2), ALTER COLUMN status TYPE varchar(20), ALTER COLUMN title TYPE varchar(200);
      ALTER TABLE public.messages ALTER COLUMN type TYPE varchar, ALTER COLUMN content TYPE varchar(10000), ALTER COLUMN sequence_number TYPE bigint`,
  },
  {
    name: 'timestamps without time zone, read as UTC wherever the server stands',
    sql: `
      DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', current_database()); END $$;
      SET TimeZone = 'UTC';
      ALTER TABLE public.sessions ALTER COLUMN created_at TYPE timestamp, ALTER COLUMN updated_at TYPE timestamp, ALTER COLUMN last_accessed TYPE timestamp;
      ALTER TABLE public.messages ALTER COLUMN created_at TYPE timestamp;
      CREATE TABLE public.times AS SELECT id, created_at FROM public.sessions`,
    beyond: [/^\+ .*public\.times/],
    holds:
      "SELECT bool_and(s.created_at = t.created_at AT TIME ZONE 'UTC') AS holds FROM public.sessions s JOIN public.times t USING (id)",
  },
  {
    name: 'no foreign keys at all',
    sql: `
      ALTER TABLE public.sessions DROP CONSTRAINT sessions_user_id_fkey;
      ALTER TABLE public.messages DROP CONSTRAINT messages_user_id_fkey, DROP CONSTRAINT messages_session_id_fkey`,
  },
  {
    name: 'no rows',
    sql: 'TRUNCATE public.sessions, public.messages',
    holds: 'SELECT count(*) = 0 AS holds FROM public.sessions',
  },
  {
    name: 'one session without a message',
    sql: 'TRUNCATE public.messages; DELETE FROM public.sessions WHERE id <> (SELECT id FROM public.sessions LIMIT 1)',
    holds: 'SELECT count(*) = 1 AS holds FROM public.sessions',
  },
  {
    name: 'columns that are called what the statements of the move call their own',
    sql: `
      ALTER TABLE public.sessions ADD COLUMN k1 text DEFAULT 'a', ADD COLUMN v0 text DEFAULT 'b', ADD COLUMN present boolean DEFAULT false,
        ADD COLUMN fits boolean, ADD COLUMN seq integer DEFAULT 3, ADD COLUMN s text DEFAULT 'c', ADD COLUMN t text DEFAULT 'd', ADD COLUMN key jsonb DEFAULT '[]';
      ALTER TABLE public.messages ADD COLUMN p text DEFAULT 'e', ADD COLUMN "user" text DEFAULT 'f', ADD COLUMN "select" text DEFAULT 'g'`,
    beyond: [/^[+-] column public\.(sessions|messages)/],
    holds: `SELECT bool_and(k1 = 'a' AND v0 = 'b' AND NOT present AND fits IS NULL AND seq = 3 AND s = 'c' AND t = 'd' AND key = '[]') AS holds FROM public.sessions`,
  },
  {
    name: 'views that read them',
    sql: `
      CREATE VIEW public.active_sessions AS SELECT * FROM public.sessions WHERE status = 'active';
      CREATE VIEW public.session_sizes AS SELECT s.id, s.title, count(m.*) AS messages FROM public.active_sessions s
        LEFT JOIN public.messages m ON m.session_id = s.id GROUP BY s.id, s.title;
      COMMENT ON VIEW public.active_sessions IS 'Those that are open'; GRANT SELECT ON public.session_sizes TO authenticated`,
    beyond: [/^\+ .*public\.(active_sessions|session_sizes)/],
    holds: `SELECT (SELECT count(*) FROM public.active_sessions) = (SELECT count(*) FROM public.sessions WHERE status = 'active')
        AND (SELECT sum(messages) FROM public.session_sizes) = (SELECT count(*) FROM public.messages m JOIN public.sessions_active a ON a.id = m.session_id) AS holds`,
  },
];

test('what the flat tables hold less exactly is no difference, and is rounded on the way back', async () => {
  await query(`
    ALTER TABLE public.sessions ALTER COLUMN created_at TYPE timestamp(3), ALTER COLUMN updated_at TYPE timestamptz(0),
      ALTER COLUMN status TYPE varchar(8), ALTER COLUMN language TYPE char(5);
    ALTER TABLE public.messages ALTER COLUMN created_at TYPE timestamp(0)`);
  const flat = await catalogOf(database.pool, SCHEMAS);
  const tandem = tandemOn(database);
  await tandem.migrate();
  await query(`UPDATE public.sessions SET created_at = '2026-01-02 03:04:05.678901Z', updated_at = '2026-01-02 03:04:05.678901Z', status = 'archived';
    UPDATE public.messages SET created_at = '2026-01-02 03:04:05.678901Z'`);
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  await tandem.rollback();
  expect(catalogDifference(flat, await catalogOf(database.pool, SCHEMAS))).toEqual([]);
  expect(
    await query(`SELECT DISTINCT s.created_at::text AS milliseconds, extract(epoch FROM s.updated_at)::text AS seconds, s.status,
      m.created_at::text AS sent FROM public.sessions s JOIN public.messages m ON m.session_id = s.id`),
  ).toEqual([
    {
      milliseconds: '2026-01-02 03:04:05.679',
      seconds: '1767323046.000000',
      status: 'archived',
      sent: '2026-01-02 03:04:06',
    },
  ]);
});

describe('flat tables with', () => {
  test.each(variants)('$name: there and back', async ({ sql, config, beyond = [], holds }) => {
    await query(sql);
    // What was set for the database's new sessions.
    const pool = database.pool;
    const before = { catalog: await catalogOf(pool, SCHEMAS), rows: await rowsOf(pool, SCHEMAS) };
    const tandem = tandemOn(database, config);
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    const unexpected = catalogDifference(standard, await catalogOf(pool, SCHEMAS)).filter(
      (line) => !beyond.some((known) => (typeof known === 'string' ? line.includes(known) : known.test(line))),
    );
    expect(unexpected).toEqual([]);
    if (holds) expect((await query(holds))[0]).not.toMatchObject({ holds: false });
    await tandem.rollback();
    expect(catalogDifference(before.catalog, await catalogOf(pool, SCHEMAS))).toEqual([]);
    expect(catalogDifference(before.rows, await rowsOf(pool, SCHEMAS))).toEqual([]);
  });
});
