import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';
import { packageRoot } from '../../../src/db/sql-file.ts';
import { supabasesUid } from '../../supabase/auth-uid.ts';
import { useDatabase } from '../../support/database.ts';
import { psqlPath } from '../../support/sql-file.ts';
import { count, migrated } from './fixtures.ts';

const directory = join(packageRoot(), 'supabase/tests');
const files = readdirSync(directory).map((name) => join(directory, name));
// pgTAP stands beside the server that Debian packages, and not beside the one that npm installs.
const missing = [
  ...(existsSync('/usr/bin/pg_prove') && psqlPath ? [] : ['libtap-parser-sourcehandler-pgtap-perl']),
  ...(inject('binDir') && existsSync('/usr/share/postgresql/15/extension/pgtap.control')
    ? []
    : ['postgresql-15-pgtap']),
];
if (inject('binDir') && missing.length > 0) console.warn(`NOT TESTED: supabase/tests. Install ${missing.join(', ')}`);

const database = useDatabase(migrated);

const prove = (paths: readonly string[]) =>
  promisify(execFile)('/usr/bin/pg_prove', [
    '--psql-bin',
    psqlPath ?? '',
    '--verbose',
    '--dbname',
    database.url,
    ...paths,
  ]).catch((error: { stdout: string; stderr: string }) => error);

test.skipIf(missing.length > 0)('the pgTAP files pass with pg_prove, and leave nothing behind', async () => {
  const client = await database.connect();
  const before = await count(client, 'pg_class');
  const { stdout, stderr } = await prove(files);
  expect(`${stdout}${stderr}`).toMatch(/^All tests successful\.$/m);
  expect(stdout).toMatch(/^Result: PASS$/m);
  expect(await count(client, 'auth.users')).toBe(0);
  expect(await count(client, 'pg_class')).toBe(before);
});

test.skipIf(missing.length > 0)(
  'they pass as on Supabase: pgTAP in a schema of its own, and its auth.uid()',
  async () => {
    const client = await database.connect();
    await client.query(supabasesUid);
    await client.query(`CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO authenticated, anon, service_role;
    CREATE EXTENSION pgtap SCHEMA extensions;
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = nowhere', current_database()); END $$`);
    const { stdout, stderr } = await prove(files);
    expect(`${stdout}${stderr}`).toMatch(/^All tests successful\.$/m);
  },
);

test.skipIf(missing.length > 0)('they fail where a policy is gone', async () => {
  const client = await database.connect();
  await client.query('ALTER POLICY messages_insert_own ON public.messages WITH CHECK (true)');
  const { stdout } = await prove(files);
  const failed = [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, what]) => what);
  expect(failed).toEqual(['no message into the session of bob', 'no message in the name of bob']);
});
