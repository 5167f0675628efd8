import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrationFileNames, renderMigrationFiles } from '../../plans/sessions/migration-files.ts';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { createPool, type Pool } from '../../src/db/connect.ts';
import { describePlan } from '../../src/engine/describe-plan.ts';
import { catalogOf } from '../engine/snapshot.ts';
import { runOptions, type Tandem, tandemOn } from '../engine/tandem.ts';
import { createTestDatabase } from '../support/database.ts';
import { createProject, noCli, type Project } from './cli.ts';
import { useHosted } from './hosted.ts';

const SCHEMAS = ['public', 'private'];
const INIT = '20230501000000_init.sql';
/** The project's own migration makes the flat tables. */
const own = {
  [INIT]: `${renderMigrationFiles()['20231231000000_flat_tables.sql']}\nALTER TABLE public.sessions ADD COLUMN mood text;`,
};
const versions = migrationFileNames.map((name) => name.slice(0, 14));
const hosted = useHosted();
let project: Project;
let pool: Pool;
let tandem: Tandem;

const history = async () =>
  (
    await pool.query<{ version: string }>('SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1')
  ).rows.map(({ version }) => version);
const push = () => project.run(hosted.url, 'db', 'push', '--yes');

describe.skipIf(noCli)('an online run of a project that the Supabase CLI has pushed to', () => {
  beforeEach(async () => {
    project = await createProject(own);
    expect(await push()).toMatchObject({ code: 0 });
    await hosted.query(`INSERT INTO auth.users (id) SELECT gen_random_uuid() FROM generate_series(1, 3);
      INSERT INTO public.sessions (user_id, language, level) SELECT id, 'es', 'beginner' FROM auth.users;
      INSERT INTO public.messages (session_id, user_id, sequence_number, content) SELECT id, user_id, n, 'Hola ' || n FROM public.sessions, generate_series(1, 5) n`);
    pool = createPool(hosted.url, { max: 10 });
    tandem = tandemOn({ pool });
  });
  afterEach(async () => {
    await pool.end();
    await project.remove();
  });

  test('leaves a history by which the CLI has nothing to do, and files that lead to the same', async () => {
    await tandem.migrate();
    await tandem.finish();
    expect(await history()).toEqual([INIT.slice(0, 14), ...versions]);
    // The repository does not have the files yet: the CLI says so, and fetches them.
    expect((await push()).code).toBe(1);
    expect(await project.run(hosted.url, 'migration', 'fetch', '--yes')).toMatchObject({ code: 0 });
    expect((await readdir(project.migrations)).sort()).toEqual([INIT, ...migrationFileNames]);
    const again = await push();
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain('up to date');
    const list = await project.run(hosted.url, 'migration', 'list', '--output-format', 'json');
    for (const version of versions) expect(list.stdout.split(version).length - 1).toBeGreaterThanOrEqual(2);

    const copy = await createTestDatabase();
    try {
      const client = await copy.connect();
      await client.query('CREATE SCHEMA extensions');
      for (const name of [INIT, ...migrationFileNames])
        await client.query(await readFile(join(project.migrations, name), 'utf8'));
      expect(
        catalogDifference(await catalogOf(hosted.database.pool, SCHEMAS), await catalogOf(copy.pool, SCHEMAS)),
      ).toEqual([]);
    } finally {
      await copy.drop();
    }
  });

  test('takes it back when it is rolled back, and leaves what others noted', async () => {
    await pool.query("INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ($1, 'mine')", [
      versions[1],
    ]);
    const before = await history();
    await tandem.migrate();
    expect(await history()).toEqual([INIT.slice(0, 14), ...versions]);
    await tandem.rollback();
    expect(await history()).toEqual(before);
  });

  test('goes on where the history may not be written, and says what to do', async () => {
    await hosted.database.pool.query('ALTER TABLE supabase_migrations.schema_migrations OWNER TO CURRENT_USER');
    const { rows } = await pool.query<{ role: string }>('SELECT quote_ident(current_user) AS role');
    await hosted.database.pool.query(`GRANT SELECT ON supabase_migrations.schema_migrations TO ${rows[0]?.role}`);
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
    expect(await history()).toEqual([INIT.slice(0, 14)]);
    expect(tandem.events).toContainEqual(
      expect.objectContaining({ event: 'finding', hint: expect.stringContaining('migration repair --status applied') }),
    );
    await tandem.rollback();
  });

  test('is told of newer migrations, and what the CLI wants then', async () => {
    const told = async () =>
      (await describePlan(pool, tandem.plan, runOptions)).findings.filter(({ subject }) => subject === 'supabase');
    expect(await told()).toEqual([]);
    await pool.query(
      "INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ('20250601000000', 'later')",
    );
    expect(await told()).toEqual([
      expect.objectContaining({
        severity: 'note',
        message: expect.stringContaining('20250601000000'),
        hint: expect.stringContaining('--include-all'),
      }),
    ]);
  });
});
