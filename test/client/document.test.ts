import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, promisify } from 'node:util';
import { SignJWT } from 'jose';
import pg from 'pg';
import { expect, test } from 'vitest';
import * as client from '../../src/client/index.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { TandemError } from '../../src/engine/errors.ts';
import { ensureBuilt } from '../cli/build.ts';
import { insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { postgrestPath, useRest } from '../supabase/postgrest.ts';
import { useDatabase } from '../support/database.ts';
import { clientAs } from './supabase.ts';

const SECRET = 'a secret of at least thirty-two characters';
const document = readFileSync(join(packageRoot(), 'docs/client.md'), 'utf8');
const blocks = [...document.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
const api = useRest(() => useDatabase(migrated));
const { database } = api;

/** What was printed by examples, and what they promise to print. */
async function run(code: string, given: Readonly<Record<string, unknown>>) {
  const printed: string[] = [];
  const names = { ...given, console: { log: (...values: unknown[]) => printed.push(format(...values)) } };
  const body = `return (async () => {\n${code.replace(/^import .*$/gm, '')}\nreturn typeof pool === 'undefined' ? null : pool;\n})()`;
  const pool: pg.Pool | null = await new Function(...Object.keys(names), body)(...Object.values(names));
  await pool?.end();
  const promised = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, says]) => says);
  return { printed, promised };
}

const importsOf = (code: string) =>
  [...code.matchAll(/^import (.*) from '(.*)';$/gm)].map(([, what, from]) => `${what} from ${from}`);
const [overSupabase, overPg] = [true, false].map((wanted) =>
  blocks.filter((code) => code.includes('supabase-js') === wanted).join('\n'),
);

test('the examples of docs/client.md run, one after the other, and print what they say', async () => {
  const annsId = await insertUser(await database.connect());
  const annsToken = await new SignJWT({ sub: annsId, role: 'authenticated' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET));
  const code = overPg ?? '';
  expect(importsOf(code)).toEqual([
    'pg from pg',
    '{ createStore } from pg-tandem/client',
    '{ StoreError } from pg-tandem/client',
  ]);
  const { printed, promised } = await run(code, {
    pg,
    createStore: client.createStore,
    StoreError: client.StoreError,
    annsId,
    annsToken,
    process: { env: { DATABASE_URL: database.url, JWT_SECRET: SECRET } },
  });
  expect(promised.length).toBeGreaterThan(8);
  expect(printed).toEqual(promised);
});

test.skipIf(!postgrestPath)('and so does the one over supabase-js', async () => {
  const supabase = await clientAs(api.rest, await insertUser(await database.connect()));
  const code = overSupabase ?? '';
  expect(importsOf(code)).toEqual([
    '{ createClient } from @supabase/supabase-js',
    '{ createStore } from pg-tandem/client',
  ]);
  const { printed, promised } = await run(code, {
    // Signed in already, as a page's client is from what it stored.
    createClient: () => supabase,
    createStore: client.createStore,
    process: { env: {} },
  });
  expect(promised).toHaveLength(3);
  expect(printed).toEqual(promised);
});

test('every kind of error is in the table, and has its code', () => {
  const section = document.split('## Errors')[1]?.split('\n## ')[0] ?? '';
  const listed = [...section.matchAll(/^\| `(\w+)` \| \w/gm)].map(([, kind]) => kind);
  const kinds: client.StoreErrorKind[] = [
    'invalid_value',
    'not_found',
    'not_allowed',
    'already_exists',
    'invalid_caller',
    'conflict',
    'unexpected_row',
    'timed_out',
    'connection_lost',
  ];
  expect(listed.filter((kind) => kind !== 'kind')).toEqual(kinds);
  for (const kind of kinds) expect(new client.StoreError(kind, 'x')).toBeInstanceOf(TandemError);
});

test('the package exports the client, with its types', async () => {
  await ensureBuilt();
  const cwd = packageRoot();
  const script = "import('pg-tandem/client').then((m) => console.log(Object.keys(m).sort().join(' ')))";
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd });
  expect(stdout.trim()).toBe('StoreError createStore');
  const { exports } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'));
  expect(readFileSync(join(cwd, exports['./client'].types), 'utf8')).toContain('createStore');
});
