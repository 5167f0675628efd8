import { expect, test } from 'vitest';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { flatRows, rehearseOn, reportOf, USER } from './rehearsing.ts';

const database = useDatabase(flatRows);

test('a positional insert whose values would go to other columns', async () => {
  const client = await database.connect();
  // The same columns as ever, in another order: the last three can take each other's values.
  await client.query(`ALTER TABLE sessions DROP COLUMN created_at, DROP COLUMN updated_at`);
  await client.query(
    `ALTER TABLE sessions ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN created_at timestamptz NOT NULL DEFAULT now()`,
  );
  const positional = `INSERT INTO sessions VALUES ('00000000-0000-4000-8000-0000000000ff', '${USER}', 'en', 'beginner', 'active', 'Mixed up', '2020-01-01', '2021-01-01', '2022-01-01')`;
  const named = positional.replace(
    'sessions',
    'sessions (id, user_id, language, level, status, title, last_accessed, updated_at, created_at)',
  );
  const rehearsal = await rehearseOn(database, [
    positional,
    named,
    `INSERT INTO sessions SELECT * FROM sessions WHERE false`,
  ]);
  expect([1, 2, 3].map((number) => reportOf(rehearsal, number).verdict)).toEqual(['changes', 'holds', 'holds']);
  const [problem] = reportOf(rehearsal, 1).problems;
  expect(problem?.message).toBe('value 7 is for last_accessed, and would go to created_at');
  expect(problem?.mended).toEqual({
    sql: positional.replace(
      'sessions',
      'sessions (id, user_id, language, level, status, title, last_accessed, updated_at, created_at)',
    ),
    holdsToday: true,
  });

  await tandemOn(database, {}, { createAuth: true }).migrate();
  await client.query(positional);
  const { rows } = await client.query(
    "SELECT created_at::date::text, last_accessed::date::text FROM sessions WHERE title = 'Mixed up'",
  );
  expect(rows).toEqual([{ created_at: '2020-01-01', last_accessed: '2022-01-01' }]);
});

test('a statement whose index does not come along is named, by what the planner reckons', async () => {
  const client = await database.connect();
  await client.query(`INSERT INTO sessions (user_id, language, level, status, title)
    SELECT '${USER}', 'en', 'beginner', (ARRAY['active', 'archived', 'deleted'])[1 + n % 3], 'Lesson ' || n FROM generate_series(1, 60000) n`);
  await client.query('CREATE INDEX sessions_title_idx ON sessions (title)');
  await client.query('ANALYZE sessions, messages');
  const statements = [
    'SELECT id FROM sessions WHERE title = $1',
    'SELECT id FROM sessions WHERE id = $1',
    'SELECT count(*) FROM sessions',
    'SELECT id FROM messages WHERE content = $1',
  ];
  expect((await rehearseOn(database, statements)).counts).toMatchObject({ slower: 0, holds: 4 });

  await tandemOn(database, {}, { createAuth: true }).migrate({ stopBefore: 'cutover' });
  await client.query('DROP INDEX tandem.sessions_title_idx');
  const cost = async (sql: string) => {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: { 'Total Cost': number } }] }>(
      `EXPLAIN (FORMAT JSON) ${sql}`,
    );
    return rows[0]?.['QUERY PLAN'][0].Plan['Total Cost'] ?? 0;
  };
  const today = await cost("SELECT id FROM sessions WHERE title = 'Lesson 7'");
  const rehearsal = await rehearseOn(database, statements);
  expect([1, 2, 3, 4].map((number) => reportOf(rehearsal, number).verdict)).toEqual([
    'slower',
    'holds',
    'holds',
    'holds',
  ]);
  expect(rehearsal.ok).toBe(true);

  // No cutover goes without an index that the live table has.
  await client.query('CREATE INDEX sessions_title_idx ON tandem.sessions_partitioned (title)');
  await tandemOn(database, {}, { createAuth: true }).migrate();
  await client.query('DROP INDEX public.sessions_title_idx');
  const afterwards = await cost("SELECT id FROM sessions WHERE title = 'Lesson 7'");
  expect(afterwards / today).toBeGreaterThan(10);
});

test('names are looked up along the path that the file sets, and a PREPARE says what its parameters are', async () => {
  const client = await database.connect();
  await client.query('CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.sessions (id uuid, status text)');
  const rehearsal = await rehearseOn(database, [
    'PREPARE a AS SELECT id FROM sessions WHERE status = $1',
    'PREPARE b (varchar, unknown) AS SELECT id FROM sessions WHERE status = $1 AND user_id = $2',
    'SET search_path = elsewhere, public',
    "SELECT id FROM sessions WHERE status LIKE 'a%'",
    "SELECT id FROM public.sessions WHERE status LIKE 'a%'",
    'VACUUM sessions',
  ]);
  expect(rehearsal.statements.map((report) => [report.sql.slice(0, 24), report.verdict])).toEqual([
    ['SELECT id FROM sessions ', 'reconnect'],
    ['SELECT id FROM sessions ', 'breaks'],
    ['SELECT id FROM public.se', 'breaks'],
  ]);
  expect(rehearsal.sources[0]).toMatch(
    /statements\.sql: 3 statements on the tables, 1 on others, 1 that are not prepared\.$/,
  );
});

test('a statement is read through the views that it reads', async () => {
  const client = await database.connect();
  await client.query(
    'CREATE VIEW own_sessions AS SELECT s.*, s.status AS state FROM sessions s WHERE s.user_id IS NOT NULL',
  );
  await client.query('CREATE VIEW named AS SELECT id, state FROM own_sessions WHERE title IS NOT NULL');
  const statements = [
    "SELECT id FROM named WHERE state = 'active'",
    "SELECT n.id FROM named n WHERE n.state LIKE 'a%'",
    "UPDATE named SET state = 'archived'",
  ];
  const rehearsal = await rehearseOn(database, statements);
  expect([1, 2, 3].map((number) => reportOf(rehearsal, number).verdict)).toEqual(['holds', 'breaks', 'not understood']);

  await tandemOn(database, {}, { createAuth: true }).migrate();
  const young = await database.connect();
  await expect(young.query(statements[0] ?? '')).resolves.toBeDefined();
  await expect(young.query(statements[1] ?? '')).rejects.toMatchObject({ code: '42883' });
});

test('a view that the cutover could not make again', async () => {
  const client = await database.connect();
  await client.query("CREATE VIEW active_sessions AS SELECT id FROM sessions WHERE status LIKE 'act%'");
  await client.query('CREATE VIEW of_them AS SELECT id FROM active_sessions');
  const rehearsal = await rehearseOn(database, ['SELECT id FROM active_sessions']);
  expect(
    rehearsal.statements.map(({ origin, verdict, problems }) => [origin.kind, verdict, problems[0]?.sqlstate]),
  ).toEqual([
    ['file', 'breaks', '42883'],
    ['definition', 'breaks', '42883'],
    ['definition', 'breaks', '42883'],
  ]);
  expect(reportOf(rehearsal, 1).problems[0]?.reason).toContain('view public.active_sessions');
});

test.each([
  ['a comparison with a constant', "status = 'active'"],
  ['such a view, mended as it says', "status::varchar::text LIKE 'act%'"],
])('%s goes through the cutover', async (_, condition) => {
  const client = await database.connect();
  await client.query(`CREATE VIEW active_sessions AS SELECT id FROM sessions WHERE ${condition}`);
  const rehearsal = await rehearseOn(database, ['SELECT id FROM active_sessions']);
  expect(rehearsal.statements.map(({ verdict }) => verdict)).toEqual(['holds', 'holds']);
  await tandemOn(database, {}, { createAuth: true }).migrate();
  const { rowCount } = await client.query('SELECT id FROM active_sessions');
  expect(rowCount).toBe(1);
});
