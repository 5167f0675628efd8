import { describe, expect, test } from 'vitest';
import { backlog } from '../../src/move/change-log.ts';
import { forward } from '../../src/move/direction.ts';
import { drainUntil } from '../../src/move/drain.ts';
import { useDatabase } from '../support/database.ts';
import { swapMeeting } from './blocked.ts';
import { enumColumn, Moving, newColumn, sameColumn, symmetricDifference, writeMove } from './moving.ts';

const database = useDatabase();

/** Chats, partitioned by state, and their posts, each of which takes the language and the options of its chat. */
async function chatsAndPosts(options: { references?: boolean; postsFirst?: boolean } = {}): Promise<Moving> {
  const { pool } = database;
  const { references = true, postsFirst = false } = options;
  await pool.query(`CREATE TYPE public.language AS ENUM ('en', 'de', 'fr'); CREATE SCHEMA tandem;
    CREATE TABLE public.chats (id integer PRIMARY KEY, language text, state text NOT NULL, options json, touched integer DEFAULT 0);
    CREATE TABLE public.posts (id integer PRIMARY KEY, chat integer ${references ? 'REFERENCES public.chats ON DELETE CASCADE' : ''}, body text);
    CREATE INDEX ON public.posts (chat);
    INSERT INTO public.chats SELECT n, 'en', 'open', '{"a": 1}' FROM generate_series(1, 10) AS n;
    INSERT INTO public.posts SELECT n, 1 + n % 10, 'post ' || n FROM generate_series(1, 100) AS n`);
  const chats = await writeMove(pool, {
    name: 'chats',
    source: { schema: 'public', name: 'chats' },
    targetKey: ['id', 'state'],
    columns: [
      sameColumn('id', 'integer'),
      enumColumn('language', 'public.language', ['en', 'de', 'fr']),
      sameColumn('state', 'text'),
      sameColumn('options', 'json'),
      sameColumn('touched', 'integer'),
    ],
    other: {
      sourceForeignKeys: [],
      targetForeignKeys: [],
      dependents: [
        {
          move: 'posts',
          source: { schema: 'public', name: 'posts' },
          sourceKey: 'id',
          column: 'chat',
          when: ['language', 'options'],
        },
      ],
    },
  });
  const label = "p.language IN ('en', 'de', 'fr')";
  const posts = await writeMove(pool, {
    name: 'posts',
    source: { schema: 'public', name: 'posts' },
    columns: [
      sameColumn('id', 'integer'),
      sameColumn('chat', 'integer'),
      sameColumn('body', 'text'),
      newColumn('language', 'public.language', `CASE WHEN ${label} THEN p.language::public.language END`, {
        fits: label,
      }),
      newColumn('options', 'json', 'p.options'),
    ],
    other: { joins: 'LEFT JOIN public.chats p ON p.id = s.chat', targetForeignKeys: [] },
  });
  return new Moving(pool, postsFirst ? [posts, chats] : [chats, posts], {
    chats: {
      create: [
        `CREATE TABLE tandem.chats_target (id integer NOT NULL, language public.language, state text NOT NULL, options json, touched integer)
           PARTITION BY LIST (state)`,
        "CREATE TABLE tandem.chats_open PARTITION OF tandem.chats_target FOR VALUES IN ('open')",
        "CREATE TABLE tandem.chats_closed PARTITION OF tandem.chats_target FOR VALUES IN ('closed')",
      ],
      build: ['ALTER TABLE tandem.chats_target ADD PRIMARY KEY (id, state)'],
    },
    posts: {
      create: [
        'CREATE TABLE tandem.posts_target (id integer NOT NULL, chat integer, body text, language public.language, options json)',
      ],
      build: ['ALTER TABLE tandem.posts_target ADD PRIMARY KEY (id)'],
    },
  });
}

const moveOf = (moving: Moving, name: string) => {
  const move = moving.moves.find((m) => m.name === name);
  if (!move) throw new Error(`There is no move ${name}.`);
  return move;
};

/** Drains the chats alone. Returns how many posts are due then. */
async function postsDue(moving: Moving): Promise<number> {
  await drainUntil(database.pool, forward(moveOf(moving, 'chats')), { rest: 1 });
  return backlog(database.pool, moveOf(moving, 'posts'));
}

const expectPostsRight = async (where = 'true') => {
  expect(
    await symmetricDifference(
      database.pool,
      `SELECT s.id, s.body, c.language, c.options::text FROM public.posts s JOIN public.chats c ON c.id = s.chat WHERE ${where}`,
      'SELECT id, body, language::text, options::text FROM tandem.posts_target',
    ),
  ).toEqual([]);
};

describe('rows of one table that take a value from another', () => {
  test.each([
    ['a change of the column', "UPDATE public.chats SET language = 'de' WHERE id = 3", 10],
    [
      'a change of one of the columns, of a type without equality',
      `UPDATE public.chats SET options = '{"a":1}' WHERE id = 4`,
      10,
    ],
    [
      'a change in two chats, one of them moving',
      "UPDATE public.chats SET language = 'fr', state = 'closed' WHERE id IN (1, 2)",
      20,
    ],
    ['a mere touch', 'UPDATE public.chats SET touched = touched + 1', 0],
    ['a move to another partition', "UPDATE public.chats SET state = 'closed' WHERE id < 6", 0],
    [
      'a change that was taken back',
      "UPDATE public.chats SET language = 'de'; UPDATE public.chats SET language = 'en'",
      0,
    ],
    ['another chat', "INSERT INTO public.chats VALUES (11, 'en', 'open')", 0],
  ])('%s makes just their rows due', async (_, sql, due) => {
    const moving = await chatsAndPosts();
    await moving.prepare();
    await database.pool.query(sql);
    expect(await postsDue(moving)).toBe(due);
    await moving.drain();
    await expectPostsRight();
    expect(await moving.compare()).toMatchObject([{ differences: [] }, { rows: 100, leftOut: 0, differences: [] }]);
  });

  test('are left out of a comparison while what they look at is still to be drained', async () => {
    const moving = await chatsAndPosts();
    await moving.prepare();
    await database.pool.query("UPDATE public.chats SET language = 'de' WHERE id = 3");
    expect(await moving.compare()).toMatchObject([
      { rows: 9, differences: [] },
      { rows: 90, differences: [] },
    ]);
    await postsDue(moving);
    expect(await moving.compare()).toMatchObject([
      { rows: 10, differences: [] },
      { rows: 90, differences: [] },
    ]);
    await moving.drain();
    expect(await moving.compare()).toMatchObject([
      { rows: 10, differences: [] },
      { rows: 100, differences: [] },
    ]);
  });

  test('a post drained while its chat said otherwise for a moment is drained again', async () => {
    const moving = await chatsAndPosts();
    await moving.prepare();
    const { pool } = database;
    const posts = () => drainUntil(pool, forward(moveOf(moving, 'posts'), moving.moves), { rest: 1 });
    await pool.query(
      "UPDATE public.chats SET language = 'de' WHERE id = 3; UPDATE public.posts SET body = body WHERE id IN (2, 3)",
    );
    // Of the two, post 2 belongs to the chat whose change is not drained yet.
    expect(await posts()).toMatchObject({ taken: 1 });
    expect(await backlog(pool, moveOf(moving, 'posts'))).toBe(1);
    await pool.query("UPDATE public.chats SET language = 'en' WHERE id = 3");
    expect(await postsDue(moving)).toBe(1);
    await posts();
    await expectPostsRight();
    expect(await moving.compare()).toMatchObject([{ differences: [] }, { rows: 100, leftOut: 0, differences: [] }]);
  });

  test('a chat that is set aside takes its posts along, and brings them back', async () => {
    const moving = await chatsAndPosts();
    await moving.prepare();
    await database.pool.query("UPDATE public.chats SET language = 'tlh' WHERE id = 3");
    await moving.drain();
    expect((await moving.quarantined()).map((q) => q.table).sort()).toEqual(['chats', ...Array(10).fill('posts')]);
    expect(await moving.compare()).toMatchObject([
      { rows: 9, differences: [] },
      { rows: 90, leftOut: 10, differences: [] },
    ]);
    await database.pool.query("UPDATE public.chats SET language = 'de' WHERE id = 3");
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    await expectPostsRight();
  });

  test('a chat that is deleted takes its posts along, by the foreign key or by quarantine', async () => {
    const moving = await chatsAndPosts();
    await moving.prepare();
    await database.pool.query('DELETE FROM public.chats WHERE id = 3');
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    await expectPostsRight();
    expect(await moving.compare()).toMatchObject([
      { rows: 9, differences: [] },
      { rows: 90, leftOut: 0, differences: [] },
    ]);
  });

  test('posts without a chat are set aside, and come in with it', async () => {
    const moving = await chatsAndPosts({ references: false });
    await moving.prepare();
    const { pool } = database;
    await pool.query("DELETE FROM public.chats WHERE id = 3; INSERT INTO public.posts VALUES (200, 77, 'alone')");
    await moving.drain();
    expect(await moving.quarantined()).toHaveLength(11);
    expect(await moving.compare()).toMatchObject([
      { rows: 9, differences: [] },
      { rows: 90, leftOut: 11, differences: [] },
    ]);
    await pool.query("INSERT INTO public.chats VALUES (3, 'fr', 'closed'), (77, 'de', 'open')");
    await moving.drain();
    expect(await moving.quarantined()).toEqual([]);
    await expectPostsRight();
  });

  test('a TRUNCATE of the chats reaches their posts', async () => {
    const moving = await chatsAndPosts({ references: false });
    await moving.prepare();
    await database.pool.query("TRUNCATE public.chats; INSERT INTO public.chats VALUES (5, 'de', 'open')");
    await moving.drain();
    expect(await moving.quarantined()).toHaveLength(90);
    await expectPostsRight();
    expect(await moving.compare()).toMatchObject([
      { rows: 1, differences: [] },
      { rows: 10, leftOut: 90, differences: [] },
    ]);
  });

  test.each([
    ['chats first: in the same attempt', false, 1],
    ['posts first: the attempt is given up, and the next one finds nothing left to do', true, 2],
  ])('a change between the last drain and the locks, %s', async (_, postsFirst, attempts) => {
    const moving = await chatsAndPosts({ postsFirst });
    await moving.prepare();
    const result = await swapMeeting(moving, await database.connect(), async () => {
      await database.pool.query("UPDATE public.chats SET language = 'de' WHERE id IN (3, 4)");
    });
    expect(result.attempts).toBe(attempts);
    const { rows } = await database.pool.query(
      'SELECT p.language, count(*)::int AS n FROM public.posts p JOIN public.chats c ON c.id = p.chat AND c.language = p.language GROUP BY 1 ORDER BY 1',
    );
    expect(rows).toEqual([
      { language: 'en', n: 80 },
      { language: 'de', n: 20 },
    ]);
  });
});
