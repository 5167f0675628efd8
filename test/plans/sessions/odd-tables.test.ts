import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import { sessionsNames } from '../../../plans/sessions/names.ts';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { partitionNames } from '../../../src/db/describe-table.ts';
import { quoteIdent } from '../../../src/db/identifier.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { catalogOf, rowsOf } from '../../engine/snapshot.ts';
import { type Config, tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';

const database = useDatabase(flatWithRows('odd_few', { sessions: 20, messages: 60 }));

/** As many columns as PostgreSQL lets a table have. */
const MOST_COLUMNS = 1600;
const further = (table: string, own: number, upTo: number) =>
  `ALTER TABLE public.${table} ${Array.from({ length: upTo - own }, (_, i) => `ADD COLUMN c${i} ${i % 2 ? 'int' : 'text'}`).join(', ')};
   UPDATE public.${table} SET c0 = 'first', c1 = 1, c${upTo - own - 1} = NULL, c${upTo - own - 2} = NULL;`;
const weird = 'Weird "name';
const other = 'Ünï';
/** 62 bytes, and so the same where a suffix is cut off. */
const LONG = 'ß'.repeat(31);

interface Odd {
  readonly name: string;
  readonly sql: string;
  readonly config?: Config;
  readonly schema?: string;
  readonly tables?: readonly [string, string];
}

const odd: Odd[] = [
  { name: 'empty', sql: 'TRUNCATE public.sessions CASCADE' },
  {
    name: 'with one row',
    sql: `DELETE FROM public.messages WHERE id <> (SELECT id FROM public.messages ORDER BY id LIMIT 1);
      DELETE FROM public.sessions WHERE id <> (SELECT session_id FROM public.messages)`,
  },
  {
    name: 'with one session that has no message',
    sql: `DELETE FROM public.sessions WHERE id <> (SELECT id FROM public.sessions ORDER BY id LIMIT 1); TRUNCATE public.messages`,
  },
  {
    name: 'with 1,600 and 1,598 columns',
    sql: further('sessions', 9, MOST_COLUMNS) + further('messages', 7, MOST_COLUMNS - 2),
  },
  {
    name: 'with a column named "Weird ""name"',
    sql: `ALTER TABLE public.sessions ADD COLUMN ${quoteIdent(weird)} text DEFAULT 'x"y''z';
      ALTER TABLE public.messages ADD COLUMN ${quoteIdent(weird)} int; CREATE INDEX ON public.messages (${quoteIdent(weird)});
      ALTER TABLE public.sessions RENAME COLUMN user_id TO ${quoteIdent('the "user"')}; UPDATE public.messages SET ${quoteIdent(weird)} = 7`,
    config: { sessions: { columns: { user_id: 'the "user"' } } },
  },
  {
    name: 'in a schema named Ünï, with tables and columns of such names',
    sql: `CREATE SCHEMA "Ünï"; ALTER TABLE public.sessions SET SCHEMA "Ünï"; ALTER TABLE public.messages SET SCHEMA "Ünï";
      ALTER TABLE "Ünï".sessions RENAME TO "Sitzung 🦜"; ALTER TABLE "Ünï"."Sitzung 🦜" RENAME COLUMN title TO "größe";
      GRANT USAGE ON SCHEMA "Ünï" TO authenticated, service_role`,
    config: {
      sessions: { table: '"Ünï"."Sitzung 🦜"', columns: { title: 'größe' } },
      messages: { table: '"Ünï".messages' },
    },
    schema: other,
    tables: ['Sitzung 🦜', 'messages'],
  },
  {
    name: 'with names as long as names may be, of characters of two bytes',
    sql: `ALTER TABLE public.sessions RENAME TO "${LONG}1"; ALTER TABLE public.messages RENAME TO "${LONG}2"`,
    config: { sessions: { table: `public."${LONG}1"` }, messages: { table: `public."${LONG}2"` } },
    tables: [`${LONG}1`, `${LONG}2`],
  },
];

test('messages with 1,600 columns, which leaves no room for those that are added, are refused before anything is changed', async () => {
  await database.pool.query(further('messages', 7, MOST_COLUMNS));
  await expect(tandemOn(database).migrate()).rejects.toMatchObject({
    code: 'TD011',
    detail: 'public.messages: the new table would have 1,602 columns, and PostgreSQL allows 1,600',
  });
  expect((await database.pool.query("SELECT to_regnamespace('tandem') AS there")).rows).toEqual([{ there: null }]);
});

test.each(odd)(
  'tables $name go there and back, row by row',
  async ({ sql, config, schema = 'public', tables = ['sessions', 'messages'] }) => {
    await database.pool.query(sql);
    const schemas = ['public', 'auth', 'private', schema];
    const content = async () => [
      ...(await catalogOf(database.pool, schemas)),
      ...(await rowsOf(database.pool, schemas)),
    ];
    const before = await content();
    const count = async () => {
      const [sessions, messages] = tables.map((name) => `${quoteIdent(schema)}.${quoteIdent(name)}`);
      const { rows } = await database.pool.query(
        `SELECT (SELECT count(*)::int FROM ${sessions}) AS sessions, (SELECT count(*)::int FROM ${messages}) AS messages`,
      );
      return rows[0];
    };
    const rows = await count();
    const tandem = tandemOn(database, config);
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking', rows: rows.sessions + rows.messages });
    expect(await count()).toEqual(rows);
    // By the names that the plan calls them, and none of them cut short by the server.
    const { partitions } = sessionsNames(sessionsConfigSchema.parse(config ?? {}));
    const named = await partitionNames(database.pool, { schema, name: tables[0] });
    expect(named).toEqual(Object.values(partitions));
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    // The drain writes every column, too.
    const table = `${quoteIdent(schema)}.${quoteIdent(tables[1])}`;
    await database.pool.query(`UPDATE ${table} SET content = content || ''`);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
    expect(catalogDifference(before, await content())).toEqual([]);
  },
);
