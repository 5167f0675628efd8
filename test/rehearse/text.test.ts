import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { applyEdits, type Edit } from '../../src/rehearse/edits.ts';
import { readableConstants } from '../../src/rehearse/normalised-constants.ts';
import { readPieces } from '../../src/rehearse/plpgsql-pieces.ts';
import { type Lookup, redirect } from '../../src/rehearse/redirect.ts';
import { renderRehearsal } from '../../src/rehearse/report.ts';
import { placeOf, type Rehearsal } from '../../src/rehearse/result.ts';
import { indexOfPosition, loadParser } from '../../src/rehearse/sql-parser.ts';
import { readStatementsFile } from '../../src/rehearse/statements-from-file.ts';
import type { MovedTable } from '../../src/rehearse/tables.ts';
import { handMadeTable } from './hand-made-table.ts';

const parser = await loadParser();
const table: MovedTable = handMadeTable('public', 'sessions', { schema: 'tandem', name: 'target' });
/** `sessions` is found along the path, and in no schema but its own. */
const lookup: Lookup = (schema, name) => {
  if (name === 'seen') return { kind: 'view', name: { schema: 'public', name }, query: 'SELECT 1' };
  return name === 'sessions' && (schema === null || schema === 'public') ? { kind: 'table', table } : null;
};
const T = '"tandem"."target"';

describe('the targets are put in the place of the tables', () => {
  test.each([
    ['SELECT id FROM sessions', `SELECT id FROM ${T} AS "sessions"`],
    ['SELECT s.id FROM public . "sessions" /* here */ s', `SELECT s.id FROM ${T} /* here */ s`],
    ['SELECT public.sessions.id FROM public.sessions', `SELECT sessions.id FROM ${T} AS "sessions"`],
    ['SELECT id FROM other.sessions', 'SELECT id FROM other.sessions'],
    ['SELECT id FROM sessions * WHERE true', `SELECT id FROM ${T} * AS "sessions" WHERE true`],
    ['SELECT id FROM ONLY (sessions)', `SELECT id FROM ONLY (${T}) AS "sessions"`],
    ['SELECT id FROM ONLY sessions', `SELECT id FROM ONLY ${T} AS "sessions"`],
    ['SELECT id FROM sessions TABLESAMPLE system (1)', `SELECT id FROM ${T} AS "sessions" TABLESAMPLE system (1)`],
    ['TABLE sessions', `SELECT * FROM ${T} AS "sessions"`],
    ['UPDATE sessions SET id = sessions.id', `UPDATE ${T} AS "sessions" SET id = sessions.id`],
    [
      'DELETE FROM sessions USING sessions t WHERE t.id = sessions.id',
      `DELETE FROM ${T} AS "sessions" USING ${T} t WHERE t.id = sessions.id`,
    ],
    ['INSERT INTO sessions AS s (id) VALUES (1)', `INSERT INTO ${T} AS s (id) VALUES (1)`],
    ['SELECT id FROM sessions FOR UPDATE OF sessions', `SELECT id FROM ${T} AS "sessions" FOR UPDATE OF sessions`],
    ['WITH sessions AS (SELECT 1) SELECT * FROM sessions', 'WITH sessions AS (SELECT 1) SELECT * FROM sessions'],
    [
      'WITH sessions AS (SELECT id FROM sessions) SELECT * FROM sessions',
      `WITH sessions AS (SELECT id FROM ${T} AS "sessions") SELECT * FROM sessions`,
    ],
    [
      'WITH RECURSIVE sessions AS (SELECT 1 UNION SELECT * FROM sessions) SELECT 1',
      'WITH RECURSIVE sessions AS (SELECT 1 UNION SELECT * FROM sessions) SELECT 1',
    ],
    [
      'WITH a AS (SELECT 1), b AS (SELECT * FROM sessions) SELECT (WITH sessions AS (SELECT 1) SELECT 1) FROM sessions',
      `WITH a AS (SELECT 1), b AS (SELECT * FROM ${T} AS "sessions") SELECT (WITH sessions AS (SELECT 1) SELECT 1) FROM ${T} AS "sessions"`,
    ],
    [
      "SELECT NULL::sessions, 'sessions' AS sessions, CAST(NULL AS public.sessions[])",
      `SELECT NULL::${T}, 'sessions' AS sessions, CAST(NULL AS ${T}[])`,
    ],
    ["SELECT 'ünï—😀', id FROM sessions -- sessions", `SELECT 'ünï—😀', id FROM ${T} AS "sessions" -- sessions`],
    [
      'SELECT * FROM seen AS v JOIN sessions USING (id)',
      `SELECT * FROM (SELECT 1) AS v JOIN ${T} AS "sessions" USING (id)`,
    ],
  ])('%s', (sql, expected) => {
    const statement = parser.parse(sql);
    if (statement === null) throw new Error('It is no statement.');
    const { edits, obstacle } = redirect(statement, lookup);
    expect(obstacle).toBeNull();
    expect(applyEdits(sql, edits).text).toBe(expected);
  });

  test('a write through a view is not rehearsed', () => {
    const statement = parser.parse('DELETE FROM seen');
    expect(statement && redirect(statement, lookup).obstacle).toBe('it writes through a view');
  });
});

test('a place in an edited text is a place in the original', () => {
  const sorted = fc
    .uniqueArray(fc.nat(40), { minLength: 2, maxLength: 8 })
    .map((places) => places.sort((a, b) => a - b));
  fc.assert(
    fc.property(sorted, fc.array(fc.string({ maxLength: 5 }), { minLength: 4, maxLength: 4 }), (places, texts) => {
      const original = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
      const edits: Edit[] = [];
      for (let i = 0; i + 1 < places.length; i += 2)
        edits.push({ start: places[i] ?? 0, end: places[i + 1] ?? 0, text: texts[i / 2] ?? '' });
      const edited = applyEdits(original, edits);
      const isReplaced = (at: number) => edits.some(({ start, end }) => at >= start && at < end);
      let place = 0;
      for (let at = 0; at < original.length; at++) {
        const edit = edits.find(({ start }) => start === at);
        if (edit) {
          for (let i = 0; i < edit.text.length; i++) expect(edited.toOriginal(place + i)).toBe(at);
          place += edit.text.length;
        }
        if (!isReplaced(at)) expect(edited.toOriginal(place++)).toBe(at);
      }
      expect(edited.text).toHaveLength(place);
    }),
  );
});

test('positions are counted in characters, not in code units', () => {
  const sql = "SELECT '😀ü',\n  x";
  expect(sql.charAt(indexOfPosition(sql, '16') ?? 0)).toBe('x');
  expect(indexOfPosition(sql, undefined)).toBeNull();
  expect(placeOf(sql, sql.indexOf('x'))).toEqual({ position: 16, line: 2, column: 3 });
});

test.each([
  ['SELECT now() - interval $1', 'SELECT now() - CAST($1 AS interval)', []],
  ['SELECT date $1, timestamptz $2', 'SELECT CAST($1 AS date), CAST($2 AS timestamptz)', []],
  ['SELECT extract($2 FROM a) FROM t WHERE b = $1', "SELECT extract('epoch' FROM a) FROM t WHERE b = $1", [0, 25]],
  ['SELECT $1::interval, a LIKE $2', 'SELECT $1::interval, a LIKE $2', []],
])('a constant that was made a parameter can be read: %s', (sql, expected, types) => {
  const statement = parser.parse(sql);
  const readable = statement && readableConstants(statement);
  expect(readable && applyEdits(sql, readable.edits).text).toBe(expected);
  expect(readable?.types).toEqual(types);
});

test('the SQL of a plpgsql body, in its order, with its lines', () => {
  const body = readPieces(
    parser.parsePlpgsql(`CREATE FUNCTION f(p text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  v text := 'a';
  r record;
  list text[];
BEGIN
  IF v = 'b' THEN
    v := upper(v);
  ELSIF p = 'c' THEN
    list[1 + 1] := p;
  END IF;
  FOR r IN SELECT id FROM t LOOP
    PERFORM g(r.id);
  END LOOP;
  CASE v WHEN 'x', 'y' THEN NULL; END CASE;
  EXECUTE 'SELECT $1' INTO r USING v, p;
  RAISE NOTICE '%', r.id;
  RETURN QUERY SELECT v;
EXCEPTION WHEN others THEN
  INSERT INTO log VALUES (SQLERRM);
END $$`),
  );
  expect(body?.pieces).toEqual([
    { kind: 'expression', sql: "'a'", line: 3, into: null },
    { kind: 'expression', sql: "v = 'b'", line: 7, into: null },
    { kind: 'expression', sql: 'upper(v)', line: 8, into: null },
    { kind: 'expression', sql: "p = 'c'", line: 9, into: null },
    { kind: 'expression', sql: 'p', line: 10, into: null },
    { kind: 'query', sql: 'SELECT id FROM t', line: 12, into: 'r' },
    { kind: 'query', sql: 'SELECT g(r.id)', line: 13, into: null },
    { kind: 'expression', sql: "(v) IN ('x', 'y')", line: 15, into: null },
    { kind: 'execute', sql: "'SELECT $1'", parameters: ['v', 'p'], line: 16, into: 'r' },
    { kind: 'expression', sql: 'r.id', line: 17, into: null },
    { kind: 'return query', sql: 'SELECT v', line: 18 },
    { kind: 'query', sql: 'INSERT INTO log VALUES (SQLERRM)', line: 20, into: null },
  ]);
  expect(body?.variables).toContainEqual({ name: 'list', type: 'text[]' });
});

describe('a file of statements', () => {
  test('its statements, the types that a PREPARE names, and the path that is set', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tandem-statements-'));
    const file = join(directory, 'app.sql');
    await writeFile(
      file,
      'SELECT 1;\nSET search_path TO app, "Öther";\nPREPARE p (varchar(3), numeric(1, 2)) AS SELECT $1;\nVACUUM; SELEC 2; COPY t TO STDOUT',
    );
    const { statements, passedOver } = await readStatementsFile(parser, file);
    await rm(directory, { recursive: true });
    expect(
      statements.map(({ number, sql, types, searchPath, statement }) => [
        number,
        sql,
        types,
        searchPath,
        statement !== null,
      ]),
    ).toEqual([
      [1, 'SELECT 1', [], null, true],
      [3, 'SELECT $1', ['varchar(3)', 'numeric(1, 2)'], '"app", "Öther"', true],
      [5, 'SELEC 2', [], '"app", "Öther"', false],
      [6, 'COPY t TO STDOUT', [], '"app", "Öther"', true],
    ]);
    expect(passedOver).toBe(1);
  });

  test('that is not there', async () => {
    await expect(readStatementsFile(parser, '/nowhere/app.sql')).rejects.toMatchObject({ code: 'TD008' });
  });
});

test('what a person reads', () => {
  const sql = 'SELECT id\n  FROM sessions\n WHERE status LIKE $1\n LIMIT 1';
  const rehearsal: Rehearsal = {
    version: 1,
    ok: false,
    targets: 'run',
    tables: [],
    counts: { rehearsed: 3, breaks: 1, changes: 0, reconnect: 0, slower: 0, 'not understood': 1, holds: 2 },
    sources: ['app.sql: 4 statements on the tables.'],
    statements: [
      {
        origin: { kind: 'file', file: 'app.sql', number: 2 },
        sql,
        verdict: 'breaks',
        obstacle: null,
        problems: [
          {
            verdict: 'breaks',
            sqlstate: '42883',
            message: 'operator does not exist',
            place: placeOf(sql, sql.indexOf('LIKE')),
            reason: 'It will be an enum, and patterns are for text, which it is not any more from then on.',
            mend: 'Compare as text.',
            mended: { sql: sql.replace('status', 'status::text'), holdsToday: true },
          },
        ],
      },
      {
        origin: { kind: 'pg_stat_statements', calls: 1200, roles: ['app'] },
        sql: `SELECT ${'x, '.repeat(40)}y`,
        verdict: 'not understood',
        obstacle: { sqlstate: '42703', message: 'no such column' },
        problems: [],
      },
      {
        origin: { kind: 'function', name: 'public.f()', line: 3 },
        sql: 'SELECT 1',
        verdict: 'holds',
        obstacle: null,
        problems: [],
      },
    ],
  };
  expect(renderRehearsal(rehearsal, pc.createColors(false), 80)).toBe(
    [
      'Refused by the new shape:',
      '',
      'breaks     SELECT id',
      '             FROM sessions',
      '            WHERE status LIKE $1',
      '                         ^',
      '            LIMIT 1',
      '           from   app.sql, statement 2',
      '           42883  operator does not exist',
      '           why    It will be an enum, and patterns are for text, which it is not',
      '                  any more from then on.',
      '           mend   Compare as text.',
      '           tried  SELECT id FROM sessions WHERE status::text LIKE $1 LIMIT 1',
      '                  (holds today and afterwards)',
      '',
      'Not rehearsed:',
      '',
      `?          SELECT ${'x, '.repeat(20)}…`,
      '           from   pg_stat_statements, 1,200 calls by app',
      '           why    42703 no such column',
      '',
      'app.sql: 4 statements on the tables.',
      '1 of 3 statements would break at cutover, and 0 would mean something else.',
    ].join('\n'),
  );
});
