import { expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { useRoles } from '../../engine/roles.ts';
import { catalogOf, expectNothingOfTandems } from '../../engine/snapshot.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { only } from './fixtures.ts';

const roles = useRoles({ reader: 'NOLOGIN', closed: 'NOLOGIN' });
const database = useDatabase(flatWithRows('variants', { sessions: 60, messages: 300 }));

const query = async (sql: string) => (await database.pool.query(sql)).rows;

/** Materialized views of the tables, of a view, and of one another; and what reads them. */
const materialized = () => `
  CREATE MATERIALIZED VIEW public.by_status WITH (fillfactor = 70) AS
    SELECT status, count(*)::int AS sessions, 'public.sessions'::text AS source FROM public.sessions WHERE status <> 'deleted' GROUP BY status;
  CREATE UNIQUE INDEX by_status_idx ON public.by_status (status);
  COMMENT ON INDEX public.by_status_idx IS 'for REFRESH CONCURRENTLY';
  COMMENT ON MATERIALIZED VIEW public.by_status IS 'of public.sessions';
  COMMENT ON COLUMN public.by_status.sessions IS 'how many';
  ALTER MATERIALIZED VIEW public.by_status ALTER COLUMN status SET STATISTICS 20;
  REVOKE ALL ON public.by_status FROM ${roles.closed};
  GRANT SELECT ON public.by_status TO ${roles.reader};
  CREATE VIEW public.active AS SELECT id, user_id FROM public.sessions WHERE status = 'active';
  CREATE MATERIALIZED VIEW public.said AS SELECT a.id, count(*)::int AS messages FROM public.active a JOIN public.messages m ON m.session_id = a.id GROUP BY a.id;
  CREATE MATERIALIZED VIEW public.most AS SELECT max(messages) AS messages FROM public.said;
  CREATE MATERIALIZED VIEW public.unfilled AS SELECT id FROM public.messages WITH NO DATA;
  CREATE VIEW public.busy AS SELECT id FROM public.said WHERE messages > 1;
  CREATE FUNCTION public.count_busy() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM public.busy; END;
  CREATE FUNCTION public.most_said() RETURNS integer LANGUAGE sql STABLE RETURN (SELECT messages FROM public.most);
  REVOKE EXECUTE ON FUNCTION public.count_busy() FROM PUBLIC;
  CREATE TABLE public.notes (session_id uuid);
  CREATE POLICY of_busy ON public.notes USING (session_id IN (SELECT id FROM public.busy));
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${roles.closed};
`;

const values = async () =>
  only(
    await query(`SELECT (SELECT jsonb_object_agg(status, sessions) FROM public.by_status) AS by_status, (SELECT source FROM public.by_status LIMIT 1) AS source,
      (SELECT sum(messages)::int FROM public.said) AS said, public.most_said() AS most, public.count_busy()::int AS busy`),
  );

test('materialized views are carried over, and back, with everything that hangs on them', async () => {
  await query(materialized());
  const flat = await catalogOf(database.pool, ['public', 'auth']);
  const before = await values();
  const ofViews = (lines: string[]) =>
    lines.filter((l) => /public\.(by_status|active|said|most|unfilled|busy|count_busy|most_said|notes)/.test(l));
  const tandem = tandemOn(database);
  await tandem.migrate();
  const after = await catalogOf(database.pool, ['public', 'auth']);
  // Constants are written with the types that they have now, and the new type stands in the place of the old one.
  const plain = (lines: string[]) =>
    ofViews(lines).map((line) =>
      line.replaceAll(/::[\w.]+|\| text|\| public\.session_status|definition \w+|storage [xp]/g, ''),
    );
  expect(plain(after)).toEqual(plain(flat));
  expect(plain(after).length).toBeGreaterThan(15);
  expect(await values()).toEqual(before);
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });

  const id = only(
    await query(
      `INSERT INTO public.sessions (user_id, language, level, title) SELECT id, 'en', 'beginner', 'new' FROM auth.users LIMIT 1 RETURNING id`,
    ),
  ).id;
  await query(
    `INSERT INTO public.messages (session_id, user_id, sequence_number, content) SELECT id, user_id, n, 'x' FROM public.sessions, generate_series(1, 40) n WHERE id = '${id}'`,
  );
  await query('REFRESH MATERIALIZED VIEW CONCURRENTLY public.by_status');
  await query('REFRESH MATERIALIZED VIEW public.said; REFRESH MATERIALIZED VIEW public.most');
  const grown = await values();
  expect(grown).toMatchObject({ most: 40, busy: before.busy + 1, said: before.said + 40 });
  expect(grown.by_status.active).toBe(before.by_status.active + 1);

  await tandem.rollback();
  expect(catalogDifference(flat, await catalogOf(database.pool, ['public', 'auth']))).toEqual([]);
  expect(await values()).toEqual(grown);

  await tandem.migrate();
  await tandem.finish();
  await expectNothingOfTandems(database.pool);
  expect(await values()).toEqual(grown);
});

test.each([
  ['DROP INDEX public.by_status_idx', 'index by_status_idx on public.by_status is missing'],
  ['REFRESH MATERIALIZED VIEW public.most WITH NO DATA', 'materialized view public.most is altered'],
  ['DROP MATERIALIZED VIEW public.unfilled', 'materialized view public.unfilled is missing'],
])('%s is named by verify', async (sql, named) => {
  await query(materialized());
  const tandem = tandemOn(database);
  await tandem.migrate();
  await query(sql);
  expect((await tandem.verify()).findings.map((f) => f.message)).toContainEqual(expect.stringContaining(named));
});

test('while one is filled over the new tables, the application reads and writes, and no reader finds it empty', async () => {
  // Whoever fills it waits for the test.
  await query(`CREATE FUNCTION public.wait(x uuid) RETURNS uuid LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN x; END $$;
    CREATE MATERIALIZED VIEW public.ids AS SELECT public.wait(id) AS id FROM public.sessions`);
  const application = await database.connect();
  const holder = await database.connect();
  await holder.query('SELECT pg_advisory_lock(7)');
  const tandem = tandemOn(database);
  const migrated = tandem.migrate();
  const waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted";
  while ((await holder.query(waiting)).rowCount === 0) await tandem.status();
  await application.query("SET lock_timeout = '1s'");
  const read = await application.query('SELECT FROM public.ids');
  expect(read.rowCount).toBe(60);
  await application.query("UPDATE public.sessions SET title = 'written meanwhile'");
  await holder.query('SELECT pg_advisory_unlock(7)');
  const reads: number[] = [];
  let over = false;
  const reading = (async () => {
    while (!over) reads.push((await application.query('SELECT FROM public.ids')).rowCount ?? 0);
  })();
  await migrated.finally(() => {
    over = true;
  });
  await reading;
  expect(new Set(reads)).toEqual(new Set([60]));
  expect((await query("SELECT FROM public.sessions WHERE title = 'written meanwhile'")).length).toBe(60);
  expect(await tandem.verify()).toMatchObject({ ok: true });
});

test('one that cannot be filled over the new tables ends the run before the cutover; then it goes on, or back', async () => {
  await query(`CREATE TABLE public.refusing (reason text);
    CREATE FUNCTION public.refuse(x text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN
      IF EXISTS (SELECT FROM public.refusing) THEN RAISE EXCEPTION 'not now'; END IF; RETURN x; END $$;
    CREATE MATERIALIZED VIEW public.titles AS SELECT public.refuse(title) AS title FROM public.sessions;
    INSERT INTO public.refusing VALUES ('for the test')`);
  const flat = await catalogOf(database.pool, ['public']);
  const tandem = tandemOn(database);
  await expect(tandem.migrate()).rejects.toMatchObject({
    code: 'TD017',
    message: expect.stringContaining('titles cannot be filled over the other tables: not now'),
  });
  expect((await tandem.status()).phase).toBe('ready');
  await query('TRUNCATE public.refusing');
  await tandem.migrate();
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });

  await query("INSERT INTO public.refusing VALUES ('for the way back')");
  await expect(tandem.rollback()).rejects.toThrow('not now');
  expect(await query('SELECT count(*)::int AS n FROM public.titles')).toEqual([{ n: 60 }]);
  await query('TRUNCATE public.refusing');
  await tandem.rollback();
  expect(catalogDifference(flat, await catalogOf(database.pool, ['public']))).toEqual([]);
});
