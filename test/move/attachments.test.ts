import { expect, test } from 'vitest';
import { type Attachment, readAttachments } from '../../src/db/attachments.ts';
import { carriedSql, indexOnTarget, triggerOnTarget } from '../../src/move/carry.ts';
import { attachmentFindings, isReplaced } from '../../src/move/compare-attachments.ts';
import { hangingOn } from '../../src/move/hanging.ts';
import { useDatabase } from '../support/database.ts';
import { Moving, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();

/** A table that the server quotes wherever it names it, and that is not partitioned. */
const TABLE = { schema: 'public', name: 'order' };

async function orders(): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem;
    CREATE TABLE public."order" (id integer PRIMARY KEY, state varchar(9) DEFAULT 'open', note text, total numeric CHECK (total > 0));
    INSERT INTO public."order" SELECT n, 'open', 'n' || n, n FROM generate_series(1, 50) AS n;
    ALTER TABLE public."order" ALTER note SET STORAGE MAIN, ALTER note SET STATISTICS 300, SET (fillfactor = 70), REPLICA IDENTITY FULL;
    COMMENT ON TABLE public."order" IS 'of customers';
    GRANT SELECT ON public."order" TO PUBLIC;
    CREATE INDEX open_idx ON public."order" (total) WHERE state = 'open';
    CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER stamp BEFORE UPDATE ON public."order" FOR EACH ROW EXECUTE FUNCTION public.stamp();
    ALTER TABLE public."order" ENABLE ALWAYS TRIGGER stamp, ENABLE ROW LEVEL SECURITY;
    CREATE POLICY dear ON public."order" USING (total > 10 AND (state <> 'gone' OR note IS NULL));
    CREATE VIEW public.open AS SELECT * FROM public."order" WHERE state = 'open';
    CREATE FUNCTION public.n() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM public."order"; END;
    CREATE PUBLICATION every FOR ALL TABLES WITH (publish = 'insert')`);
  const move = await writeMove(pool, {
    name: 'orders',
    source: TABLE,
    columns: [
      sameColumn('id', 'integer'),
      sameColumn('state', 'text', { sourceType: 'character varying(9)' }),
      sameColumn('note', 'text'),
      sameColumn('total', 'numeric'),
    ],
  });
  const index = 'CREATE INDEX open_idx ON public."order" USING btree (total) WHERE ((state)::text = \'open\'::text)';
  return new Moving(pool, [move], {
    orders: {
      create: [
        `CREATE TABLE tandem.orders_target (id integer NOT NULL, state text DEFAULT 'open', note text, total numeric)`,
        ...(await carriedSql(pool, TABLE, move.target, { retyped: ['state'], exceptRoles: [] })),
        // As it is tried before the cutover.
        ...move.userTriggers.flatMap(({ definition }) => [
          triggerOnTarget(definition, TABLE, move.target),
          'DROP TRIGGER stamp ON tandem.orders_target',
        ]),
      ],
      build: ['ALTER TABLE tandem.orders_target ADD PRIMARY KEY (id)', indexOnTarget(index, TABLE, move.target)],
    },
  });
}

/** Moves the table, and notes what hangs on it, before and after. */
async function moved(): Promise<{ moving: Moving; source: Attachment[]; carried: Attachment[] }> {
  const moving = await orders();
  await moving.prepare();
  let source: Attachment[] = [];
  await moving.swap({
    dependents: await hangingOn(database.pool, moving.moves, new Map()),
    beforeLocks: async (client) => {
      source = (await readAttachments(client, [TABLE])).filter((a) => !isReplaced(a, moving.moves));
    },
  });
  return { moving, source, carried: await readAttachments(database.pool, [TABLE]) };
}

test('a plain table takes along what hangs on it, and what is lost afterwards is named', async () => {
  const { moving, source, carried } = await moved();
  expect(new Set(source.map((a) => a.kind)).size).toBeGreaterThan(13);
  expect(attachmentFindings({ source, carried }, carried, moving.moves)).toEqual([]);
  await database.pool.query(
    'DROP POLICY dear ON public."order"; ALTER TABLE public."order" ALTER note SET STORAGE EXTENDED',
  );
  const now = await readAttachments(database.pool, [TABLE]);
  expect(attachmentFindings({ source, carried }, now, moving.moves).map((f) => f.message)).toEqual([
    'storage of column note on public."order" is missing',
    'policy dear on public."order" is missing',
  ]);
});

test('what the cutover itself lost is named, whatever was there right after it', async () => {
  const { moving, source, carried } = await moved();
  const lost = carried.filter((a) => a.kind !== 'publication' && a.what !== 'owner');
  const wrong = lost.map((a) => (a.kind === 'policy' ? { ...a, definition: a.definition.replace('10', '20') } : a));
  expect(attachmentFindings({ source, carried: wrong }, wrong, moving.moves).map((f) => f.message)).toEqual([
    expect.stringMatching(/^owner on public\."order" is missing/),
    expect.stringMatching(/^policy dear on public\."order" is altered/),
    expect.stringMatching(/^publication every on public\."order" is missing/),
    expect.stringMatching(/^owner on public\.n\(\) is missing/),
    expect.stringMatching(/^owner on public\.open is missing/),
  ]);
  // Mended by hand, it is as the source had it.
  expect(attachmentFindings({ source, carried: wrong }, carried, moving.moves)).toEqual([]);
});
