import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import { placeholders, sessionsNames } from '../../../plans/sessions/names.ts';
import { catalogDifference, catalogSnapshot } from '../../../src/db/catalog-snapshot.ts';
import { readSqlFile, renderSql } from '../../../src/db/sql-file.ts';
import { useDatabase } from '../../support/database.ts';
import { only, refusal } from './fixtures.ts';

const database = useDatabase();
const names = placeholders(sessionsNames(sessionsConfigSchema.parse({})), 'live');
const render = (file: string) => renderSql(readSqlFile(`plans/sessions/sql/${file}.sql`), names);
let client: pg.Client;

beforeEach(async () => {
  client = await database.connect();
});

describe('the stand-in for auth', () => {
  const subject = async (settings: Record<string, string>) => {
    await client.query('BEGIN');
    for (const [name, value] of Object.entries(settings))
      await client.query('SELECT set_config($1, $2, true)', [name, value]);
    const result = client.query<{ uid: string | null }>('SELECT auth.uid() AS uid');
    try {
      return only((await result).rows).uid;
    } finally {
      await client.query('ROLLBACK');
    }
  };
  const [json, single] = ['request.jwt.claims', 'request.jwt.claim.sub'];
  const [one, two] = ['00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002'];

  test('tells the subject of the claims, old and new', async () => {
    await client.query(render('auth-stand-in'));
    expect(await subject({ [json]: `{"sub":"${one}","role":"authenticated"}` })).toBe(one);
    expect(await subject({ [single]: two })).toBe(two);
    expect(await subject({ [json]: `{"sub":"${one}"}`, [single]: two })).toBe(one);
    expect(await subject({ [json]: '{"role":"anon"}', [single]: two })).toBe(two);
    for (const settings of [
      {},
      { [json]: '' },
      { [single]: '' },
      { [json]: '{}' },
      { [json]: '{"sub":""}' },
      { [json]: '{"sub":null}' },
    ]) {
      expect(await subject(settings)).toBeNull();
    }
    for (const settings of [
      { [json]: '{"sub":"test-user-id"}' },
      { [single]: 'test-user-id' },
      { [json]: 'no json' },
    ]) {
      expect(await refusal(subject(settings))).toBe('22P02');
    }
  });

  test('leaves what is there as it is, and can run twice', async () => {
    await client.query(`
      CREATE SCHEMA auth;
      CREATE TABLE auth.users (id uuid PRIMARY KEY, aud text);
      CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'`);
    const mine = (lines: string[]) => lines.filter((line) => !line.startsWith('schema auth'));
    const before = mine(await catalogSnapshot(client, ['auth', 'public']));
    await client.query(render('auth-stand-in'));
    const once = await catalogSnapshot(client, ['auth', 'public']);
    expect(catalogDifference(before, mine(once))).toEqual([]);
    await client.query(render('auth-stand-in'));
    expect(catalogDifference(once, await catalogSnapshot(client, ['auth', 'public']))).toEqual([]);
  });

  test('runs as a role that owns nothing of it, where everything is there', async () => {
    await client.query(render('auth-stand-in'));
    await client.query('GRANT USAGE ON SCHEMA auth TO pg_monitor; BEGIN; SET LOCAL ROLE pg_monitor');
    await client.query(render('auth-stand-in'));
    await client.query('ROLLBACK');
  });
});

describe('the enums', () => {
  test('are made once, with an assignment cast and no implicit one', async () => {
    await client.query(render('enums'));
    const once = await catalogSnapshot(client, ['public']);
    await client.query(render('enums'));
    expect(catalogDifference(once, await catalogSnapshot(client, ['public']))).toEqual([]);
    expect(once.filter((line) => line.startsWith('cast'))).toEqual(
      ['message_type', 'session_language', 'session_level', 'session_status'].map(
        (name) => `cast text to public.${name} | assignment, by input and output`,
      ),
    );
    expect(once).toContain(
      "type public.session_status | enum 'active', 'archived', 'deleted' | privileges PUBLIC=USAGE",
    );
  });

  test('are taken as they are where they exist with the same labels', async () => {
    await client.query("CREATE TYPE public.session_level AS ENUM ('beginner', 'intermediate', 'advanced')");
    await client.query('CREATE CAST (text AS public.session_level) WITH INOUT');
    await client.query(render('enums'));
    expect(await catalogSnapshot(client, ['public'])).toContain(
      'cast text to public.session_level | explicit, by input and output',
    );
  });

  test.each([
    ['other labels', "CREATE TYPE public.session_status AS ENUM ('active', 'archived')", 'It has (active, archived).'],
    [
      'another order',
      "CREATE TYPE public.session_status AS ENUM ('archived', 'active', 'deleted')",
      'It has (archived, active, deleted).',
    ],
    ['another kind of type', 'CREATE DOMAIN public.session_status AS text', 'It is no enum.'],
    ['a table of that name', 'CREATE TABLE public.session_status (id int)', 'It is no enum.'],
  ])('are refused where there is %s', async (_, sql, detail) => {
    await client.query(sql);
    await expect(client.query(render('enums'))).rejects.toMatchObject({
      code: '42710',
      detail,
      hint: expect.stringContaining('session_status'),
    });
  });
});
