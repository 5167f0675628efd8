import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrationFileNames, renderMigrationFiles } from '../../plans/sessions/migration-files.ts';
import { catalogDifference, catalogSnapshot } from '../../src/db/catalog-snapshot.ts';
import { createTestDatabase } from '../support/database.ts';
import { createProject, noCli, type Project } from './cli.ts';
import { migratedProject, useHosted } from './hosted.ts';

const SCHEMAS = ['public', 'private'];
const versions = migrationFileNames.map((name) => name.slice(0, 14));
const hosted = useHosted();
let project: Project;
beforeEach(async () => {
  project = await createProject();
});
afterEach(() => project.remove());

const run = (...args: string[]) => project.run(hosted.url, ...args);

/** What `db push` names, in its order. */
const named = (output: string) => output.match(/\d{14}_\w+\.sql/g) ?? [];

async function expectEndState(): Promise<void> {
  const other = await createTestDatabase(migratedProject);
  try {
    const end = await catalogSnapshot(await other.connect(), SCHEMAS);
    expect(catalogDifference(end, await catalogSnapshot(await hosted.database.connect(), SCHEMAS))).toEqual([]);
  } finally {
    await other.drop();
  }
}

describe.skipIf(noCli)('supabase db push, as a role that is no superuser', () => {
  test('takes the files to an empty project once, and then knows of them', async () => {
    const dry = await run('db', 'push', '--dry-run');
    expect(dry).toMatchObject({ code: 0 });
    expect(named(dry.stdout + dry.stderr)).toEqual([...migrationFileNames]);
    const client = await hosted.database.connect();
    expect((await client.query("SELECT to_regclass('public.sessions') AS made")).rows).toEqual([{ made: null }]);

    expect(await run('db', 'push', '--yes')).toMatchObject({ code: 0 });
    await expectEndState();
    const { rows } = await client.query(
      "SELECT extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname = 'unaccent'",
    );
    expect(rows).toEqual([{ schema: 'extensions' }]);

    const again = await run('db', 'push', '--yes');
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout + again.stderr).toContain('up to date');

    const list = await run('migration', 'list', '--output-format', 'json');
    expect(list).toMatchObject({ code: 0 });
    for (const version of versions) expect(list.stdout.split(version).length - 1).toBeGreaterThanOrEqual(2);
  });

  test('takes them to flat tables with rows', async () => {
    await hosted.query(renderMigrationFiles()['20231231000000_flat_tables.sql'] ?? '');
    await hosted.query(`INSERT INTO auth.users (id) SELECT gen_random_uuid() FROM generate_series(1, 3);
      INSERT INTO public.sessions (id, user_id, language, level, status, title) SELECT gen_random_uuid(), id, 'es', 'beginner', s, 't' FROM auth.users, unnest('{active,archived,deleted}'::text[]) s;
      INSERT INTO public.messages (session_id, user_id, sequence_number, content) SELECT id, user_id, n, 'Los gatos ' || n FROM public.sessions, generate_series(1, 20) n`);
    expect(await run('db', 'push', '--yes')).toMatchObject({ code: 0 });
    const client = await hosted.database.connect();
    const { rows } = await client.query(
      `SELECT (SELECT count(*)::int FROM public.sessions_archived) AS archived, (SELECT count(*)::int FROM public.messages WHERE language = 'es') AS messages,
              (SELECT relkind FROM pg_class WHERE oid = 'public.sessions'::regclass) AS kind`,
    );
    expect(rows).toEqual([{ archived: 3, messages: 180, kind: 'p' }]);
    await expectEndState();
  });

  test('asks for --include-all where the project has newer migrations, and then takes them', async () => {
    await project.remove();
    project = await createProject({
      ...renderMigrationFiles(),
      '20250601000000_later.sql': 'CREATE TABLE public.later (id int PRIMARY KEY);',
    });
    await hosted.query(`CREATE SCHEMA supabase_migrations;
      CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
      INSERT INTO supabase_migrations.schema_migrations VALUES ('20250601000000', '{}', 'later')`);
    const refused = await run('db', 'push', '--yes');
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).toContain('--include-all');
    expect(await run('db', 'push', '--yes', '--include-all')).toMatchObject({ code: 0 });
    const again = await run('db', 'push', '--yes');
    expect(again.stdout + again.stderr).toContain('up to date');
  });
});

describe.skipIf(noCli)('what else the CLI does with the end state', () => {
  beforeEach(async () => {
    expect(await run('db', 'push', '--yes')).toMatchObject({ code: 0 });
  });

  test('`migration fetch` writes files that lead to the same end state', async () => {
    const elsewhere = await createProject({});
    const [other, end] = [await createTestDatabase(), await createTestDatabase(migratedProject)];
    try {
      expect(await elsewhere.run(hosted.url, 'migration', 'fetch')).toMatchObject({ code: 0 });
      expect((await readdir(elsewhere.migrations)).sort()).toEqual([...migrationFileNames]);
      const client = await other.connect();
      await client.query('CREATE SCHEMA extensions');
      for (const name of migrationFileNames)
        await client.query(await readFile(join(elsewhere.migrations, name), 'utf8'));
      expect(
        catalogDifference(await catalogSnapshot(await end.connect(), SCHEMAS), await catalogSnapshot(client, SCHEMAS)),
      ).toEqual([]);
    } finally {
      await elsewhere.remove();
      await other.drop();
      await end.drop();
    }
  });

  test('`gen types` and `inspect db` read it, without Docker', async () => {
    const { code, stdout } = await run('gen', 'types', '--schema', 'public');
    expect(code).toBe(0);
    expect(stdout).toMatch(/"?session_status"?: *"active" *\| *"archived" *\| *"deleted"/);
    expect(stdout).toMatch(/"?search_messages"?:/);
    expect(stdout).toMatch(/message_feedback_message_id_fkey/);
    expect(stdout).not.toMatch(/search_own/);

    for (const what of INSPECTIONS) {
      const { code, stderr } = await run('inspect', 'db', what);
      expect(`${what}: ${code} ${code === 0 ? '' : stderr}`).toBe(`${what}: 0 `);
    }
  });
});

/** `db-stats`, `calls` and `outliers` want pg_stat_statements, which a plain server has not loaded. */
const INSPECTIONS = ['table-stats', 'index-stats', 'locks'];
