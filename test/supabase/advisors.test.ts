import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { examine } from '../../plans/sessions/keeper/doctor.ts';
import { installKeeper } from '../../plans/sessions/keeper/install.ts';
import { sessionsNames } from '../../plans/sessions/names.ts';
import { useDatabase } from '../support/database.ts';
import { createProject, noCli, type Project } from './cli.ts';
import { migratedProject } from './hosted.ts';

const database = useDatabase(migratedProject);
const names = sessionsNames(sessionsConfigSchema.parse({}));
let project: Project;
beforeAll(async () => {
  project = await createProject({});
});
afterAll(() => project.remove());

const findings = z.array(z.object({ name: z.string(), metadata: z.object({ schema: z.string(), name: z.string() }) }));
const advise = () => project.run(database.url, 'db', 'advisors', '--level', 'warn', '--fail-on', 'warn');
const query = async (sql: string) => void (await database.pool.query(sql));

/** What `tandem doctor` says of row security. */
const doctors = async () => (await examine(database.pool, names)).find(({ name }) => name === 'security');

describe.skipIf(noCli)('supabase db advisors --level warn --fail-on warn', () => {
  test('finds nothing in the end state', async () => {
    expect(await advise()).toMatchObject({ code: 0, stdout: '' });
  });

  test('of the keeper, only procedures that commit: they cannot have settings of their own', async () => {
    await installKeeper(database.pool, names);
    const { stdout } = await advise();
    const found = findings.parse(stdout === '' ? [] : JSON.parse(stdout));
    const { rows } = await database.pool.query<{ name: string }>(
      "SELECT proname::text AS name FROM pg_proc WHERE prokind = 'p' AND pronamespace = 'keeper'::regnamespace AND prosrc ~* '\\mcommit\\M'",
    );
    const committing = rows.map(({ name }) => `keeper.${name}`);
    expect(found.filter(({ name }) => name !== 'function_search_path_mutable')).toEqual([]);
    expect(committing).toEqual(
      expect.arrayContaining(found.map(({ metadata }) => `${metadata.schema}.${metadata.name}`)),
    );
  });

  test.each([
    ['row security that is off', 'ALTER TABLE public.messages DISABLE ROW LEVEL SECURITY', 'rls_disabled_in_public'],
    [
      'a function that anybody’s search_path leads',
      'ALTER FUNCTION public.messages(public.sessions) RESET search_path',
      'function_search_path_mutable',
    ],
    [
      'a policy that asks for the user in every row',
      'CREATE POLICY again ON public.messages FOR SELECT TO service_role USING (user_id = auth.uid())',
      'auth_rls_initplan',
    ],
  ])('does look: %s', async (_, sql, lint) => {
    await query(sql);
    const { code, stdout } = await advise();
    expect(code).toBe(1);
    expect(stdout).toContain(`"${lint}"`);
  });

  test('does not see the partitioned parent', async () => {
    await query(
      'ALTER TABLE public.sessions DISABLE ROW LEVEL SECURITY; DROP POLICY sessions_select_own ON public.sessions',
    );
    expect(await advise()).toMatchObject({ code: 0 });
  });
});

describe('tandem doctor sees', () => {
  test('every table and partition that has row security', async () => {
    expect(await doctors()).toMatchObject({ state: 'ok' });
  });

  test.each([
    [
      'the parent without row security',
      'ALTER TABLE public.sessions DISABLE ROW LEVEL SECURITY',
      'public.sessions has row security off',
    ],
    [
      'a partition without',
      'ALTER TABLE public.sessions_archived DISABLE ROW LEVEL SECURITY',
      'public.sessions_archived has row security off',
    ],
    [
      'the parent without a policy',
      "DO $$ DECLARE p text; BEGIN FOR p IN SELECT polname FROM pg_policy WHERE polrelid = 'public.sessions'::regclass LOOP EXECUTE format('DROP POLICY %I ON public.sessions', p); END LOOP; END $$",
      'public.sessions has no policy',
    ],
  ])('%s', async (_, sql, message) => {
    await query(sql);
    expect(await doctors()).toMatchObject({ state: 'failed', message });
  });
});
