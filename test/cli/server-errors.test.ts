import { randomBytes } from 'node:crypto';
import { describe, expect, inject, test } from 'vitest';
import { statementWithCaret } from '../../src/cli/statement-with-caret.ts';
import { fewRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { withClient } from '../support/template.ts';
import { failureShape } from './json-shapes.ts';
import { lastEvent, tandem } from './tandem.ts';

describe('what the server refuses in the midst of a command', () => {
  const database = useDatabase(fewRows);
  /** The server refuses to make the schema of the state with this error, as a rule of the house might have it. */
  const refuseWith = (state: string) =>
    database.pool.query(`
      CREATE FUNCTION public.house_rule() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION USING ERRCODE = '${state}', MESSAGE = 'not on Mondays', DETAIL = 'It is Monday.', HINT = 'Ask Ann.';
      END $$;
      CREATE EVENT TRIGGER house_rule ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION public.house_rule()`);

  test.each([
    ['42501', 'TD006', 3],
    ['25006', 'TD009', 3],
    ['55P03', 'TD020', 4],
    ['40P01', 'TD020', 4],
    ['57014', 'TD022', 4],
    ['53100', 'TD025', 4],
    ['53300', 'TD026', 4],
    ['57P03', 'TD021', 4],
    ['08006', 'TD021', 4],
  ])('%s is %s, exit code %i', async (state, code, exit) => {
    await refuseWith(state);
    const { code: exitCode, stdout, stderr } = await tandem(['migrate', '--yes', '--json'], { url: database.url });
    expect(exitCode).toBe(exit);
    const failure = failureShape.parse(lastEvent(stdout));
    expect(failure).toMatchObject({ code, sqlstate: state });
    expect(`${failure.message}\n${failure.detail}`).toContain('not on Mondays');
    const lines = stderr.trimEnd().split('\n');
    expect(lines[0]).toBe(`${code === 'TD022' ? 'stopped' : 'error'} ${code}: ${failure.message}`);
    expect(lines.at(-1)).toBe(`hint: ${failure.hint}`);
  });

  test('what nobody foresaw is told in the server’s own words, and with --debug with its statement', async () => {
    await refuseWith('P0001');
    const { code, stdout, stderr } = await tandem(['migrate', '--yes', '--json'], { url: database.url });
    expect(code).toBe(1);
    expect(failureShape.parse(lastEvent(stdout))).toMatchObject({
      code: 'TD099',
      sqlstate: 'P0001',
      message: 'not on Mondays',
      detail: expect.stringMatching(/^It is Monday\.\nAsk Ann\.\nPL\/pgSQL function public\.house_rule\(\)/),
    });
    expect(stderr).toMatch(
      /^error SQLSTATE P0001: not on Mondays\n {2}It is Monday\.\n {2}Ask Ann\.\n {2}PL\/pgSQL .*\n {2}SQL statement "CREATE SCHEMA tandem"\n {2}PL\/pgSQL .*\nhint: /,
    );
    expect(stderr).not.toMatch(/^\s+at /m);
    const debug = await tandem(['migrate', '--yes', '--debug'], { url: database.url });
    expect(debug.stderr).toMatch(/^\s+at .*createState/m);
    expect(debug.stderr).toMatch(/^ {2}\| {2,}CREATE SCHEMA tandem;$/m);
  });
});

test('a role without a connection left is told so', async () => {
  const role = `lonely_${randomBytes(4).toString('hex')}`;
  const server = inject('serverUrl');
  await withClient(server, (admin) => admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x' CONNECTION LIMIT 0`));
  const url = new URL(server);
  url.username = role;
  url.password = 'x';
  const { code, stderr } = await tandem(['status'], { url: url.href });
  await withClient(server, (admin) => admin.query(`DROP ROLE ${role}`));
  expect(code).toBe(4);
  expect(stderr).toMatch(/^error TD026: The server takes no more connections: too many connections for role/);
});

describe('the caret', () => {
  const database = useDatabase();
  const shown = async (sql: string) =>
    statementWithCaret(
      await database.pool.query(sql).then(
        () => null,
        (error: unknown) => error,
      ),
    )?.split('\n');

  test('stands under the place, in its line, with the lines around it', async () => {
    expect(await shown('SELECT 1,\n  2,\n  3,\n  4,\n  nonsense,\n  6,\n  7,\n  8,\n  9')).toEqual([
      '  |   2,',
      '  |   3,',
      '  |   4,',
      '  |   nonsense,',
      '  |   ^',
      '  |   6,',
      '  |   7,',
      '  |   8,',
    ]);
  });

  test('counts characters as PostgreSQL does', async () => {
    expect(await shown("SELECT '🦜🦜ü', nonsense")).toEqual(["  | SELECT '🦜🦜ü', nonsense", '  |               ^']);
  });

  test('stands in what is around it where the line is long', async () => {
    const [line = '', caret = ''] = (await shown(`SELECT ${'1, '.repeat(200)}nonsense${', 1'.repeat(200)}`)) ?? [];
    expect(line.length).toBeLessThanOrEqual(124);
    expect(line.slice(caret.indexOf('^'))).toMatch(/^nonsense/);
  });

  test('stands in the statement that a function ran', async () => {
    await database.pool.query(
      'CREATE FUNCTION public.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT nonsense FROM pg_class LIMIT 1); END $$',
    );
    const lines = await shown('SELECT public.f()');
    expect(lines?.[0]).toContain('nonsense FROM pg_class');
    expect(lines?.[0]?.slice(lines[1]?.indexOf('^'))).toMatch(/^nonsense/);
  });

  test('of a statement without a place there is the statement, and of no statement nothing', async () => {
    expect(await shown('SELECT 1 / 0')).toEqual(['  | SELECT 1 / 0']);
    expect(statementWithCaret(new Error('no statement'))).toBeNull();
    const client = await database.pool.connect();
    const error = await client.query('SELECT nonsense').catch((thrown: unknown) => thrown);
    client.release();
    expect(statementWithCaret(error)).toBe('  | SELECT nonsense\n  |        ^');
  });
});
