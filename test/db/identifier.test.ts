import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { displayName, parseName, quoteIdent, quoteLiteral, quoteName } from '../../src/db/identifier.ts';
import { useDatabase } from '../support/database.ts';

/** Any text that PostgreSQL can hold: no NUL, no half of a surrogate pair. */
const anyText = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
/** Any name that PostgreSQL does not shorten. */
const anyName = anyText.filter((text) => text.length > 0 && Buffer.byteLength(text) <= 63);

const awkwardNames = [
  'Weird "name',
  '""',
  '"',
  "it's",
  'back\\slash',
  'a.b',
  ' lead',
  '$1',
  '--',
  'ünï',
  '🐘',
  'select',
  'A',
];

describe('on the server', () => {
  const database = useDatabase(undefined, { per: 'suite' });

  test('a quoted identifier names exactly the text that was quoted', async () => {
    const check = async (name: string) => {
      const { fields } = await database.pool.query(`SELECT 1 AS ${quoteIdent(name)}`);
      expect(fields[0]?.name).toBe(name);
    };
    for (const name of awkwardNames) await check(name);
    await fc.assert(fc.asyncProperty(anyName, check), { numRuns: 500 });
  });

  test.each(['on', 'off'])(
    'a quoted literal is the text that was quoted, standard_conforming_strings %s',
    async (setting) => {
      const client = await database.connect();
      await client.query(`SET standard_conforming_strings = ${setting}; SET escape_string_warning = off`);
      const check = async (value: string) => {
        const { rows } = await client.query(`SELECT ${quoteLiteral(value)} AS value`);
        expect(rows).toEqual([{ value }]);
      };
      for (const value of ['', ...awkwardNames, "\\'", "'; DROP TABLE x; --", 'E', '\n']) await check(value);
      await fc.assert(fc.asyncProperty(anyText, check), { numRuns: 500 });
    },
  );

  test('a quoted name finds the table, and its displayed form is read by the server alike', async () => {
    for (const name of awkwardNames) {
      const table = { schema: `schema of ${name}`, name };
      await database.pool.query(`CREATE SCHEMA ${quoteIdent(table.schema)}; CREATE TABLE ${quoteName(table)} ()`);
      const { rows } = await database.pool.query(
        'SELECT nspname AS schema, relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass($1)',
        [displayName(table)],
      );
      expect(rows).toEqual([table]);
    }
  });
});

describe('names as people write them', () => {
  test('a displayed name is read back as the same name', () => {
    fc.assert(
      fc.property(anyName, anyName, (schema, name) => {
        expect(parseName(displayName({ schema, name }))).toEqual({ schema, name });
      }),
      { examples: awkwardNames.map((name) => [name, name]) },
    );
  });

  test.each([
    ['sessions', { schema: 'public', name: 'sessions' }],
    ['app.sessions', { schema: 'app', name: 'sessions' }],
    ['"App"."My ""table"""', { schema: 'App', name: 'My "table"' }],
    ['  app.sessions  ', { schema: 'app', name: 'sessions' }],
    ['"a.b"', { schema: 'public', name: 'a.b' }],
  ])('reads %s', (text, name) => {
    expect(parseName(text)).toEqual(name);
  });

  test.each(['', 'a.b.c', '.a', 'a.', 'two words', '"open', '""', 'a"b', 'a."b"c'])('refuses %j', (text) => {
    expect(parseName(text)).toBeNull();
  });

  test('takes another default schema', () => {
    expect(parseName('sessions', 'app')).toEqual({ schema: 'app', name: 'sessions' });
  });

  test.each([
    ['sessions', 'public.sessions'],
    ['Sessions', 'public."Sessions"'],
    ['1st', 'public."1st"'],
  ])('shows %s as %s', (name, shown) => {
    expect(displayName({ schema: 'public', name })).toBe(shown);
  });
});
