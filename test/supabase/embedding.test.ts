import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { flatWithRows } from '../engine/flat-database.ts';
import { tandemOn } from '../engine/tandem.ts';
import { insertFeedback } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';

/**
 * What PostgREST can embed between relations of schema `public`, by the rules that its documentation gives ("Resource
 * Embedding"): along foreign keys in both directions, through tables whose key holds two of them, and by functions that take a
 * row and return rows of a relation, of which ROWS 1 says that there is one. Partitions' own copies of keys do not count.
 * For wherever there is no PostgREST to be asked itself, as postgrest.test.ts does.
 */
const RELATIONSHIPS = `
  WITH relation AS (
    SELECT c.oid, c.relname::text AS name, c.reltype FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')),
  key AS (
    SELECT c.conname, c.conkey, f.oid AS from_oid, f.name AS from_name, t.name AS to_name FROM pg_constraint c
      JOIN relation f ON f.oid = c.conrelid JOIN relation t ON t.oid = c.confrelid WHERE c.contype = 'f' AND c.conparentid = 0)
  SELECT from_name AS source, to_name AS target, 'one' AS many, 'key' AS how FROM key
   UNION ALL
  SELECT to_name, from_name, 'many', 'key' FROM key
   UNION ALL
  SELECT a.to_name, b.to_name, 'many', 'junction' FROM key a JOIN key b ON b.from_oid = a.from_oid AND b.conname <> a.conname
    JOIN pg_constraint p ON p.conrelid = a.from_oid AND p.contype = 'p' AND p.conkey @> a.conkey AND p.conkey @> b.conkey
   UNION ALL
  SELECT s.name, t.name, CASE WHEN p.proretset AND p.prorows <> 1 THEN 'many' ELSE 'one' END, 'function'
    FROM pg_proc p JOIN relation s ON p.proargtypes[0] = s.reltype JOIN relation t ON p.prorettype = t.reltype WHERE p.pronargs = 1`;

const database = useDatabase(flatWithRows('variants', { sessions: 60, messages: 300 }));

const between = async (a: string, b: string) =>
  (
    await database.pool.query<{ source: string; target: string; many: string; how: string }>(
      `SELECT * FROM (${RELATIONSHIPS}) r WHERE (source, target) IN (($1, $2), ($2, $1)) ORDER BY source DESC, target`,
      [a, b],
    )
  ).rows;

const flatOnes = [
  { source: 'sessions', target: 'messages', many: 'many', how: 'key' },
  { source: 'messages', target: 'sessions', many: 'one', how: 'key' },
];
const movedOnes = flatOnes.map((relationship) => ({ ...relationship, how: 'function' }));

describe('PostgREST', () => {
  let listener: pg.Client;
  let heard: { payload: string | undefined; relationships: Promise<unknown> }[];

  beforeEach(async () => {
    heard = [];
    listener = new pg.Client({ connectionString: database.url });
    await listener.connect();
    listener.on('notification', ({ channel, payload }) => {
      if (channel === 'pgrst') heard.push({ payload, relationships: between('sessions', 'messages') });
    });
    await listener.query('LISTEN pgrst');
  });
  afterEach(() => listener.end());

  /** What it read when it was last told to; a round trip of the listener's session fetches what was sent before. */
  const lastRead = async () => {
    await listener.query('SELECT');
    expect(heard.every(({ payload }) => payload === 'reload schema')).toBe(true);
    return heard.at(-1)?.relationships;
  };

  test('is told at the cutover and at the rollback, and finds one relationship each way whenever it looks', async () => {
    expect(await between('sessions', 'messages')).toEqual(flatOnes);
    const tandem = tandemOn(database);
    let atCutover: Promise<unknown> | undefined;
    tandem.onEvent = (event) => {
      if (event.event !== 'cutover') return;
      atCutover = listener.query('SELECT').then(() => heard.at(-1)?.relationships);
    };
    await tandem.migrate();
    expect(await atCutover).toEqual(movedOnes);
    expect(await lastRead()).toEqual(movedOnes);
    expect(await between('messages', 'message_feedback')).toEqual([
      { source: 'messages', target: 'message_feedback', many: 'many', how: 'key' },
      { source: 'message_feedback', target: 'messages', many: 'one', how: 'key' },
    ]);
    heard = [];
    await tandem.rollback();
    expect(heard.length).toBeGreaterThan(0);
    expect(await lastRead()).toEqual(flatOnes);
  });
});

test('embeds along both, and the feedback of messages', async () => {
  await tandemOn(database).migrate();
  const client = await database.connect();
  const { rows: messages } = await client.query('SELECT id FROM public.messages LIMIT 1');
  await insertFeedback(client, messages[0]?.id);
  const { rows } = await client.query(
    `SELECT count(*)::int AS messages, count(back.id)::int AS sessions,
            (SELECT count(*)::int FROM public.messages m JOIN public.message_feedback f ON f.message_id = m.id) AS feedback
       FROM public.sessions s CROSS JOIN LATERAL public.messages(s) m CROSS JOIN LATERAL public.sessions(m) back WHERE back.id = s.id`,
  );
  expect(rows).toEqual([{ messages: 300, sessions: 300, feedback: 1 }]);
});

describe('a table of the application’s that refers to sessions', () => {
  const refer = () =>
    database.pool.query(`
      CREATE TABLE public."Book marks" (id integer PRIMARY KEY, "of" uuid REFERENCES public.sessions ON DELETE CASCADE);
      CREATE TABLE public.ratings (session_id uuid PRIMARY KEY REFERENCES public.sessions, stars integer);
      CREATE TABLE public.pairs (a uuid REFERENCES public.sessions, b uuid REFERENCES public.sessions);
      INSERT INTO public.ratings SELECT id, 5 FROM public.sessions`);
  const functions = async () =>
    (
      await database.pool.query<{ name: string }>(
        "SELECT p.oid::regprocedure::text AS name FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND pronargs = 1 ORDER BY 1",
      )
    ).rows.map(({ name }) => name);

  test('keeps its relationships, and has them back by its key', async () => {
    await refer();
    const tandem = tandemOn(database);
    await tandem.migrate();
    expect(await between('sessions', 'Book marks')).toEqual([
      { source: 'sessions', target: 'Book marks', many: 'many', how: 'function' },
      { source: 'Book marks', target: 'sessions', many: 'one', how: 'function' },
    ]);
    // One row at most, which its key says; and of two keys no function can say which.
    expect(await between('sessions', 'ratings')).toMatchObject([{ many: 'one' }, { many: 'one' }]);
    expect(await between('sessions', 'pairs')).toEqual([]);
    const allowed = await database.pool.query(
      `SELECT bool_or(has_function_privilege('anon', p.oid, 'execute')) AS anon, bool_and(has_function_privilege('authenticated', p.oid, 'execute')) AS signed_in
         FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND pronargs = 1`,
    );
    expect(allowed.rows).toEqual([{ anon: false, signed_in: true }]);
    await tandem.rollback();
    expect(await functions()).toEqual([]);
    expect(await between('sessions', 'Book marks')).toMatchObject([{ how: 'key' }, { how: 'key' }]);
  });

  test('may be dropped after the cutover, and a rollback does without', async () => {
    await refer();
    const tandem = tandemOn(database);
    await tandem.migrate();
    await database.pool.query('DROP TABLE public."Book marks" CASCADE');
    await tandem.rollback();
    expect(await functions()).toEqual([]);
  });

  test('keeps a function of its own that has such a name', async () => {
    await refer();
    await database.pool.query(
      "CREATE FUNCTION public.sessions(public.ratings) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
    );
    const tandem = tandemOn(database);
    await tandem.migrate();
    expect(await between('sessions', 'ratings')).toMatchObject([{ source: 'sessions' }]);
    await tandem.rollback();
    expect(await functions()).toEqual(['public.sessions(public.ratings)']);
  });
});

test('a realtime publication has the partitions’ rows under the name of sessions', async () => {
  await database.pool.query('CREATE PUBLICATION supabase_realtime FOR TABLE public.sessions, public.messages');
  const tandem = tandemOn(database);
  await tandem.migrate();
  const published = async () =>
    (
      await database.pool.query(
        `SELECT p.pubviaroot AS root, array(SELECT tablename::text FROM pg_publication_tables t WHERE t.pubname = p.pubname ORDER BY 1) AS tables
           FROM pg_publication p WHERE p.pubname = 'supabase_realtime'`,
      )
    ).rows;
  expect(await published()).toEqual([{ root: true, tables: ['messages', 'sessions'] }]);
  await tandem.rollback();
  // It says nothing of tables that are not partitioned, and stays.
  expect(await published()).toEqual([{ root: true, tables: ['messages', 'sessions'] }]);
});
