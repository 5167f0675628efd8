import { expect, test } from 'vitest';
import { fewRows } from '../../engine/flat-database.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';

const database = useDatabase(fewRows);

/** A flat database with everything hanging on its tables that a live application may have hung there. */
const HANGING = `

  CREATE VIEW public.open_sessions WITH (security_invoker = true) AS
    SELECT s.id, s.user_id, s.title FROM public.sessions s WHERE s.title IS NOT NULL;
  COMMENT ON VIEW public.open_sessions IS 'sessions with a title';
  COMMENT ON COLUMN public.open_sessions.title IS 'never null here';
  GRANT SELECT ON public.open_sessions TO service_role;
  GRANT UPDATE (title) ON public.open_sessions TO service_role;
  CREATE VIEW public.open_messages AS
    SELECT m.id, o.title FROM public.open_sessions o JOIN public.messages m ON m.session_id = o.id;
  CREATE TABLE public.notes (id int PRIMARY KEY, session_id uuid REFERENCES public.sessions (id) ON DELETE SET NULL);
  ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
  CREATE POLICY notes_of_own_sessions ON public.notes FOR SELECT TO authenticated
    USING (EXISTS (SELECT FROM public.sessions s WHERE s.id = notes.session_id AND s.user_id = auth.uid()));
  CREATE POLICY messages_of_own_sessions ON public.messages FOR SELECT TO authenticated
    USING (EXISTS (SELECT FROM public.sessions s WHERE s.id = messages.session_id AND s.title <> 'hidden'));
  CREATE FUNCTION public.count_sessions() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM public.sessions; END;
  CREATE PUBLICATION supabase_realtime FOR TABLE public.sessions, public.messages (id, content) WHERE (id IS NOT NULL);
  ALTER TABLE public.messages REPLICA IDENTITY FULL;
  ALTER TABLE public.sessions SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
  CREATE STATISTICS public.sessions_language_level (dependencies) ON language, level FROM public.sessions;
`;

/** What each of them says, from the catalog, by names only: equal before and after where nothing is lost. */
async function hanging() {
  const { rows } = await database.pool.query<{ line: string }>(`
    SELECT 'view ' || v.viewname || ' ' || v.definition AS line FROM pg_views v WHERE v.schemaname = 'public' AND v.viewname LIKE 'open%'
    UNION ALL SELECT 'options ' || relname || reloptions::text FROM pg_class WHERE relname LIKE 'open%' AND reloptions IS NOT NULL
    UNION ALL SELECT 'acl ' || c.relname || ' ' || g.privilege_type || pg_get_userbyid(g.grantee) FROM pg_class c, aclexplode(c.relacl) g WHERE c.relname LIKE 'open%' AND g.grantee <> c.relowner
    UNION ALL SELECT 'column acl ' || a.attname || g.privilege_type FROM pg_attribute a, aclexplode(a.attacl) g WHERE a.attrelid = 'public.open_sessions'::regclass
    UNION ALL SELECT 'comment ' || description FROM pg_description WHERE objoid = 'public.open_sessions'::regclass
    UNION ALL SELECT 'policy ' || polrelid::regclass || polname || pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname LIKE '%_of_own_sessions' AND polrelid IN ('public.notes'::regclass, 'public.messages'::regclass)
    UNION ALL SELECT 'function ' || pg_get_functiondef('public.count_sessions()'::regprocedure)
    UNION ALL SELECT 'published ' || tablename || attnames::text || coalesce(rowfilter, '') FROM pg_publication_tables WHERE schemaname = 'public' AND tablename = 'messages'
    UNION ALL SELECT 'published ' || prrelid::regclass FROM pg_publication_rel
    UNION ALL SELECT 'identity ' || relreplident::text FROM pg_class WHERE oid = 'public.messages'::regclass
    UNION ALL SELECT 'statistics ' || pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
    ORDER BY 1`);
  return rows.map((row) => row.line);
}

const storage = async (table: string) =>
  (
    await database.pool.query<{ reloptions: string[] | null }>(
      'SELECT reloptions FROM pg_class WHERE oid = $1::regclass',
      [table],
    )
  ).rows[0]?.reloptions;

test('what hangs on the tables is carried over the cutover, and back again', async () => {
  await database.pool.query(HANGING);
  const before = await hanging();
  expect(before).toHaveLength(15);
  const tandem = tandemOn(database);
  await tandem.migrate();
  expect(await hanging()).toEqual(before);
  expect(await storage('public.sessions_active')).toEqual(['fillfactor=80', 'autovacuum_vacuum_scale_factor=0.05']);
  // They read the new table, not the retired one of the same rows.
  const { rows } = await database.pool.query(
    `INSERT INTO public.sessions (user_id, language, level, title) SELECT id, 'en', 'beginner', 'brand new' FROM auth.users LIMIT 1 RETURNING id`,
  );
  const id = rows[0]?.id;
  expect((await database.pool.query('SELECT FROM public.open_sessions WHERE id = $1', [id])).rowCount).toBe(1);
  const counts = await database.pool.query(
    'SELECT public.count_sessions() = (SELECT count(*) FROM public.sessions) AS same',
  );
  expect(counts.rows[0]?.same).toBe(true);
  const root = await database.pool.query("SELECT pubviaroot FROM pg_publication WHERE pubname = 'supabase_realtime'");
  expect(root.rows[0]?.pubviaroot).toBe(true);

  await tandem.rollback();
  expect(await hanging()).toEqual(before);
  expect((await database.pool.query('SELECT FROM public.open_sessions WHERE id = $1', [id])).rowCount).toBe(1);
  expect(await storage('public.sessions')).toEqual(['fillfactor=80', 'autovacuum_vacuum_scale_factor=0.05']);

  await tandem.migrate();
  await tandem.finish();
  expect(await hanging()).toEqual(before);
});

test('a publication keeps its condition and its columns where the table becomes a partitioned one', async () => {
  await database.pool.query(
    "CREATE PUBLICATION feed FOR TABLE public.sessions (id, status, title) WHERE (title <> 'hidden') WITH (publish = 'insert')",
  );
  const published = async () =>
    (await database.pool.query('SELECT tablename, attnames::text, rowfilter FROM pg_publication_tables')).rows;
  const before = await published();
  expect(before).toHaveLength(1);
  const tandem = tandemOn(database);
  await tandem.migrate();
  expect(await published()).toEqual(before);
  await tandem.rollback();
  expect(await published()).toEqual(before);
});

test('partitioned tables that refer to the tables go along, and back', async () => {
  await database.pool.query(`
    CREATE TABLE public.visits (session_id uuid NOT NULL CONSTRAINT visited REFERENCES public.sessions (id) ON DELETE CASCADE, year int)
      PARTITION BY LIST (year);
    CREATE TABLE public.visits_25 PARTITION OF public.visits FOR VALUES IN (2025);
    CREATE TABLE public.visits_rest PARTITION OF public.visits DEFAULT PARTITION BY LIST (year);
    CREATE TABLE public.visits_26 PARTITION OF public.visits_rest FOR VALUES IN (2026);
    COMMENT ON CONSTRAINT visited ON public.visits IS 'by its visitor';
    CREATE TABLE public.likes (message_id uuid REFERENCES public.messages (id), year int) PARTITION BY LIST (year);
    INSERT INTO public.visits SELECT id, 2025 + (row_number() OVER () % 2) FROM public.sessions`);
  const keys = async (to: string) =>
    (
      await database.pool.query<{ key: string }>(
        `SELECT conrelid::regclass || ' ' || conname || ' ' || convalidated || ' ' || (conparentid <> 0) || coalesce(obj_description(oid, 'pg_constraint'), '') AS key
           FROM pg_constraint WHERE contype = 'f' AND confrelid = $1::regclass AND conrelid::regclass::text ~ 'visits|likes' ORDER BY 1`,
        [to],
      )
    ).rows.map((row) => row.key);
  const before = await keys('public.sessions');
  expect(before).toHaveLength(4);
  const visits = async () => (await database.pool.query('SELECT count(*)::int AS rows FROM public.visits')).rows[0];

  const tandem = tandemOn(database);
  await tandem.migrate();
  expect(await keys('private.session_keys')).toEqual(before);
  expect(await keys('public.messages')).toEqual(['public.likes likes_message_id_fkey true false']);
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  await database.pool.query('DELETE FROM public.sessions WHERE id IN (SELECT session_id FROM public.visits LIMIT 2)');
  expect(await visits()).toEqual({ rows: 298 });

  await tandem.rollback();
  expect(await keys('public.sessions')).toEqual(before);
  expect(await keys('public.messages')).toEqual(['public.likes likes_message_id_fkey true false']);
  await tandem.migrate();
  await tandem.finish();
  expect(await keys('private.session_keys')).toEqual(before);
});

test('what a partition has by the name of the foreign key is not dropped in its place', async () => {
  await database.pool.query(`
    CREATE TABLE public.visits (session_id uuid, year int) PARTITION BY LIST (year);
    CREATE TABLE public.visits_25 PARTITION OF public.visits FOR VALUES IN (2025);
    ALTER TABLE public.visits_25 ADD CONSTRAINT visited CHECK (session_id IS NOT NULL);
    ALTER TABLE public.visits ADD CONSTRAINT visited FOREIGN KEY (session_id) REFERENCES public.sessions (id)`);
  const tandem = tandemOn(database);
  await expect(tandem.migrate()).rejects.toMatchObject({ code: '42710' });
  await database.pool.query('ALTER TABLE public.visits_25 RENAME CONSTRAINT visited TO known');
  await tandem.migrate();
  await tandem.rollback();
  const { rows } = await database.pool.query(
    "SELECT conname AS name, contype AS type FROM pg_constraint WHERE conrelid = 'public.visits_25'::regclass AND contype IN ('c', 'f') ORDER BY 2",
  );
  expect(rows).toEqual([
    { name: 'known', type: 'c' },
    { name: 'visited', type: 'f' },
  ]);
});

test('conditions on a column that becomes an enum are carried with constants that have no type', async () => {
  await database.pool.query(`
    CREATE VIEW public.active_sessions AS SELECT id, title FROM public.sessions WHERE status = 'active' AND title <> 'it''s::text';
    CREATE VIEW public.kept_sessions AS SELECT id FROM public.sessions WHERE status IN ('active', 'archived') AND level = ANY (ARRAY['beginner', 'advanced']);
    CREATE TABLE public.notes (session_id uuid);
    ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
    CREATE POLICY notes_active ON public.notes USING (EXISTS (SELECT FROM public.sessions s WHERE s.id = session_id AND s.status = 'active'));
    CREATE FUNCTION public.count_active() RETURNS bigint LANGUAGE sql STABLE
      BEGIN ATOMIC SELECT count(*) FROM public.sessions WHERE status = 'active'; END`);
  const counts = async () => {
    const { rows } = await database.pool.query(`SELECT (SELECT count(*)::int FROM public.active_sessions) AS active,
      (SELECT count(*)::int FROM public.kept_sessions) AS kept, public.count_active()::int AS counted`);
    return rows[0];
  };
  const before = await counts();
  expect(before).toMatchObject({ active: expect.any(Number) });
  const tandem = tandemOn(database);
  await tandem.migrate();
  expect(await counts()).toEqual(before);
  expect((await database.pool.query("SELECT FROM pg_policy WHERE polname = 'notes_active'")).rowCount).toBe(1);
  await tandem.rollback();
  expect(await counts()).toEqual(before);
});

test.each([
  [
    'a function over the row type of a view',
    "CREATE VIEW public.v AS SELECT id FROM public.sessions; CREATE FUNCTION public.f(public.v) RETURNS uuid LANGUAGE sql AS 'SELECT $1.id'",
    /function .*f\(.*row type/,
  ],
  [
    'a policy of its own that reads a view of it',
    `CREATE VIEW public.v AS SELECT id FROM public.sessions;
     CREATE POLICY mine ON public.messages USING (session_id IN (SELECT id FROM public.v))`,
    /policy mine on table (public\.)?messages .*view/,
  ],
  ['a rule', 'CREATE RULE keep AS ON DELETE TO public.sessions DO INSTEAD NOTHING', /rule keep/],
  ['a child table', 'CREATE TABLE public.special () INHERITS (public.sessions)', /child table/],
  [
    'a function over the row type',
    "CREATE FUNCTION public.f(public.sessions) RETURNS text LANGUAGE sql AS 'SELECT $1.title'",
    /function .*f\(.*row type/,
  ],
  [
    'a unique index without the status',
    'CREATE UNIQUE INDEX one_title ON public.sessions (user_id, title, id)',
    /one_title/,
  ],
])('%s blocks before anything is changed, and is named', async (_, sql, what) => {
  await database.pool.query(sql);
  const tandem = tandemOn(database);
  await expect(tandem.migrate()).rejects.toMatchObject({ code: 'TD011', detail: expect.stringMatching(what) });
  expect((await database.pool.query("SELECT FROM pg_namespace WHERE nspname = 'tandem'")).rowCount).toBe(0);
});

test.each([
  ['GRANT SELECT (title) ON public.sessions TO pg_monitor', 'TD027', 'column title was changed'],
  ['CREATE INDEX late_idx ON public.messages (content)', 'TD027', 'index late_idx was added'],
  [
    'ALTER TABLE public.messages ADD CHECK (length(content) > 0)',
    'TD027',
    'constraint messages_content_check was added',
  ],
  ["ALTER TABLE public.sessions ALTER COLUMN title SET DEFAULT 'late'", 'TD027', 'column title was changed'],
  ['ALTER TABLE public.sessions SET (fillfactor = 55)', 'TD016', 'storage option fillfactor on public.sessions'],
])('%s, after the targets were made, ends the run before the cutover: %s', async (sql, code, named) => {
  const tandem = tandemOn(database);
  // A resumed run compares the plan with the catalog, too: this is one that is not interrupted.
  tandem.onEvent = (event) => {
    if (event.event === 'step' && event.name === 'drain' && event.state === 'running')
      late ??= database.pool.query(sql);
  };
  let late: Promise<unknown> | undefined;
  await expect(tandem.migrate()).rejects.toMatchObject({ code, message: expect.stringContaining(named) });
  await late;
  expect((await tandem.status()).phase).not.toBe('baking');
});

test('a policy, a trigger and a view that came after the targets were made are carried', async () => {
  const tandem = tandemOn(database);
  await tandem.migrate({ stopBefore: 'cutover' });
  await database.pool.query(`
    CREATE POLICY late ON public.sessions TO authenticated USING (status = 'active');
    CREATE VIEW public.late AS SELECT id FROM public.messages;
    CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER late BEFORE UPDATE ON public.messages FOR EACH ROW EXECUTE FUNCTION public.f()`);
  await tandem.migrate();
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  const { rows } =
    await database.pool.query(`SELECT (SELECT count(*)::int FROM pg_policies WHERE policyname = 'late' AND tablename = 'sessions') AS policies,
    (SELECT count(*)::int FROM pg_trigger WHERE tgname = 'late' AND tgrelid = 'public.messages'::regclass) AS triggers`);
  expect(rows).toEqual([{ policies: 1, triggers: 1 }]);
});
