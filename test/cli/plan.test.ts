import { describe, expect, test } from 'vitest';
import { splitStatements } from '../../src/db/sql-file.ts';
import { fewRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { contentOf, insertLessons, plainFlat } from './fixtures.ts';
import { inProcess as tandem } from './in-process.ts';
import { planShape } from './json-shapes.ts';

async function planDocument(args: readonly string[], options: { url: string }) {
  const { code, stdout } = await tandem(['plan', '--json', ...args], options);
  return { code, plan: planShape.parse(JSON.parse(stdout)) };
}

describe('on a database that nothing has touched', () => {
  const database = useDatabase(plainFlat);

  test('it reads, and leaves every row and every object as they were', async () => {
    const session = await database.connect();
    const before = await contentOf(session);
    expect(before.length).toBeGreaterThan(20);
    for (const args of [[], ['--create-auth'], ['--sql'], ['--json', '--create-auth', '--backup-dir', '/nowhere/b']]) {
      expect((await tandem(['plan', ...args], { url: database.url })).stderr).toBe('');
    }
    expect(await contentOf(session)).toEqual(before);
    const { rows } = await session.query(
      'SELECT to_regnamespace($1) AS tandem, pg_my_temp_schema() AS temporary, (SELECT count(*)::int FROM pg_prepared_xacts) AS prepared',
      ['tandem'],
    );
    expect(rows).toEqual([{ tandem: null, temporary: 0, prepared: 0 }]);
  });

  test('without Supabase’s parts, that blocks; with --create-auth the stand-in is in the plan', async () => {
    const without = await planDocument([], database);
    expect(without.code).toBe(1);
    expect(without.plan.ok).toBe(false);
    expect(without.plan.findings).toContainEqual(
      expect.objectContaining({ severity: 'blocks', subject: 'auth', hint: expect.stringContaining('--create-auth') }),
    );
    const withAuth = await planDocument(['--create-auth'], database);
    expect(withAuth.code).toBe(0);
    expect(withAuth.plan.ok).toBe(true);
    const sql = withAuth.plan.steps.find(({ name }) => name === 'auth')?.statements.map((statement) => statement.sql);
    expect(sql?.join()).toMatch(/create table auth\.users/i);
  });

  test('rows are counted where nothing was analyzed, and sizes are the tables’ own', async () => {
    const { plan } = await planDocument(['--create-auth'], database);
    const sizes = await database.pool.query<{ bytes: number }>(
      "SELECT pg_total_relation_size(c)::int AS bytes FROM unnest(array['public.sessions', 'public.messages']::regclass[]) AS c",
    );
    expect(plan.tables).toEqual([
      { source: 'public.sessions', target: 'tandem.sessions_partitioned', rows: 200, bytes: sizes.rows[0]?.bytes },
      { source: 'public.messages', target: 'tandem.messages_target', rows: 1_000, bytes: sizes.rows[1]?.bytes },
    ]);
    expect(plan.disk_bytes).toBeGreaterThan((sizes.rows[0]?.bytes ?? 0) + (sizes.rows[1]?.bytes ?? 0));
  });

  test('more rows need more disk and more time', async () => {
    const before = (await planDocument(['--create-auth'], database)).plan;
    await database.pool.query('TRUNCATE public.sessions CASCADE');
    await insertLessons(database.pool, { sessions: 1_000, messages: 120_000 });
    const after = (await planDocument(['--create-auth'], database)).plan;
    // An estimate by now: the table is too large to be counted.
    expect(after.tables[1]?.rows).toBeGreaterThan(60_000);
    expect(after.tables[1]?.rows).toBeLessThan(240_000);
    expect(after.disk_bytes).toBeGreaterThan(10 * before.disk_bytes);
    expect(after.estimated_seconds).toBeGreaterThan(before.estimated_seconds);
  });

  test('values that do not fit block, with how many and which', async () => {
    await database.pool.query("UPDATE public.sessions SET status = 'open' WHERE title IN ('Lesson 1', 'Lesson 2')");
    const { code, plan } = await planDocument(['--create-auth'], database);
    expect(code).toBe(1);
    expect(plan.findings).toContainEqual(
      expect.objectContaining({
        severity: 'blocks',
        subject: 'public.sessions',
        message: expect.stringMatching(/^2 rows .*'open'/),
      }),
    );
    const shown = await tandem(['plan', '--create-auth'], { url: database.url });
    expect(shown.stdout).toMatch(/^ {2}blocks {3}public\.sessions: 2 rows/m);
    expect(shown.stdout.trimEnd().split('\n').at(-1)).toBe('1 finding blocks the migration.');
  });

  test('for people: tables, what it takes, steps by the guide’s numbers with their locks', async () => {
    const { code, stdout } = await tandem(['plan', '--create-auth', '--backup-dir', './b'], { url: database.url });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}public\.sessions → tandem\.sessions_partitioned {2}about 200 rows, \d/m);
    expect(stdout).toMatch(/^ {2}disk {2}about .*B beside the tables/m);
    for (const guide of ['1', '2, 3', '4', '5', '6', '7', '8', '9', '10']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${guide} +[A-Z]`, 'm'));
    }
    expect(stdout).toMatch(/ACCESS EXCLUSIVE on public\.messages, public\.sessions, for less than the limit/);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('Nothing blocks the migration: `tandem migrate` begins it.');
  });

  test('--sql is SQL, with everything else in comments', async () => {
    const { plan } = await planDocument(['--create-auth'], database);
    const { stdout } = await tandem(['plan', '--sql', '--create-auth'], { url: database.url });
    const outside = stdout.replaceAll(/^--.*$/gm, '').trim();
    expect(splitStatements(outside).length).toBeGreaterThan(150);
    expect(outside).not.toMatch(/Nothing blocks|guide \d/);
    for (const { sql } of plan.steps.flatMap(({ statements }) => statements)) {
      expect(stdout).toContain(sql.trim());
    }
  });
});

describe('with SELECT alone and the ownership', () => {
  const database = useDatabase(fewRows);

  test('it works, and says what a run would lack', async () => {
    const role = `planner_${Math.random().toString(36).slice(2, 10)}`;
    await database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x';
      GRANT USAGE ON SCHEMA public, auth TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA auth TO ${role};
      ALTER TABLE public.sessions OWNER TO ${role}; ALTER TABLE public.messages OWNER TO ${role};
      REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON public.sessions, public.messages FROM ${role}`);
    const url = new URL(database.url);
    url.username = role;
    url.password = 'x';
    try {
      const { code, plan } = await planDocument([], { url: url.href });
      expect(code).toBe(1);
      expect(plan.steps.length).toBeGreaterThan(10);
      expect(plan.findings.filter(({ severity }) => severity === 'blocks')).toEqual([
        expect.objectContaining({ message: `the connecting role ${role} lacks CREATE on it` }),
        expect.objectContaining({
          subject: 'schema public',
          hint: expect.stringContaining('GRANT CREATE ON SCHEMA public'),
        }),
        expect.objectContaining({
          subject: 'auth.users',
          message: `the connecting role ${role} lacks REFERENCES on it`,
        }),
      ]);
    } finally {
      await database.pool.query(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

describe('while a run is open', () => {
  const database = useDatabase(fewRows);

  test('before the cutover it tells what is left; after it, that there is nothing to plan', async () => {
    const first = await planDocument([], database);
    expect(first.plan).toMatchObject({ ok: true, run: null });
    expect(new Set(first.plan.steps.map(({ state }) => state))).toEqual(new Set([null]));

    const ready = await tandem(['migrate', '--yes', '--stop-before', 'cutover'], { url: database.url });
    expect(ready.code).toBe(0);
    const session = await database.connect();
    const before = await contentOf(session);
    const open = await planDocument([], database);
    expect(open.code).toBe(0);
    expect(open.plan).toMatchObject({ ok: true, run: { phase: 'ready' }, tables: first.plan.tables });
    const state = (name: string) => open.plan.steps.find((step) => step.name === name)?.state;
    expect([state('copy'), state('cutover')]).toEqual(['done', 'pending']);
    const { stdout } = await tandem(['plan'], { url: database.url });
    expect(stdout).toMatch(/A run is open, and is ready: `tandem migrate` goes on with it\.\n$/);
    expect(await contentOf(session)).toEqual(before);

    expect((await tandem(['migrate', '--yes'], { url: database.url })).code).toBe(0);
    const after = await tandem(['plan'], { url: database.url });
    expect(after.code).toBe(3);
    expect(after.stderr).toMatch(/^error TD012: This database already has the shape/);
  });
});
