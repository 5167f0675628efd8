import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packageRoot, readSqlFile, renderSql, splitStatements } from '../../src/db/sql-file.ts';

test('files are read by their path below the package root', () => {
  expect(existsSync(join(packageRoot(), 'package.json'))).toBe(true);
  expect(readSqlFile('plans/sessions/sql/enums.sql')).toContain('session_status');
});

describe('renderSql', () => {
  const names = { table: '"public"."ta""ble"', column: 'plain_1', 'a.b': '"ä b"' };

  test('puts names in place of placeholders, everywhere and once', () => {
    expect(renderSql('select {{column}}, {{a.b}} from {{table}} -- {{table}}', names)).toBe(
      'select plain_1, "ä b" from "public"."ta""ble" -- "public"."ta""ble"',
    );
    expect(renderSql('{{x}} {{y}}', { x: '"{{y}}"', y: '"$&"' })).toBe('"{{y}}" "$&"');
  });

  test.each(['missing', 'toString', '', ' table', '> table'])(
    'throws on the unknown placeholder {{%s}}',
    (placeholder) => {
      expect(() => renderSql(`select {{${placeholder}}}`, names)).toThrow(expect.objectContaining({ code: 'TD007' }));
    },
  );

  test.each([
    'two words',
    'Upper',
    '"open',
    '"a"; drop table x',
    "it's",
    '""',
    '"a".b.c',
    '1a',
    '',
    '"$do$"',
    '"$$"',
    '"x$body$y"',
    'a--b',
  ])('throws on %s, which is no identifier or would end a dollar quote', (value) => {
    expect(() => renderSql('{{table}}', { table: value })).toThrow(expect.objectContaining({ code: 'TD007' }));
  });

  test('takes dollar signs and quotes inside a quoted identifier', () => {
    expect(renderSql('{{table}}', { table: `"a$b's"` })).toBe(`"a$b's"`);
  });
});

describe('splitStatements', () => {
  test.each<[string, string, string[]]>([
    ['nothing', ' \n -- only; a comment\n /* and; another */ ; ;', []],
    ['semicolons, also without the last one', 'a; b;\nc', ['a', 'b', 'c']],
    ['strings', `select 'a;''b;', '\\'; x`, [`select 'a;''b;', '\\'`, 'x']],
    ['escape strings', `select E'a\\';b', e'\\\\'; x`, [`select E'a\\';b', e'\\\\'`, 'x']],
    ['a string right after a word that ends in e', `select type'a\\'; x`, [`select type'a\\'`, 'x']],
    ['unicode strings and identifiers', `select U&'a;b', U&"c;d"; x`, [`select U&'a;b', U&"c;d"`, 'x']],
    ['quoted identifiers', `select "a;""b;'"; x`, [`select "a;""b;'"`, 'x']],
    ['dollar quotes', 'do $$ a; b $$; do $x$ $$; $y$; $x$; x', ['do $$ a; b $$', 'do $x$ $$; $y$; $x$', 'x']],
    ['parameters, and dollars inside names', 'select $1;a$b$; c$b$', ['select $1', 'a$b$', 'c$b$']],
    ['line comments', "a -- it's; not\n; b --", ["a -- it's; not", 'b --']],
    ['nested block comments', 'a /* ; /* ; */ ; */; b', ['a /* ; /* ; */ ; */', 'b']],
    ['comments before a statement, which stay with it', '-- why\na;\n/* how */ b', ['-- why\na', '/* how */ b']],
    ['the minus and the slash', 'select 1 - -1 / 2; x', ['select 1 - -1 / 2', 'x']],
    [
      'rules, whose actions stand in parentheses',
      'create rule r as on insert to t do (a; b); x',
      ['create rule r as on insert to t do (a; b)', 'x'],
    ],
    [
      'BEGIN ATOMIC',
      'create function f() begin atomic select case when 1 then 2 end; select 3; end; x; begin; end; y',
      ['create function f() begin atomic select case when 1 then 2 end; select 3; end', 'x', 'begin', 'end', 'y'],
    ],
    ['CASE outside of such a body', 'select case a when 1 then 2 end; x', ['select case a when 1 then 2 end', 'x']],
    ['an end that is missing', "a; select 'b; c", ['a', "select 'b; c"]],
    ['an end that is missing', 'a; do $x$ b; c', ['a', 'do $x$ b; c']],
    ['an end that is missing', 'a; b /* c; d', ['a', 'b /* c; d']],
  ])('knows %s', (_, sql, statements) => {
    expect(splitStatements(sql)).toEqual(statements);
  });

  test('cuts between any two pieces, and never inside one', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ';', "'", '"', '$', '-', '/', '*', '(', ' ', '\n', 'é') });
    const piece = fc.oneof(
      text.map((t) => `'${t.replaceAll("'", "''")}'`),
      text.map((t) => `E'${t.replaceAll("'", "\\'")}'`),
      text.map((t) => `"${t.replaceAll('"', '""')}"`),
      text.map((t) => `$tag$${t}$tag$`),
      text.map((t) => `-- ${t.replaceAll('\n', '')}\nx`),
      fc.constantFrom('select', '1', '$1', 'a.b', '(1)', '::text'),
    );
    const statement = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => `s ${pieces.join(' ')}`);
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 5 }), (statements) => {
        expect(splitStatements(statements.join(';\n'))).toEqual(statements);
      }),
    );
  });
});
