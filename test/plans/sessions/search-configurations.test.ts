import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { packageRoot } from '../../../src/db/sql-file.ts';
import { fewRows } from '../../engine/flat-database.ts';
import { catalogOf } from '../../engine/snapshot.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { insertMessage, insertSession, insertUser, migrated, only, runMigrationFiles } from './fixtures.ts';
import { contentsFound, say } from './searching.ts';

const wordsOf = async (client: pg.Client, language: string, content: string) => {
  const { rows } = await client.query<{ words: string }>(
    'SELECT private.to_search($1::public.session_language, $2)::text AS words',
    [language, content],
  );
  return only(rows).words;
};
const placeOfUnaccent = async (client: Pick<pg.Client, 'query'>) =>
  (await client.query("SELECT extnamespace::regnamespace::text AS schema FROM pg_extension WHERE extname = 'unaccent'"))
    .rows;

const REFUSE_EXTENSIONS = `
  CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE 'extension "unaccent" is not available' USING ERRCODE = 'feature_not_supported'; END $$;
  CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE EXTENSION') EXECUTE FUNCTION public.refuse()`;

describe('what is indexed', () => {
  const database = useDatabase(migrated, { per: 'suite' });

  test.each([
    ['en', 'The naïve cats were running', "'cat':3 'naiv':2 'run':5"],
    ['de', 'Häuser und Straßen', "'haus':1 'strass':3"],
    // Both stems at one position, so that phrases still hold.
    ['es', 'una habitación grande', "'grand':3 'habit':2 'habitacion':2"],
    ['fr', 'en général', "'general':2 'général':2"],
    ['es', 'los gatos corren', "'corr':3 'gat':2"],
    ['fr', '', ''],
  ])('%s: %s', async (language, content, words) => {
    expect(await wordsOf(await database.connect(), language, content)).toBe(words);
  });

  test('an application that may only write messages needs no right on the helpers', async () => {
    const client = await database.connect();
    const user = await insertUser(client);
    const session = await insertSession(client, user, { language: 'es' });
    await client.query('BEGIN');
    await client.query("SELECT set_config('request.jwt.claim.sub', $1, true)", [user]);
    await client.query('SET LOCAL ROLE authenticated');
    await insertMessage(client, session, user, 'una habitación', 1);
    expect((await client.query('SELECT content_search::text AS words FROM public.messages')).rows).toEqual([
      { words: "'habit':2 'habitacion':2" },
    ]);
    await client.query('ROLLBACK');
  });
});

describe('the extension unaccent', () => {
  const database = useDatabase();
  let client: pg.Client;
  beforeEach(async () => {
    client = await database.connect();
  });

  test('goes to the schema of Supabase where there is one', async () => {
    await client.query('CREATE SCHEMA extensions');
    await runMigrationFiles(client);
    expect(await placeOfUnaccent(client)).toEqual([{ schema: 'extensions' }]);
    expect(await wordsOf(client, 'de', 'Häuser über Straßen')).toBe("'haus':1 'strass':3 'uber':2");
  });

  test('is taken from wherever it stands', async () => {
    await client.query('CREATE SCHEMA "My Tools"; CREATE EXTENSION unaccent SCHEMA "My Tools"');
    await runMigrationFiles(client);
    expect(await placeOfUnaccent(client)).toEqual([{ schema: '"My Tools"' }]);
    expect(await wordsOf(client, 'en', 'naïve')).toBe("'naiv':1");
  });

  test('that cannot be had costs the accents, with a warning', async () => {
    await client.query(REFUSE_EXTENSIONS);
    const warnings: (string | undefined)[] = [];
    client.on('notice', (notice) => warnings.push(notice.message));
    await runMigrationFiles(client);
    expect(warnings).toContainEqual(expect.stringContaining('unaccent cannot be installed'));
    expect(await placeOfUnaccent(client)).toEqual([]);
    expect(await wordsOf(client, 'es', 'una habitación')).toBe("'habit':2");
    expect(await wordsOf(client, 'en', 'naïve cats')).toBe("'cat':2 'naïv':1");
    const user = await insertUser(client);
    await say(client, user, 'es', ['Una habitación']);
    await say(client, user, 'de', ['Das Mädchen']);
    expect(await contentsFound(client, { query: 'habitacion' })).toEqual([]);
    expect(await contentsFound(client, { query: 'habitaciones or Mädchen' })).toHaveLength(2);

    // What docs/search.md says to do when it can be had after all.
    const document = await readFile(join(packageRoot(), 'docs/search.md'), 'utf8');
    const recipe = /## Without unaccent[\s\S]*?```sql\n([\s\S]*?)```/.exec(document)?.[1] ?? '';
    await client.query('DROP EVENT TRIGGER refuse; CREATE SCHEMA extensions');
    await client.query(recipe.replace('UPDATE messages', 'UPDATE public.messages').replace('WHERE …', ''));
    expect(await contentsFound(client, { query: 'habitacion' })).toEqual(['Una habitación']);
    expect(await contentsFound(client, { query: 'madchn' })).toEqual(['Das Mädchen']);
    expect(await contentsFound(client, { query: 'habitacio', typing: true })).toEqual(['Una habitación']);
  });
});

describe('an online run', () => {
  const database = useDatabase(fewRows);

  test('says that it had to do without the extension, and goes there and back', async () => {
    await database.pool.query(REFUSE_EXTENSIONS);
    const before = await catalogOf(database.pool, ['public', 'private', 'auth']);
    const tandem = tandemOn(database);
    await tandem.migrate();
    expect(tandem.events).toContainEqual({
      event: 'note',
      message: expect.stringContaining('unaccent is not installed'),
    });
    expect(await tandem.verify()).toMatchObject({ ok: true });
    await tandem.rollback();
    expect(catalogDifference(before, await catalogOf(database.pool, ['public', 'private', 'auth']))).toEqual([]);
  });
});

describe('going back', () => {
  const database = useDatabase(fewRows);

  test('takes the extension along that came with the run', async () => {
    const before = await catalogOf(database.pool, ['public', 'private', 'auth']);
    const tandem = tandemOn(database);
    await tandem.migrate();
    expect(await placeOfUnaccent(database.pool)).toEqual([{ schema: 'private' }]);
    await tandem.rollback();
    expect(await placeOfUnaccent(database.pool)).toEqual([]);
    expect(catalogDifference(before, await catalogOf(database.pool, ['public', 'private', 'auth']))).toEqual([]);
  });

  test('leaves one that was there before, or that somebody has put to use since', async () => {
    const tandem = tandemOn(database);
    await database.pool.query('CREATE EXTENSION unaccent SCHEMA public');
    await tandem.migrate({ stopBefore: 'cutover' });
    await tandem.rollback();
    expect(await placeOfUnaccent(database.pool)).toEqual([{ schema: 'public' }]);
    await database.pool.query('DROP EXTENSION unaccent');
    await tandem.migrate({ stopBefore: 'cutover' });
    await database.pool.query('CREATE VIEW public.plain AS SELECT private.unaccent(title) FROM public.sessions');
    await tandem.rollback();
    expect(await placeOfUnaccent(database.pool)).toEqual([{ schema: 'private' }]);
  });
});
