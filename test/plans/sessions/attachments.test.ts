import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Attachment, readAttachments } from '../../../src/db/attachments.ts';
import { maybeLatestRun, type Run } from '../../../src/engine/run-state.ts';
import { missingAttachments } from '../../../src/engine/verify.ts';
import { missingForeignKeys } from '../../../src/steps/foreign-keys.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { type Tandem, tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { withClient } from '../../support/template.ts';

const owner = `owner_${randomBytes(4).toString('hex')}`;
const app = `app_${randomBytes(4).toString('hex')}`;
const roles = [owner, app];
beforeAll(() =>
  withClient(inject('serverUrl'), (admin) => admin.query(roles.map((r) => `CREATE ROLE ${r}`).join(';'))),
);
afterAll(() => withClient(inject('serverUrl'), (admin) => admin.query(`DROP ROLE ${roles.join(', ')}`)));

const database = useDatabase(flatWithRows('carried', { sessions: 80, messages: 500 }), { per: 'suite' });

/** Two tables with everything that can hang on one. */
const HANGING = `
  ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ${app};
  ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO ${app};
  CREATE TYPE public.mood AS ENUM ('good', 'bad');
  ALTER TABLE public.sessions
    ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN serial_number serial,
    ADD COLUMN tags text[] NOT NULL DEFAULT '{new}',
    ADD COLUMN notes text,
    ADD COLUMN title_length integer GENERATED ALWAYS AS (length(title)) STORED,
    ADD CONSTRAINT sessions_title_check CHECK (length(title) < 1000 AND status <> 'deleted' OR length(title) < 100),
    ALTER COLUMN title SET NOT NULL,
    ALTER COLUMN level SET DEFAULT 'beginner',
    ALTER COLUMN last_accessed SET DEFAULT now() + interval '1 day';
  COMMENT ON CONSTRAINT sessions_title_check ON public.sessions IS 'not too long';
  GRANT USAGE ON SEQUENCE public.sessions_number_seq TO ${app};
  COMMENT ON SEQUENCE public.sessions_number_seq IS 'counts sessions';
  COMMENT ON TABLE public.sessions IS 'of learners';
  COMMENT ON COLUMN public.sessions.title IS 'as shown';
  GRANT SELECT, UPDATE ON public.sessions TO ${app} WITH GRANT OPTION;
  REVOKE ALL ON public.messages FROM ${app};
  GRANT SELECT (id, title) ON public.sessions TO PUBLIC;
  GRANT UPDATE (content) ON public.messages TO ${app} WITH GRANT OPTION;

  CREATE INDEX sessions_tags_idx ON public.sessions USING gin (tags);
  COMMENT ON INDEX public.sessions_tags_idx IS 'for words';
  CREATE INDEX sessions_kept_idx ON public.sessions (created_at) WHERE status <> 'deleted';
  CREATE STATISTICS public.language_level (dependencies) ON language, level FROM public.sessions;
  ALTER STATISTICS public.language_level SET STATISTICS 200;
  COMMENT ON STATISTICS public.language_level IS 'go together';
  ALTER TABLE public.sessions SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_enabled = false),
    ALTER COLUMN notes SET STORAGE EXTERNAL, ALTER COLUMN notes SET COMPRESSION pglz,
    ALTER COLUMN title SET STATISTICS 500, ALTER COLUMN status SET STATISTICS 50, ALTER COLUMN title SET (n_distinct = -0.5);
  ALTER TABLE public.messages REPLICA IDENTITY FULL;
  CREATE UNIQUE INDEX sessions_replica_idx ON public.sessions (id, status);
  ALTER TABLE public.sessions REPLICA IDENTITY USING INDEX sessions_replica_idx;
  ALTER TABLE public.sessions FORCE ROW LEVEL SECURITY, ENABLE ROW LEVEL SECURITY;
  CREATE POLICY kept_only ON public.sessions AS RESTRICTIVE TO authenticated USING (status <> 'deleted');
  COMMENT ON POLICY kept_only ON public.sessions IS 'no ghosts';

  CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER touch BEFORE UPDATE ON public.sessions FOR EACH ROW WHEN (NEW.status = 'active') EXECUTE FUNCTION public.touch();
  CREATE TRIGGER asleep AFTER INSERT ON public.messages FOR EACH ROW EXECUTE FUNCTION public.touch();
  ALTER TABLE public.messages DISABLE TRIGGER asleep;
  COMMENT ON TRIGGER touch ON public.sessions IS 'wakes up';
  CREATE EXTENSION IF NOT EXISTS btree_gist;
  ALTER TABLE public.messages ADD CONSTRAINT messages_number_key UNIQUE (session_id, sequence_number, id),
    ADD CONSTRAINT messages_apart EXCLUDE USING gist (id WITH =);

  CREATE PUBLICATION supabase_realtime FOR TABLE public.sessions, public.messages (id, content) WHERE (id IS NOT NULL);
  CREATE PUBLICATION whole_schema FOR TABLES IN SCHEMA public;

  CREATE VIEW public.open_sessions WITH (security_invoker = true) AS SELECT id, user_id, title, status FROM public.sessions WHERE status = 'active';
  REVOKE ALL ON public.open_sessions FROM ${app};
  GRANT SELECT ON public.open_sessions TO service_role;
  GRANT UPDATE (title) ON public.open_sessions TO service_role;
  ALTER VIEW public.open_sessions OWNER TO ${owner};
  ALTER VIEW public.open_sessions ALTER COLUMN title SET DEFAULT 'untitled';
  COMMENT ON VIEW public.open_sessions IS 'with a title';
  COMMENT ON COLUMN public.open_sessions.title IS 'never null';
  CREATE VIEW public.open_messages AS SELECT m.id, o.title FROM public.open_sessions o JOIN public.messages m ON m.session_id = o.id;
  CREATE FUNCTION public.count_sessions() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM public.sessions; END;
  REVOKE EXECUTE ON FUNCTION public.count_sessions() FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION public.count_sessions() TO ${app};
  CREATE TABLE public.notes (id int PRIMARY KEY, session_id uuid REFERENCES public.sessions (id) ON DELETE SET NULL);
  CREATE POLICY of_sessions ON public.notes USING (EXISTS (SELECT FROM public.sessions s WHERE s.id = notes.session_id AND s.status = 'active'));
  COMMENT ON POLICY of_sessions ON public.notes IS 'see sessions';
  COMMENT ON CONSTRAINT notes_session_id_fkey ON public.notes IS 'kept';
  COMMENT ON CONSTRAINT sessions_user_id_fkey ON public.sessions IS 'whose';
  ALTER TABLE public.sessions OWNER TO ${owner};
`;

let tandem: Tandem;
let run: Run;
let client: Client;
/** What hung on the flat tables. */
let hung: Attachment[];

beforeAll(async () => {
  client = await database.connect();
  await client.query(HANGING);
  if (await isVersion18())
    await client.query(
      'ALTER TABLE public.sessions ADD COLUMN initial text GENERATED ALWAYS AS (left(title, 1)) VIRTUAL',
    );
  // What is left of a failed CREATE INDEX CONCURRENTLY.
  await client.query('CREATE UNIQUE INDEX CONCURRENTLY broken_idx ON public.messages (user_id)').catch(() => undefined);
  hung = await hanging();
  tandem = tandemOn(database);
  await tandem.migrate();
  const latest = await maybeLatestRun(database.pool);
  if (latest === null) throw new Error('There is no run.');
  run = latest;
});

test('nothing is lost on the way, and what the plan changes on purpose is no finding', async () => {
  expect(tandem.events.filter((event) => event.event === 'finding' && event.severity === 'blocks')).toEqual([]);
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
});

test('what default privileges would have given is not there', async () => {
  const { rows } = await client.query(
    `SELECT 'public.' || c.relname AS relation, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) AS rights
       FROM pg_class c CROSS JOIN aclexplode(c.relacl) a WHERE a.grantee = $1::regrole AND c.relnamespace = 'public'::regnamespace
        AND (c.relname LIKE 'sessions%' OR c.relname LIKE 'messages%' OR c.relname LIKE 'open%') GROUP BY 1 ORDER BY 1`,
    [app],
  );
  expect(rows.map((row) => row.relation)).toEqual([
    // Made after the default privileges, and so granted; the others were closed since.
    'public.open_messages',
    'public.sessions',
    'public.sessions_number_seq',
    'public.sessions_serial_number_seq',
  ]);
  expect(rows[1]).toMatchObject({ rights: 'SELECT, UPDATE' });
});

/** What is done to it, and how it is called then. */
const REMOVED: [sql: string, named: string][] = [
  ['ALTER TABLE public.sessions OWNER TO postgres', 'owner on public.sessions is altered: it was owner_'],
  [`REVOKE SELECT ON public.sessions FROM ${app}`, `grant SELECT to ${app} on public.sessions is missing`],
  [
    `REVOKE GRANT OPTION FOR UPDATE ON public.sessions FROM ${app}`,
    `grant UPDATE to ${app} on public.sessions is altered`,
  ],
  [
    `REVOKE UPDATE (content) ON public.messages FROM ${app}`,
    `grant UPDATE (content) to ${app} on public.messages is missing`,
  ],
  [
    'REVOKE SELECT ON public.sessions FROM authenticated',
    'grant SELECT to authenticated on public.sessions is missing',
  ],
  ['ALTER TABLE public.sessions DISABLE ROW LEVEL SECURITY', 'row security on public.sessions is missing'],
  ['ALTER TABLE public.sessions NO FORCE ROW LEVEL SECURITY', 'forced row security on public.sessions is missing'],
  ['DROP POLICY kept_only ON public.sessions', 'policy kept_only on public.sessions is missing'],
  ['DROP POLICY sessions_select_own ON public.sessions', 'policy sessions_select_own on public.sessions is missing'],
  ['ALTER POLICY kept_only ON public.sessions USING (true)', 'policy kept_only on public.sessions is altered'],
  ['ALTER POLICY kept_only ON public.sessions TO anon', 'policy kept_only on public.sessions is altered'],
  ['DROP TRIGGER touch ON public.sessions', 'trigger touch on public.sessions is missing'],
  ['ALTER TABLE public.sessions DISABLE TRIGGER touch', 'trigger touch on public.sessions is altered'],
  ['ALTER TABLE public.messages ENABLE TRIGGER asleep', 'trigger asleep on public.messages is altered'],
  ['COMMENT ON TABLE public.sessions IS NULL', 'comment of the table on public.sessions is missing'],
  ['COMMENT ON COLUMN public.sessions.title IS NULL', 'comment of column title on public.sessions is missing'],
  [
    'COMMENT ON POLICY kept_only ON public.sessions IS NULL',
    'comment of policy kept_only on public.sessions is missing',
  ],
  ['COMMENT ON TRIGGER touch ON public.sessions IS NULL', 'comment of trigger touch on public.sessions is missing'],
  [
    'COMMENT ON CONSTRAINT sessions_title_check ON public.sessions IS NULL',
    'comment of constraint sessions_title_check on public.sessions is missing',
  ],
  [
    'COMMENT ON INDEX public.sessions_tags_idx IS NULL',
    'comment of index sessions_tags_idx on public.sessions is missing',
  ],
  [
    'COMMENT ON STATISTICS public.language_level IS NULL',
    'comment of statistics language_level on public.sessions is missing',
  ],
  [
    'COMMENT ON SEQUENCE public.sessions_number_seq IS NULL',
    'comment of sequence public.sessions_number_seq on public.sessions is missing',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN tags DROP DEFAULT',
    'default of column tags on public.sessions is missing',
  ],
  [
    "ALTER TABLE public.sessions ALTER COLUMN level SET DEFAULT 'advanced'",
    'default of column level on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN last_accessed SET DEFAULT now()',
    'default of column last_accessed on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN title DROP NOT NULL',
    'NOT NULL of column title on public.sessions is missing',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN number DROP IDENTITY',
    'identity of column number on public.sessions is missing',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN number SET GENERATED BY DEFAULT',
    'identity of column number on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN number SET INCREMENT BY 7',
    'identity of column number on public.sessions is altered',
  ],
  [
    "SELECT setval('public.sessions_number_seq', 1)",
    'identity of column number on public.sessions stands before values that it gave already',
  ],
  [
    "SELECT setval('public.sessions_serial_number_seq', 1)",
    'sequence public.sessions_serial_number_seq on public.sessions stands before',
  ],
  [
    'ALTER SEQUENCE public.sessions_serial_number_seq OWNED BY NONE',
    'sequence public.sessions_serial_number_seq on public.sessions is missing',
  ],
  [
    `REVOKE USAGE ON SEQUENCE public.sessions_number_seq FROM ${app}`,
    `grant USAGE to ${app} on public.sessions_number_seq is missing`,
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN title_length DROP EXPRESSION',
    'generated column title_length on public.sessions is missing',
  ],
  [
    'ALTER TABLE public.sessions DROP CONSTRAINT sessions_title_check',
    'check constraint sessions_title_check on public.sessions is missing',
  ],
  [
    'ALTER TABLE public.messages DROP CONSTRAINT messages_number_key',
    'unique constraint messages_number_key on public.messages is missing',
  ],
  [
    'ALTER TABLE public.messages DROP CONSTRAINT messages_apart',
    'exclusion constraint messages_apart on public.messages is missing',
  ],
  ['DROP INDEX public.sessions_tags_idx', 'index sessions_tags_idx on public.sessions is missing'],
  [
    'DROP INDEX public.sessions_kept_idx; CREATE INDEX sessions_kept_idx ON public.sessions (created_at)',
    'index sessions_kept_idx on public.sessions is altered',
  ],
  ['DROP STATISTICS public.language_level', 'statistics public.language_level on public.sessions is missing'],
  [
    'ALTER STATISTICS public.language_level SET STATISTICS 10',
    'statistics public.language_level on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions_active RESET (fillfactor)',
    'storage option fillfactor on public.sessions is altered: it was 80, and is 80, not on every partition',
  ],
  [
    'ALTER TABLE public.sessions_archived SET (autovacuum_vacuum_scale_factor = 0.5)',
    'storage option autovacuum_vacuum_scale_factor on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions_deleted RESET (toast.autovacuum_enabled)',
    'storage option toast.autovacuum_enabled on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN notes SET STORAGE EXTENDED',
    'storage of column notes on public.sessions is missing',
  ],
  [
    'ALTER TABLE public.sessions_active ALTER COLUMN notes SET COMPRESSION DEFAULT',
    'compression of column notes on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions ALTER COLUMN title SET STATISTICS -1',
    'statistics target of column title on public.sessions is missing',
  ],
  [
    'ALTER TABLE public.sessions_active ALTER COLUMN status SET STATISTICS 60',
    'statistics target of column status on public.sessions is altered',
  ],
  [
    'ALTER TABLE public.sessions_active ALTER COLUMN title RESET (n_distinct)',
    'options of column title on public.sessions is altered',
  ],
  ['ALTER TABLE public.messages REPLICA IDENTITY DEFAULT', 'replica identity on public.messages is missing'],
  ['ALTER TABLE public.sessions_active REPLICA IDENTITY DEFAULT', 'replica identity on public.sessions is altered'],
  [
    'ALTER PUBLICATION supabase_realtime DROP TABLE public.sessions',
    'publication supabase_realtime on public.sessions is missing',
  ],
  [
    'ALTER PUBLICATION supabase_realtime SET TABLE public.sessions, public.messages (id, content)',
    'publication supabase_realtime on public.messages is altered',
  ],
  [
    'ALTER PUBLICATION whole_schema SET (publish_via_partition_root = false)',
    'publication whole_schema on public.sessions is altered',
  ],
  ['DROP VIEW public.open_messages', 'view public.open_messages is missing'],
  [
    'CREATE OR REPLACE VIEW public.open_messages AS SELECT m.id, m.content AS title FROM public.messages m',
    'view public.open_messages is altered',
  ],
  [
    'ALTER VIEW public.open_sessions RESET (security_invoker)',
    'storage option security_invoker on public.open_sessions is missing',
  ],
  ['ALTER VIEW public.open_sessions OWNER TO postgres', 'owner on public.open_sessions is altered'],
  [
    'ALTER VIEW public.open_sessions ALTER COLUMN title DROP DEFAULT',
    'default of column title on public.open_sessions is missing',
  ],
  [
    'REVOKE SELECT ON public.open_sessions FROM service_role',
    'grant SELECT to service_role on public.open_sessions is missing',
  ],
  [
    'COMMENT ON COLUMN public.open_sessions.title IS NULL',
    'comment of column title on public.open_sessions is missing',
  ],
  ['DROP FUNCTION public.count_sessions()', 'function public.count_sessions() is missing'],
  [
    'CREATE OR REPLACE FUNCTION public.count_sessions() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) + 1 FROM public.sessions; END',
    'function public.count_sessions() is altered',
  ],
  [
    `REVOKE EXECUTE ON FUNCTION public.count_sessions() FROM ${app}`,
    `grant EXECUTE to ${app} on public.count_sessions() is missing`,
  ],
  ['DROP POLICY of_sessions ON public.notes', 'policy of_sessions on public.notes is missing'],
  ['COMMENT ON POLICY of_sessions ON public.notes IS NULL', 'comment of policy of_sessions on public.notes is missing'],
];

describe('taken away alone, each is named', () => {
  test.each(REMOVED)('%s', async (sql, named) => {
    expect(await missingAfter(sql)).toContainEqual(expect.stringContaining(named));
  });

  test.each([
    [
      'COMMENT ON CONSTRAINT sessions_user_id_fkey ON public.sessions IS NULL',
      'foreign key sessions_user_id_fkey on public.sessions is altered',
    ],
    [
      'COMMENT ON CONSTRAINT notes_session_id_fkey ON public.notes IS NULL',
      'foreign key notes_session_id_fkey on public.notes is altered',
    ],
    [
      'ALTER TABLE public.notes DROP CONSTRAINT notes_session_id_fkey',
      'foreign key notes_session_id_fkey on public.notes is missing',
    ],
    [
      'ALTER TABLE public.messages DROP CONSTRAINT messages_session_id_fkey',
      'foreign key messages_session_id_fkey on public.messages is missing',
    ],
    [
      'ALTER TABLE public.sessions DROP CONSTRAINT sessions_user_id_fkey',
      'foreign key sessions_user_id_fkey on public.sessions is missing',
    ],
    [
      `ALTER TABLE public.notes DROP CONSTRAINT notes_session_id_fkey, ADD CONSTRAINT notes_session_id_fkey
         FOREIGN KEY (session_id) REFERENCES private.session_keys (id) ON DELETE CASCADE`,
      'foreign key notes_session_id_fkey on public.notes is altered',
    ],
    [
      `ALTER TABLE public.notes DROP CONSTRAINT notes_session_id_fkey, ADD CONSTRAINT notes_session_id_fkey
         FOREIGN KEY (session_id) REFERENCES private.session_keys (id) ON DELETE SET NULL NOT VALID;
         COMMENT ON CONSTRAINT notes_session_id_fkey ON public.notes IS 'kept'`,
      'foreign key notes_session_id_fkey on public.notes is not validated',
    ],
  ])('%s', async (sql, named) => {
    expect(await missingAfter(sql)).toContainEqual(expect.stringContaining(named));
  });

  test('a virtual generated column, where there are such', async ({ skip }) => {
    if (!(await isVersion18())) skip();
    const { rows } = await client.query(
      'SELECT count(*)::int AS n FROM public.sessions WHERE initial = left(title, 1)',
    );
    expect(rows).toEqual([{ n: 80 }]);
    expect(await missingAfter('ALTER TABLE public.sessions DROP COLUMN initial')).toEqual([
      'generated column initial on public.sessions is missing',
    ]);
  });

  test('and put back, it is not', async () => {
    expect(await missingAfter('')).toEqual([]);
    expect(REMOVED.length).toBeGreaterThan(60);
  });

  test('by `tandem verify`, which is not green, so that nothing can be finished; and with what it was', async () => {
    await client.query(`DROP POLICY kept_only ON public.sessions; GRANT SELECT ON public.sessions TO ${owner}`);
    expect(await tandem.verify()).toMatchObject({
      ok: false,
      findings: [
        { severity: 'blocks', message: 'comment of policy kept_only on public.sessions is missing' },
        { severity: 'blocks', subject: 'public.sessions', message: 'policy kept_only on public.sessions is missing' },
      ],
    });
    await expect(tandem.finish()).rejects.toMatchObject({
      code: 'TD030',
      detail: expect.stringContaining('kept_only'),
    });
    await client.query(`CREATE POLICY kept_only ON public.sessions AS RESTRICTIVE TO authenticated USING (status <> 'deleted');
      COMMENT ON POLICY kept_only ON public.sessions IS 'no ghosts'`);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  });
});

test('what was changed on purpose is accepted, and expected from then on', async () => {
  await client.query(`DROP INDEX public.sessions_tags_idx; CREATE INDEX later_idx ON public.sessions (created_at);
    ALTER TABLE public.notes DROP CONSTRAINT notes_session_id_fkey; ALTER TABLE public.sessions DROP CONSTRAINT sessions_user_id_fkey`);
  expect(await tandem.verify()).toMatchObject({ ok: false });
  expect(await tandem.verify({ accept: true })).toMatchObject({ ok: true, findings: [] });
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  await client.query('DROP INDEX public.later_idx');
  expect((await tandem.verify()).findings).toMatchObject([
    { message: 'index later_idx on public.sessions is missing' },
  ]);
});

test('gone back, the flat tables have all of it', async () => {
  await tandem.rollback();
  expect(await hanging()).toEqual(hung);
  const { rows } = await client.query(
    "SELECT conname FROM pg_constraint WHERE conname IN ('notes_session_id_fkey', 'sessions_user_id_fkey')",
  );
  // What was given up while the new ones were live does not come back, another table's foreign key or their own.
  expect(rows).toEqual([]);
});

async function isVersion18(): Promise<boolean> {
  const { rows } = await client.query<{ it: boolean }>(
    "SELECT current_setting('server_version_num')::int >= 180000 AS it",
  );
  return rows[0]?.it === true;
}

/** Everything but where the sequences stand. */
async function hanging(): Promise<Attachment[]> {
  const tables = ['sessions', 'messages', 'notes'].map((name) => ({ schema: 'public', name }));
  return (await readAttachments(database.pool, tables)).map((a) => ({ ...a, position: null }));
}

/** What is missed after a change, which is taken back. */
async function missingAfter(sql: string): Promise<string[]> {
  const positions = `SELECT format('%I.%I', schemaname, sequencename) AS name, last_value AS value
    FROM pg_catalog.pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL`;
  const { rows: before } = await client.query(positions);
  await client.query("BEGIN; SET LOCAL search_path = ''");
  await client.query(sql);
  const findings = [
    ...(await missingAttachments(client, run)),
    ...(await missingForeignKeys(client, run.settings.moves)),
  ];
  await client.query('ROLLBACK');
  // A sequence knows no transaction.
  for (const { name, value } of before) await client.query('SELECT setval($1, $2)', [name, value]);
  return findings.map((finding) => finding.message);
}
