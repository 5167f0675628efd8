import { describe, expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { type ErrorCode, TandemError } from '../../../src/engine/errors.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { catalogOf, rowsOf } from '../../engine/snapshot.ts';
import { type Config, tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';

const database = useDatabase(flatWithRows('variants', { sessions: 60, messages: 300 }));
const query = (sql: string) => database.pool.query(sql);

interface Refusal {
  readonly name: string;
  /** What makes the guide's flat tables ones that cannot be moved. */
  readonly sql?: string;
  readonly config?: Config;
  /** Default: TD011, findings. */
  readonly code?: ErrorCode;
  readonly exit?: number;
  /** What is said, in the message or in the findings below it. */
  readonly says: string | RegExp;
}

const refusals: Refusal[] = [
  {
    name: 'an enum with other labels',
    sql: "CREATE TYPE public.session_status AS ENUM ('active', 'closed')",
    says: 'public.session_status: exists with the labels active, closed, not active, archived, deleted',
  },
  {
    name: 'an enum with the labels in another order',
    sql: "CREATE TYPE public.message_type AS ENUM ('audio', 'text', 'system')",
    says: 'public.message_type: exists with the labels audio, text, system, not text, audio, system',
  },
  {
    name: "a domain of an enum's name",
    sql: 'CREATE DOMAIN public.session_level AS text',
    says: 'public.session_level: a type of this name exists and is no enum',
  },
  {
    name: 'no user_id',
    sql: 'ALTER TABLE public.sessions DROP COLUMN user_id',
    says: 'public.sessions: there is no column user_id',
  },
  {
    name: 'a number for an id',
    sql: `ALTER TABLE public.messages DROP COLUMN id, ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY`,
    says: 'public.messages: column id is bigint, and the plan needs uuid',
  },
  {
    name: 'a number for a status',
    sql: 'ALTER TABLE public.sessions ALTER COLUMN status DROP DEFAULT, ALTER COLUMN status TYPE integer USING 1',
    says: /public\.sessions: column status is integer, and the plan needs public\.session_status/,
  },
  {
    name: 'no primary key',
    sql: 'ALTER TABLE public.messages DROP CONSTRAINT messages_pkey',
    says: 'public.messages: has no primary key',
  },
  {
    name: 'a primary key of two columns',
    sql: 'ALTER TABLE public.messages DROP CONSTRAINT messages_pkey, ADD PRIMARY KEY (id, session_id)',
    says: 'public.messages: has a primary key of several columns',
  },
  {
    name: 'a view in the place of a table',
    sql: 'ALTER TABLE public.sessions RENAME TO chats; CREATE VIEW public.sessions AS TABLE public.chats',
    says: 'public.sessions: is a view, not a plain table',
  },
  {
    name: 'a table that is partitioned already',
    sql: `ALTER TABLE public.messages RENAME TO m; CREATE TABLE public.messages (LIKE public.m) PARTITION BY HASH (id)`,
    says: 'public.messages: is a partitioned table, not a plain table',
  },
  {
    name: 'no such table',
    config: { sessions: { table: 'public.chats' } },
    code: 'TD005',
    exit: 2,
    says: 'There is no table public.chats.',
  },
  {
    name: 'no messages',
    sql: 'DROP TABLE public.messages',
    code: 'TD005',
    exit: 2,
    says: 'There is no table public.messages.',
  },
  {
    name: 'a unique index that a partitioned table cannot have',
    sql: 'CREATE UNIQUE INDEX sessions_one_title_idx ON public.sessions (user_id, id)',
    says: /public\.sessions: unique index sessions_one_title_idx cannot be carried over: .* must contain status/,
  },
  {
    name: 'a unique constraint that a partitioned table cannot have',
    sql: 'ALTER TABLE public.sessions ADD CONSTRAINT sessions_once UNIQUE (user_id, title)',
    says: /public\.sessions: unique constraint sessions_once cannot be carried over: .* must contain status/,
  },
  {
    name: 'an exclusion constraint on the table that is to be partitioned',
    sql: 'ALTER TABLE public.sessions ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =)',
    says: /public\.sessions: exclusion constraint apart cannot be carried over/,
  },
  {
    name: 'a foreign key on something else than the primary key of the table that is to be partitioned',
    sql: `ALTER TABLE public.sessions ADD COLUMN number integer, ADD CONSTRAINT numbered UNIQUE (number, status);
      CREATE TABLE public.pins (number integer, status text, CONSTRAINT pinned FOREIGN KEY (number, status) REFERENCES public.sessions (number, status))`,
    says: /public\.sessions: foreign key pinned of public\.pins refers to number, status/,
  },
  {
    name: 'a default that is no value of the new type',
    sql: "ALTER TABLE public.sessions ALTER COLUMN level SET DEFAULT 'expert'",
    says: /public\.sessions: the default of column level, 'expert'::text, does not fit public\.session_level/,
  },
  {
    name: 'SQL that has another value each time that it is read',
    sql: 'ALTER TABLE public.sessions DROP COLUMN level, ALTER COLUMN last_accessed DROP NOT NULL',
    config: {
      sessions: {
        columns: {
          level: { sql: "CASE WHEN RANDOM() < 0.5 THEN 'beginner' ELSE 'advanced' END" },
          last_accessed: { whenNull: 'CURRENT_TIMESTAMP' },
          title: { whenNull: "'now, random() and CURRENT_DATE'" },
        },
      },
    },
    says: /^public\.sessions: the SQL for column level [^\n]* by random\npublic\.sessions: the SQL for column last_accessed [^\n]* by current_timestamp$/m,
  },
  {
    name: 'SQL for a column that is there, and a value in the place of NULL for one that is not',
    sql: 'ALTER TABLE public.sessions DROP COLUMN updated_at',
    config: {
      sessions: { columns: { language: { sql: 'lower(s.language)' }, updated_at: { whenNull: 's.created_at' } } },
    },
    says: /column language is there, and the plan file has SQL for it.*\n.*no column updated_at, and the plan file says/,
  },
  {
    name: 'a column of the plan that the server computes',
    sql: 'ALTER TABLE public.sessions DROP COLUMN title, ADD COLUMN title text GENERATED ALWAYS AS (upper(level)) STORED',
    says: /public\.sessions: column title is generated/,
  },
  {
    name: 'another message_feedback',
    sql: `CREATE TABLE public.message_feedback (id uuid PRIMARY KEY, message_id uuid, overall_score integer CHECK (overall_score <= 100), created_at timestamptz);
      CREATE INDEX message_feedback_message_id_idx ON public.message_feedback (message_id)`,
    says: new RegExp(
      [
        'column overall_score smallint',
        'foreign key of message_id to public.messages',
        'index message_feedback_created_at_idx',
        'check on fluency',
      ]
        .map((what) => `public.message_feedback: there is no ${what}`)
        .join('[\\s\\S]*'),
    ),
  },
  {
    name: 'session_rollup taken',
    sql: 'CREATE SCHEMA private; CREATE TABLE private.session_rollup (x int)',
    says: 'the name private.session_rollup is taken',
  },
  {
    name: 'a publication of all tables',
    sql: 'CREATE PUBLICATION everything FOR ALL TABLES',
    says: 'publication everything: publishes all tables',
  },
  {
    name: 'a publication of the columns that the old primary key needs, and not the new one',
    sql: `CREATE PUBLICATION feed FOR TABLE public.sessions (id, title);
      CREATE PUBLICATION inserts FOR TABLE public.sessions (id, title) WITH (publish = 'insert')`,
    says: /^publication feed: publishes public\.sessions without its column status[^\n]*$/m,
  },
  {
    name: 'a rule',
    sql: 'CREATE RULE keep AS ON DELETE TO public.sessions DO INSTEAD NOTHING',
    says: /public\.sessions: rule keep on table (public\.)?sessions/,
  },
  {
    name: 'a child table',
    sql: 'CREATE TABLE public.more () INHERITS (public.messages)',
    says: /public\.messages: child table (public\.)?more/,
  },
  {
    name: 'a function over the row type',
    sql: 'CREATE FUNCTION public.label(s public.sessions) RETURNS text LANGUAGE sql AS $$ SELECT s.title $$',
    says: /public\.sessions: function (public\.)?label\((public\.)?sessions\)/,
  },
  {
    name: "a partition's name taken",
    sql: 'CREATE TABLE public.sessions_archived (x int)',
    says: 'the name public.sessions_archived is taken',
  },
  {
    name: 'session_stats taken',
    sql: 'CREATE VIEW public.session_stats AS SELECT 1 AS x',
    says: 'the name public.session_stats is taken',
  },
  {
    name: 'search_messages taken',
    sql: 'CREATE FUNCTION public.search_messages(text, uuid, uuid) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    says: 'the name public.search_messages(text, uuid, uuid) is taken',
  },
  {
    name: "a column that has the name of one of the guide's additions",
    sql: 'ALTER TABLE public.messages ADD COLUMN language text, ADD COLUMN content_search text',
    says: /public\.messages: has a column language, .*\npublic\.messages: has a column content_search, /,
  },
  {
    name: 'no auth.uid()',
    sql: 'DROP FUNCTION auth.uid()',
    says: "auth: this database has no auth.uid(), which the guide's row security is written for",
  },
  {
    name: 'nothing of auth',
    sql: 'DROP SCHEMA auth CASCADE',
    says: /auth: this database has no auth\.users, no auth\.uid\(\)/,
  },
];

describe('before anything is changed, a run is refused for', () => {
  test.each(refusals)('$name', async ({ sql, config, code = 'TD011', exit = 3, says }) => {
    if (sql) await query(sql);
    const before = [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))];
    const error = await refusal(tandemOn(database, config).migrate());
    expect({ code: error.code, exit: error.exitCode }).toEqual({ code, exit });
    expect(`${error.message}\n${error.detail ?? ''}`).toEqual(
      typeof says === 'string' ? expect.stringContaining(says) : expect.stringMatching(says),
    );
    expect(error.hint).toBeTruthy();
    expect(catalogDifference(before, [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))])).toEqual(
      [],
    );
  });

  test('several things at once, which are all said', async () => {
    await query(
      "CREATE TYPE public.session_status AS ENUM ('x'); CREATE TABLE public.sessions_active (); UPDATE public.sessions SET level = 'expert'",
    );
    const error = await refusal(tandemOn(database).migrate());
    expect(error.message).toBe('3 findings block the migration; nothing was changed.');
    for (const part of ['session_status', 'sessions_active', "'expert'"]) expect(error.detail).toContain(part);
  });
});

describe('promises that a server of version 18 need not keep: a run is refused for', () => {
  test.for([
    {
      name: 'a foreign key that is not enforced',
      sql: `CREATE TABLE public.notes (session_id uuid CONSTRAINT loose REFERENCES public.sessions NOT ENFORCED);
        INSERT INTO public.notes VALUES (gen_random_uuid())`,
      says: 'public.sessions: foreign key loose of public.notes is NOT ENFORCED',
    },
    {
      name: 'a NOT NULL that is not valid',
      sql: 'ALTER TABLE public.messages ADD COLUMN extra int; ALTER TABLE public.messages ADD CONSTRAINT lax NOT NULL extra NOT VALID',
      says: 'public.messages: NOT NULL constraint lax is NOT VALID',
    },
  ])('$name', async ({ sql, says }, context) => {
    const { rows } = await database.pool.query("SELECT current_setting('server_version_num')::int >= 180000 AS knows");
    context.skip(rows[0]?.knows !== true, 'an older server has no such constraint');
    await query(sql);
    const error = await refusal(tandemOn(database).migrate());
    expect(error).toMatchObject({ code: 'TD011', detail: expect.stringContaining(says) });
  });
});

describe('before a row is copied, a run is refused for what the new types do not take', () => {
  test.each([
    {
      name: 'a view',
      sql: 'CREATE VIEW public.open AS SELECT id, upper(status) AS status FROM public.sessions',
      says: 'CREATE VIEW',
    },
    {
      name: 'a view of a view',
      sql: "CREATE VIEW public.v AS SELECT * FROM public.sessions; CREATE VIEW public.w AS SELECT id FROM public.v WHERE level LIKE 'b%'",
      says: 'CREATE VIEW',
    },
    {
      name: 'an index',
      sql: "CREATE INDEX active_idx ON public.sessions (user_id) WHERE lower(status) = 'active'",
      says: 'active_idx',
    },
    {
      name: 'a check',
      sql: "ALTER TABLE public.sessions ADD CONSTRAINT titled CHECK (lower(status) <> 'archived' OR title IS NOT NULL) NOT VALID",
      says: 'titled',
    },
    {
      name: 'a policy',
      sql: "ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY; CREATE POLICY spoken ON public.messages USING (type LIKE 'a%')",
      says: 'spoken',
    },
    {
      name: "a trigger's condition",
      sql: `CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER on_archive BEFORE UPDATE ON public.sessions FOR EACH ROW WHEN (NEW.status LIKE 'arch%') EXECUTE FUNCTION public.f()`,
      says: 'on_archive',
    },
    {
      name: 'a policy of another table',
      sql: `CREATE TABLE public.notes (session_id uuid); CREATE VIEW public.s AS SELECT * FROM public.sessions;
        CREATE POLICY open ON public.notes USING (EXISTS (SELECT FROM public.s WHERE s.id = notes.session_id AND s.status LIKE 'a%'))`,
      says: 'CREATE POLICY open',
    },
    {
      name: "a publication's condition",
      sql: "CREATE PUBLICATION feed FOR TABLE public.messages WHERE (type <> 'system') WITH (publish = 'insert')",
      says: 'ALTER PUBLICATION feed',
    },
    {
      name: 'statistics',
      sql: 'CREATE STATISTICS public.stats ON lower(status) FROM public.sessions',
      says: 'CREATE STATISTICS',
    },
  ])('$name', async ({ sql, says }) => {
    await query(sql);
    const flat = [
      ...(await catalogOf(database.pool, ['public', 'private', 'auth'])),
      ...(await rowsOf(database.pool, ['public', 'private', 'auth'])),
    ];
    const tandem = tandemOn(database);
    const error = await refusal(tandem.migrate());
    expect(error).toMatchObject({ code: 'TD017', exitCode: 2 });
    expect(error.detail).toContain(says);
    expect(await tandem.status()).toMatchObject({ phase: 'preparing', tables: [{ copied: 0 }, { copied: 0 }] });
    await tandem.rollback();
    expect(
      catalogDifference(flat, [
        ...(await catalogOf(database.pool, ['public', 'private', 'auth'])),
        ...(await rowsOf(database.pool, ['public', 'private', 'auth'])),
      ]),
    ).toEqual([]);
  });
});

async function refusal(run: Promise<unknown>): Promise<TandemError> {
  const outcome = await run.then(
    () => null,
    (error: unknown) => error,
  );
  if (outcome instanceof TandemError) return outcome;
  throw outcome ?? new Error('The run was not refused.');
}
