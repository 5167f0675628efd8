import type pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import { useDatabase } from '../../support/database.ts';
import { asRole, insertMessage, insertSession, insertUser, migrated, only } from './fixtures.ts';

const database = useDatabase(migrated, { per: 'suite' });
let client: pg.Client;
let ann: string;
let bob: string;
const sessions: Record<string, string> = {};

beforeAll(async () => {
  client = await database.connect();
  [ann, bob] = [await insertUser(client), await insertUser(client)];
  const say = async (user: string, language: string, title: string, contents: string[]) => {
    sessions[title] = await insertSession(client, user, { language, title });
    for (const content of contents) await insertMessage(client, sessions[title] ?? '', user, content, null);
  };
  await say(ann, 'en', 'English', ['The cats were running home', 'A test query runs in the database', 'A die is cast']);
  await say(ann, 'es', 'Español', ['Los gatos corrían a casa', 'Ella quiere una habitación']);
  await say(ann, 'fr', 'Français', ['Les chats couraient vers la maison', 'Nous avons mangé une pomme']);
  await say(ann, 'de', 'Deutsch', ['Die Katzen liefen nach Hause', 'Das Haus ist groß', 'home']);
  await say(bob, 'en', "Bob's", ["Bob's cats were running as well", 'home home home']);
});

const search = async (...parameters: (string | null)[]) => {
  const list = parameters.map((_, i) => `$${i + 1}`).join(', ');
  const { rows } = await client.query<{ content: string; rank: number }>(
    `SELECT * FROM public.search_messages(${list})`,
    parameters,
  );
  return rows;
};
const contents = async (...parameters: (string | null)[]) => (await search(...parameters)).map((row) => row.content);

describe('a word is found in its other forms, in the language of the session', () => {
  test.each([
    ['English', 'cat run', 'The cats were running home'],
    ['Español', 'gato correr', 'Los gatos corrían a casa'],
    ['Español', 'corriendo', 'Los gatos corrían a casa'],
    ['Español', 'habitaciones', 'Ella quiere una habitación'],
    ['Español', 'habitacion', 'Ella quiere una habitación'],
    ['Español', 'gató CORRIAN', 'Los gatos corrían a casa'],
    ['Español', '"una habitacion"', 'Ella quiere una habitación'],
    ['Español', '“una habitación”', 'Ella quiere una habitación'],
    ['Français', '« une pomme »', 'Nous avons mangé une pomme'],
    ['Français', 'chat', 'Les chats couraient vers la maison'],
    ['Français', 'manger', 'Nous avons mangé une pomme'],
    ['Français', 'mangé pommes', 'Nous avons mangé une pomme'],
    ['Deutsch', 'Katze', 'Die Katzen liefen nach Hause'],
    ['Deutsch', 'Häuser', 'Das Haus ist groß'],
    ['Deutsch', 'über Haus gross', 'Das Haus ist groß'],
  ])('%s: %s', async (_, query, content) => {
    expect(await contents(query, null, ann)).toContain(content);
  });

  test('and not by the stop words or stems of another language', async () => {
    // "die" is an article in German and a word in English.
    expect(await contents('die', null, ann)).toEqual(['A die is cast']);
    // The English stem of "running" is "run", which German does not make of it.
    expect(await contents('running', null, ann)).toEqual([
      'A test query runs in the database',
      'The cats were running home',
    ]);
  });
});

test('the call of the guide works', async () => {
  const rows = await search('test query', null, ann);
  expect(rows).toMatchObject([
    {
      session_id: sessions.English,
      session_title: 'English',
      user_id: ann,
      type: 'text',
      sequence_number: 2,
      language: 'en',
      content: 'A test query runs in the database',
    },
  ]);
  expect(Object.keys(rows[0] ?? {})).toEqual([
    'id',
    'session_id',
    'session_title',
    'user_id',
    'type',
    'sequence_number',
    'language',
    'content',
    'created_at',
    'rank',
    'snippet',
    'correction',
  ]);
});

test('arguments can be left out or named, as PostgREST does', async () => {
  expect((await contents('cats')).sort()).toEqual(["Bob's cats were running as well", 'The cats were running home']);
  const { rows } = await client.query(
    'SELECT content FROM public.search_messages(query => $1, user_id => $2, session_id => $3)',
    ['cats', bob, sessions["Bob's"]],
  );
  expect(rows).toHaveLength(1);
  expect(await contents('cats', sessions.Deutsch ?? null, null)).toEqual([]);
});

test('phrases, alternatives and exclusions are understood, and nothing is a syntax error', async () => {
  for (const phrase of ['"running home"', '“running home”', '„running home“', '«running home»']) {
    expect(await contents(phrase, null, ann)).toEqual(['The cats were running home']);
    expect(await contents(phrase.replace('running home', 'home running'), null, ann)).toEqual([]);
  }
  expect((await contents('database or pomme', null, ann)).sort()).toEqual([
    'A test query runs in the database',
    'Nous avons mangé une pomme',
  ]);
  expect(await contents('run -cat', null, ann)).toEqual(['A test query runs in the database']);
  // Of "corrían" the stemmer makes "corr", and without its accent "corri": either excludes.
  await insertMessage(client, sessions.Español ?? '', ann, 'Mis perros corremos', null);
  for (const query of ['perro', 'perro -vamos']) expect(await contents(query, null, ann)).toHaveLength(1);
  for (const query of ['perro -corrían', 'perro -corremos', 'perro -"mis perros"']) {
    expect([query, await contents(query, null, ann)]).toEqual([query, []]);
  }
  for (const query of ['', '   ', 'the', '-cats', '"', "'", ':*', '&|!', 'a:b & (', '\u{1f418}', '%_\\']) {
    expect(Array.isArray(await contents(query, null, ann))).toBe(true);
  }
  expect(await contents('-cats', null, ann)).toEqual([]);
  expect(await contents('the', null, ann)).toEqual([]);
  expect(await search(null, null, null)).toEqual([]);
});

test('the best match comes first, the newest among equals', async () => {
  const rows = await search('home');
  expect(rows[0]?.content).toBe('home home home');
  expect(rows.map((row) => row.rank)).toEqual(rows.map((row) => row.rank).sort((a, b) => b - a));
  const [older, newer] = [
    await insertMessage(client, sessions.English ?? '', ann, 'umbrella', null),
    await insertMessage(client, sessions.English ?? '', ann, 'umbrella', null),
  ];
  const found = await client.query<{ id: string }>("SELECT id FROM public.search_messages('umbrella', NULL, $1)", [
    ann,
  ]);
  expect(found.rows.map((row) => row.id)).toEqual([newer, older]);
});

test('a signed-in user finds own messages only, whoever they ask for', async () => {
  for (const setting of ['json', 'single'] as const) {
    await asRole(client, 'authenticated', { setting, sub: ann }, async () => {
      expect(await contents('cats')).toEqual(['The cats were running home']);
      expect(await contents('cats', null, bob)).toEqual([]);
      expect(await contents('cats', sessions["Bob's"] ?? null)).toEqual([]);
    });
  }
  expect(await asRole(client, 'service_role', null, () => contents('cats'))).toHaveLength(2);
});

test('a schema that a caller puts first changes nothing', async () => {
  const other = await database.connect();
  await other.query(`
    CREATE SCHEMA trap;
    CREATE FUNCTION trap.ts_rank_cd(tsvector, tsquery) RETURNS real LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
    CREATE FUNCTION trap.websearch_to_tsquery(regconfig, text) RETURNS tsquery LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
    SET search_path = trap, pg_catalog, public`);
  expect((await other.query("SELECT content FROM public.search_messages('cats', NULL, $1)", [ann])).rows).toHaveLength(
    1,
  );
});

test('messages of a session and the session of a message are computed relationships under row security', async () => {
  await asRole(client, 'authenticated', { setting: 'json', sub: ann }, async () => {
    const { rows } = await client.query(
      `SELECT s.title, count(m.*)::int AS messages, min(back.title) AS back FROM public.sessions s
        CROSS JOIN LATERAL public.messages(s) m CROSS JOIN LATERAL public.sessions(m) back
        WHERE s.id = $1 GROUP BY s.title`,
      [sessions.Deutsch],
    );
    expect(rows).toEqual([{ title: 'Deutsch', messages: 3, back: 'Deutsch' }]);
  });
});

describe('on a larger table', () => {
  beforeAll(async () => {
    await client.query('INSERT INTO auth.users SELECT gen_random_uuid() FROM generate_series(1, 40)');
    await client.query(
      `INSERT INTO public.sessions (user_id, language, level) SELECT id, (enum_range(null::public.session_language))[1 + g % 4], 'beginner'
         FROM auth.users, generate_series(1, 5) g`,
    );
    await client.query(
      `INSERT INTO public.messages (session_id, user_id, sequence_number, content)
       SELECT id, user_id, g, 'word' || g || ' filler text' FROM public.sessions, generate_series(1, 50) g`,
    );
    await client.query('ANALYZE public.messages');
  });

  const planOf = async (role: 'authenticated' | 'service_role', sql: string) =>
    asRole(client, role, { setting: 'json', sub: ann }, async () => {
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`);
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    });

  test('service_role is served by the text index, a user by the index on their messages', async () => {
    const sql = "SELECT * FROM public.messages WHERE content_search @@ 'word7'::tsquery";
    expect(await planOf('service_role', sql)).toContain('messages_content_search_idx');
    expect(await planOf('authenticated', sql)).toContain('messages_user_id_created_at_idx');
  });

  test('20 messages come back, and at most 100', async () => {
    expect(await contents('filler')).toHaveLength(20);
    const { rowCount } = await client.query("SELECT FROM public.search_messages('filler', max_results => 5000)");
    expect(rowCount).toBe(100);
  });

  test('the computed relationships read by their index: few pages for one row', async () => {
    const pagesOf = async (sql: string) =>
      asRole(client, 'service_role', null, async () => {
        const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`);
        return only(rows)['QUERY PLAN'][0].Plan['Shared Hit Blocks'];
      });
    const ofOne = 'WHERE id = (SELECT id FROM public.sessions LIMIT 1) LIMIT 1 OFFSET 0';
    const whole = await pagesOf('SELECT FROM public.messages');
    expect(whole).toBeGreaterThan(200);
    const messagesOf = `SELECT m.* FROM (SELECT * FROM public.sessions ${ofOne}) s, LATERAL public.messages(s) m`;
    const sessionsOf = `SELECT s.* FROM (SELECT m.* FROM public.messages m LIMIT 1) m, LATERAL public.sessions(m) s`;
    // Once for the caches of the catalog.
    for (const sql of [messagesOf, sessionsOf]) {
      await pagesOf(sql);
      expect(await pagesOf(sql)).toBeLessThan(whole / 3);
    }
  });
});
