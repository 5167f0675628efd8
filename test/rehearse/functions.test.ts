import { beforeAll, describe, expect, test } from 'vitest';
import { sqlStateOf } from '../../src/db/sqlstate.ts';
import type { Rehearsal, Verdict } from '../../src/rehearse/result.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { ACTIVE, flatRows, MESSAGE, rehearseOn, reportsOfFunction, USER } from './rehearsing.ts';

interface FunctionCase {
  readonly name: string;
  /** What follows CREATE FUNCTION name. */
  readonly definition: string;
  /** A query that runs it. */
  readonly call: string;
  /** The worst of the statements in it. */
  readonly verdict: Verdict;
  readonly sqlstate?: string;
  /** The statement, or the expression, that it is about. */
  readonly sql?: string;
  readonly line?: number;
}

const plpgsql = (head: string, body: string) => `${head} LANGUAGE plpgsql AS $body$${body}$body$`;
const sql = (head: string, body: string) => `${head} LANGUAGE sql AS $body$${body}$body$`;

const functionCases: readonly FunctionCase[] = [
  {
    name: 'by_name',
    definition: sql('(p_status text) RETURNS SETOF uuid', 'SELECT id FROM sessions WHERE status = p_status'),
    call: "SELECT * FROM by_name('active')",
    verdict: 'breaks',
    sqlstate: '42883',
    sql: 'SELECT id FROM sessions WHERE status = p_status',
  },
  {
    name: 'by_number',
    definition: sql('(text) RETURNS SETOF uuid', 'SELECT id FROM public.sessions s WHERE s.status = $1'),
    call: "SELECT * FROM by_number('active')",
    verdict: 'breaks',
    sqlstate: '42883',
  },
  {
    name: 'as_text',
    definition: sql(
      '(p_status text) RETURNS SETOF uuid',
      'SELECT id FROM sessions WHERE status::text = as_text.p_status',
    ),
    call: "SELECT * FROM as_text('active')",
    verdict: 'holds',
  },
  {
    name: 'converted',
    definition: sql('() RETURNS TABLE (name text)', 'SELECT status FROM sessions'),
    call: 'SELECT * FROM converted() ORDER BY 1',
    verdict: 'holds',
  },
  {
    name: 'assigned',
    definition: plpgsql(
      '(p_status text) RETURNS text',
      `
      DECLARE result text;
      BEGIN
        UPDATE sessions SET status = p_status WHERE id = '${ACTIVE}' RETURNING status INTO result;
        RETURN result;
      END`,
    ),
    call: "SELECT assigned('archived')",
    verdict: 'holds',
  },
  {
    name: 'compared',
    definition: plpgsql(
      '(p_status text) RETURNS bigint',
      `
      DECLARE n bigint;
      BEGIN
        SELECT count(*) INTO n FROM sessions
         WHERE status = p_status;
        RETURN n;
      END`,
    ),
    call: "SELECT compared('active')",
    verdict: 'breaks',
    sqlstate: '42883',
    line: 4,
  },
  {
    name: 'of_column_type',
    definition: plpgsql(
      '() RETURNS bigint',
      `
      DECLARE wanted sessions.status%TYPE := 'active';
      BEGIN RETURN (SELECT count(*) FROM sessions s WHERE s.status = wanted); END`,
    ),
    call: 'SELECT of_column_type()',
    verdict: 'holds',
  },
  {
    name: 'like_column_type',
    definition: plpgsql(
      '() RETURNS boolean',
      `
      DECLARE wanted public.sessions.status%TYPE := 'active';
      BEGIN RETURN wanted LIKE 'a%'; END`,
    ),
    call: 'SELECT like_column_type()',
    verdict: 'breaks',
    sqlstate: '42883',
    sql: "wanted LIKE 'a%'",
    line: 3,
  },
  {
    name: 'of_row_type',
    definition: plpgsql(
      '() RETURNS text',
      `
      DECLARE s sessions%ROWTYPE;
      BEGIN
        SELECT * INTO s FROM sessions WHERE id = '${ACTIVE}';
        IF s.status = 'paused' THEN RETURN 'paused'; END IF;
        RETURN s.status;
      END`,
    ),
    call: 'SELECT of_row_type()',
    verdict: 'breaks',
    sqlstate: '22P02',
    sql: "s.status = 'paused'",
    line: 5,
  },
  {
    name: 'in_loop',
    definition: plpgsql(
      '(wanted text) RETURNS int',
      `
      DECLARE r record; n int := 0;
      BEGIN
        FOR r IN SELECT id, status FROM sessions LOOP
          IF r.status = wanted THEN n := n + 1; END IF;
        END LOOP;
        RETURN n;
      END`,
    ),
    call: "SELECT in_loop('active')",
    verdict: 'breaks',
    sqlstate: '42883',
    sql: 'r.status = wanted',
    line: 5,
  },
  {
    name: 'by_cursor',
    definition: plpgsql(
      '(owner uuid) RETURNS boolean',
      `
      DECLARE c CURSOR (k uuid) FOR SELECT status FROM sessions WHERE user_id = k; r record;
      BEGIN
        OPEN c (owner); FETCH c INTO r; CLOSE c;
        RETURN starts_with(r.status, 'a');
      END`,
    ),
    call: `SELECT by_cursor('${USER}')`,
    verdict: 'breaks',
    sqlstate: '42883',
    sql: "starts_with(r.status, 'a')",
  },
  {
    name: 'in_case',
    definition: plpgsql(
      '() RETURNS int',
      `
      DECLARE s sessions;
      BEGIN
        SELECT * INTO s FROM sessions WHERE id = '${ACTIVE}';
        CASE s.status WHEN 'gone' THEN RETURN 1; ELSE RETURN 2; END CASE;
      END`,
    ),
    call: 'SELECT in_case()',
    verdict: 'breaks',
    sqlstate: '22P02',
  },
  {
    name: 'returned',
    definition: plpgsql(
      '() RETURNS TABLE (name text, n bigint)',
      `
      BEGIN RETURN QUERY SELECT status, count(*) FROM sessions GROUP BY status; END`,
    ),
    call: 'SELECT * FROM returned()',
    verdict: 'breaks',
    sqlstate: '42804',
  },
  {
    name: 'returned_as_text',
    definition: plpgsql(
      '() RETURNS TABLE (name text, n bigint)',
      `
      BEGIN RETURN QUERY SELECT status::text, count(*) FROM sessions GROUP BY 1 ORDER BY 1; END`,
    ),
    call: 'SELECT * FROM returned_as_text()',
    verdict: 'holds',
  },
  {
    name: 'executed',
    definition: plpgsql(
      '(p text) RETURNS bigint',
      `
      DECLARE n bigint;
      BEGIN EXECUTE 'SELECT count(*) FROM sessions WHERE status = $1' INTO n USING p; RETURN n; END`,
    ),
    call: "SELECT executed('active')",
    verdict: 'breaks',
    sqlstate: '42883',
  },
  {
    name: 'conflicting',
    definition: plpgsql(
      '() RETURNS void',
      `
      BEGIN
        INSERT INTO sessions (id, user_id, language, level, status) VALUES ('${ACTIVE}', '${USER}', 'en', 'beginner', 'active')
        ON CONFLICT (id) DO NOTHING;
      END`,
    ),
    call: 'SELECT conflicting()',
    verdict: 'breaks',
    sqlstate: '42P10',
  },
  {
    name: 'named_like_a_new_column',
    definition: plpgsql(
      '(language text) RETURNS bigint',
      `
      BEGIN RETURN (SELECT count(*) FROM messages m WHERE m.content = language); END`,
    ),
    call: "SELECT named_like_a_new_column('en')",
    verdict: 'breaks',
    sqlstate: '42702',
  },
  {
    name: 'means_the_new_column',
    definition: sql(
      '(language text) RETURNS bigint',
      'SELECT count(*) FROM messages m WHERE m.content = language::text',
    ),
    call: "SELECT means_the_new_column('Good evening')",
    verdict: 'changes',
  },
  {
    name: 'means_the_variable',
    definition: plpgsql(
      '(language text) RETURNS bigint',
      `
      #variable_conflict use_variable
      BEGIN RETURN (SELECT count(*) FROM messages m WHERE m.content = language); END`,
    ),
    call: "SELECT means_the_variable('en')",
    verdict: 'holds',
  },
  {
    name: 'put_together',
    definition: plpgsql(
      '(p text) RETURNS bigint',
      `
      DECLARE n bigint;
      BEGIN EXECUTE format('SELECT count(*) FROM sessions WHERE status = %L', p) INTO n; RETURN n; END`,
    ),
    call: "SELECT put_together('active')",
    verdict: 'not understood',
  },
];

/** On the path of a role that looks elsewhere first, `sessions` is another table. */
const others = `
  CREATE SCHEMA elsewhere;
  CREATE TABLE elsewhere.sessions (id uuid, status text);
  CREATE FUNCTION of_another_table() RETURNS SETOF uuid LANGUAGE sql SET search_path = elsewhere AS $$ SELECT id FROM sessions WHERE status LIKE 'a%' $$;
  CREATE TABLE message_audit (LIKE messages);
  CREATE FUNCTION keep_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO message_audit VALUES (OLD.*); RETURN OLD; END $$;
  CREATE TRIGGER keep_row AFTER DELETE ON messages FOR EACH ROW EXECUTE FUNCTION keep_row();
  CREATE FUNCTION guard_status() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NEW.status NOT IN ('active', 'archived', 'deleted', 'paused') THEN RAISE EXCEPTION 'not %', NEW.status; END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER guard_status BEFORE UPDATE ON sessions FOR EACH ROW WHEN (NEW.title = 'guarded') EXECUTE FUNCTION guard_status();`;

describe('functions', () => {
  const database = useDatabase(flatRows, { per: 'suite' });
  let rehearsal: Rehearsal;
  const before = new Map<string, unknown>();
  const after = new Map<string, unknown>();
  const outcome = async (query: string): Promise<unknown> => {
    const client = await database.connect();
    await client.query('BEGIN');
    try {
      return (await client.query(query)).rows;
    } catch (error) {
      return sqlStateOf(error);
    } finally {
      await client.query('ROLLBACK');
      await client.end();
    }
  };
  const triggered = {
    keep_row: `DELETE FROM messages WHERE id = '${MESSAGE}'`,
    guard_status: `UPDATE sessions SET title = 'guarded' WHERE id = '${ACTIVE}'`,
  };

  beforeAll(async () => {
    const client = await database.connect();
    for (const { name, definition } of functionCases) await client.query(`CREATE FUNCTION ${name} ${definition}`);
    await client.query(others);
    const t = tandemOn(database, {}, { createAuth: true });
    await t.migrate({ stopBefore: 'cutover' });
    rehearsal = await rehearseOn(database);
    const queries = [...functionCases.map(({ call }) => call), ...Object.values(triggered)];
    for (const query of queries) before.set(query, await outcome(query));
    await t.migrate();
    for (const query of queries) after.set(query, await outcome(query));
  });

  test.each(functionCases)('$name: $verdict', (expected) => {
    const reports = reportsOfFunction(rehearsal, expected.name);
    const found = reports.filter((report) => report.verdict === expected.verdict);
    expect(found, JSON.stringify(reports, null, 2)).not.toEqual([]);
    if (expected.verdict === 'holds') expect(reports).toEqual(found);
    else expect(reports.filter((report) => report.verdict !== 'holds')).toEqual(found);
    const [report] = found;
    if (expected.sqlstate) expect(report?.problems[0]?.sqlstate).toBe(expected.sqlstate);
    if (expected.sql) expect(report?.sql).toBe(expected.sql);
    if (expected.line) expect(report?.origin).toMatchObject({ line: expected.line });

    expect(before.get(expected.call)).toBeInstanceOf(Array);
    if (expected.verdict === 'breaks') expect(after.get(expected.call)).toBe(expected.sqlstate);
    else if (expected.verdict === 'changes') expect(after.get(expected.call)).not.toEqual(before.get(expected.call));
    else expect(after.get(expected.call)).toEqual(before.get(expected.call));
  });

  test.each([
    ['keep_row', '42601', 'INSERT INTO message_audit VALUES (OLD.*)'],
    ['guard_status', '22P02', "NEW.status NOT IN ('active', 'archived', 'deleted', 'paused')"],
  ] as const)('the trigger function %s fails with %s', (name, sqlstate, statement) => {
    const broken = reportsOfFunction(rehearsal, name).filter((report) => report.verdict === 'breaks');
    expect(broken.map((report) => [report.sql, report.problems[0]?.sqlstate])).toEqual([[statement, sqlstate]]);
    expect(before.get(triggered[name])).toEqual([]);
    expect(after.get(triggered[name])).toBe(sqlstate);
  });

  test('a function that looks along another path is left alone', () => {
    expect(reportsOfFunction(rehearsal, 'of_another_table')).toEqual([]);
  });

  test('how many bodies were read is told', () => {
    expect(rehearsal.sources).toContain(`Functions: ${functionCases.length + 3} bodies read.`);
  });
});
