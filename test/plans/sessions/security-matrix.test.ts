import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../../src/db/sql-file.ts';
import { useRoles } from '../../engine/roles.ts';
import { useDatabase } from '../../support/database.ts';
import {
  insertFeedback,
  insertMessage,
  insertSession,
  insertUser,
  renderedTemplate,
  runMigrationFiles,
} from './fixtures.ts';
import type { People } from './security-attempts.ts';
import { bothSettings, type Column, type Line, nobody, renderMatrix, tryMatrix } from './security-matrix.ts';

const DOCUMENT = join(packageRoot(), 'docs/security.md');
const TABLE = /(<!-- table: begin -->\n)[\s\S]*?(\n<!-- table: end -->)/;

// The owner is no superuser, as on a hosted server: what a superuser's functions could do proves nothing.
const roles = useRoles({ owner: 'NOLOGIN', stranger: 'NOLOGIN' }, { per: 'suite' });
const database = useDatabase(undefined, { per: 'suite' });
let people: People;
let columns: Column[];
let lines: Line[];

beforeAll(async () => {
  const client = await database.connect();
  await client.query(renderedTemplate('auth-stand-in'));
  await client.query(`DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${roles.owner}', current_database()); END $$;
    GRANT CREATE ON SCHEMA public TO ${roles.owner}; GRANT USAGE ON SCHEMA auth TO ${roles.owner};
    GRANT REFERENCES ON auth.users TO ${roles.owner}; SET ROLE ${roles.owner}`);
  await runMigrationFiles(client);
  await client.query('RESET ROLE');
  people = { own: await insertPerson(client), other: await insertPerson(client) };
  await client.query('REFRESH MATERIALIZED VIEW public.session_stats');
  columns = columnsOf();
  lines = await tryMatrix(() => database.connect(), columns, people);
});

async function insertPerson(client: pg.Client): Promise<People['own']> {
  const user = await insertUser(client);
  const sessions: Record<string, string> = {};
  for (const status of ['active', 'archived', 'deleted']) {
    sessions[status] = await insertSession(client, user, { status });
  }
  const message = await insertMessage(client, sessions.active ?? '', user);
  return { user, sessions, message, feedback: await insertFeedback(client, message) };
}

function columnsOf(): Column[] {
  const called = (title: string, role: string) => ({ title, role, settings: bothSettings(people.own.user, role) });
  return [
    called('anon', 'anon'),
    called('authenticated', 'authenticated'),
    { title: 'authenticated, no subject', role: 'authenticated', settings: nobody },
    called('service_role', 'service_role'),
    called('owner', roles.owner),
    called('stranger', roles.stranger),
  ];
}

test('docs/security.md says what every role may do; if not: npm run generate:security', () => {
  const table = renderMatrix(columns, lines);
  const document = readFileSync(DOCUMENT, 'utf8');
  const expected = document.replace(TABLE, (_, begin, end) => `${begin}${table}${end}`);
  expect(expected).toContain(table);
  if (process.env.TANDEM_WRITE_DOCS) writeFileSync(DOCUMENT, expected);
  else expect(document).toBe(expected);
});

test('a role other than authenticated gains nothing by a subject but its own statistics', async () => {
  const without = columns.map((column) => ({ ...column, settings: nobody.slice(0, 2) }));
  const others = columns.flatMap(({ role }, place) => (role === 'authenticated' ? [] : [place]));
  const found = await tryMatrix(
    () => database.connect(),
    others.flatMap((place) => without[place] ?? []),
    people,
  );
  const gained = found.filter(({ cells }, line) =>
    cells.some((cell, place) => cell !== lines[line]?.cells[others[place] ?? -1]),
  );
  expect(gained.map(({ what, operation }) => `${operation} ${what}`)).toEqual([
    'select my_session_stats',
    'execute private.my_session_stats()',
  ]);
});

test('a subject that is no uuid, or claims that are no JSON, give an error and never data', async () => {
  const malformed: Column = {
    title: 'malformed',
    role: 'authenticated',
    settings: [...bothSettings('test-user-id', 'authenticated'), { claims: 'no json', sub: people.own.user }],
  };
  const found = await tryMatrix(() => database.connect(), [malformed], people);
  const tables = ['sessions', 'messages', 'message_feedback'];
  const unasked = ['execute', 'truncate'];
  const cellsOf = (wanted: boolean) =>
    found.filter(({ what, operation }) => (!unasked.includes(operation) && tables.includes(what)) === wanted);
  expect(new Set(cellsOf(true).flatMap(({ cells }) => cells))).toEqual(new Set(['malformed']));
  expect(cellsOf(false).filter(({ cells }) => cells.some((cell) => !['malformed', '–'].includes(cell)))).toEqual([]);
});
