import { describe, expect, test } from 'vitest';
import { useDatabase } from '../support/database.ts';
import { Moving, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();

/** A table with triggers of every kind, each of which writes down that it fired. */
async function watched(partitioned: boolean): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem; CREATE SCHEMA "Quoted";
    CREATE TABLE public.fired (n integer GENERATED ALWAYS AS IDENTITY, what text);
    CREATE TABLE public.watched (id integer PRIMARY KEY, kind text NOT NULL DEFAULT 'a', note text, changes integer NOT NULL DEFAULT 0);
    INSERT INTO public.watched VALUES (1, 'a', 'one'), (2, 'b', 'two'), (3, 'a', 'three');
    CREATE FUNCTION "Quoted"."Note it"() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO public.fired (what) VALUES (concat_ws(' ', tg_name, tg_when, tg_op, tg_level, tg_argv[0])); RETURN coalesce(new, old); END $$;
    CREATE FUNCTION public.count_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.changes = new.changes + 1; RETURN new; END $$;
    CREATE TRIGGER a_before BEFORE UPDATE OF note ON public.watched FOR EACH ROW WHEN (new.note IS DISTINCT FROM old.note) EXECUTE FUNCTION public.count_change();
    CREATE TRIGGER "B after" AFTER INSERT OR DELETE ON public.watched FOR EACH ROW EXECUTE FUNCTION "Quoted"."Note it"('an argument, it''s');
    CREATE TRIGGER c_statement AFTER UPDATE ON public.watched FOR EACH STATEMENT EXECUTE FUNCTION "Quoted"."Note it"();
    CREATE TRIGGER d_always AFTER UPDATE ON public.watched FOR EACH ROW EXECUTE FUNCTION "Quoted"."Note it"();
    CREATE TRIGGER e_replica AFTER UPDATE ON public.watched FOR EACH ROW EXECUTE FUNCTION "Quoted"."Note it"();
    CREATE TRIGGER f_disabled AFTER UPDATE ON public.watched FOR EACH ROW EXECUTE FUNCTION "Quoted"."Note it"();
    CREATE TRIGGER g_truncate AFTER TRUNCATE ON public.watched FOR EACH STATEMENT EXECUTE FUNCTION "Quoted"."Note it"();
    ALTER TABLE public.watched ENABLE ALWAYS TRIGGER d_always;
    ALTER TABLE public.watched ENABLE REPLICA TRIGGER e_replica;
    ALTER TABLE public.watched DISABLE TRIGGER f_disabled`);
  const move = await writeMove(pool, {
    name: 'watched',
    source: { schema: 'public', name: 'watched' },
    ...(partitioned ? { targetKey: ['id', 'kind'] } : {}),
    columns: [
      sameColumn('id', 'integer'),
      sameColumn('kind', 'text'),
      sameColumn('note', 'text'),
      sameColumn('changes', 'integer'),
    ],
  });
  return new Moving(pool, [move], {
    watched: {
      create: [
        `CREATE TABLE tandem.watched_target (id integer NOT NULL, kind text NOT NULL DEFAULT 'a', note text, changes integer NOT NULL DEFAULT 0)
           ${partitioned ? 'PARTITION BY LIST (kind)' : ''}`,
        ...(partitioned
          ? ['a', 'b'].map(
              (k) => `CREATE TABLE tandem.watched_${k} PARTITION OF tandem.watched_target FOR VALUES IN ('${k}')`,
            )
          : []),
      ],
      build: [`ALTER TABLE tandem.watched_target ADD PRIMARY KEY (${partitioned ? 'id, kind' : 'id'})`],
    },
  });
}

const triggers = async (table: string) => {
  const { rows } = await database.pool.query(
    `SELECT tgname AS name, tgenabled AS enabled, replace(pg_get_triggerdef(oid), $1, 'public.watched') AS definition
       FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal AND tgname NOT LIKE 'tandem%' ORDER BY tgname`,
    [table],
  );
  return rows;
};

/** What fired since the last look. */
const fired = async () => {
  const { rows } = await database.pool.query<{ what: string }>(
    'WITH f AS (DELETE FROM public.fired RETURNING *) SELECT what FROM f ORDER BY n',
  );
  return rows.map((row) => row.what);
};

describe.each([
  ['a plain table', false],
  ['a partitioned table', true],
])('triggers of the user, on the way to %s', (_, partitioned) => {
  test('fire for the application and for nobody else, and come back as they were', async () => {
    const moving = await watched(partitioned);
    const application = await database.connect();
    const before = await triggers('public.watched');
    expect(before.map((t) => `${t.name} ${t.enabled}`)).toEqual([
      'B after O',
      'a_before O',
      'c_statement O',
      'd_always A',
      'e_replica R',
      'f_disabled D',
      'g_truncate O',
    ]);
    await moving.prepare();
    await application.query("UPDATE public.watched SET note = 'changed' WHERE id = 1");
    expect(await fired()).toEqual(['d_always AFTER UPDATE ROW', 'c_statement AFTER UPDATE STATEMENT']);
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 3, differences: [] }]);
    await moving.swap();
    expect(await fired()).toEqual([]);

    expect(await triggers('public.watched')).toEqual(before);
    expect((await triggers('tandem.watched_retired')).map((t) => t.enabled)).toEqual(Array(7).fill('D'));
    await application.query(
      "INSERT INTO public.watched VALUES (4, 'b', 'four'); UPDATE public.watched SET note = 'again' WHERE id = 2",
    );
    await application.query('DELETE FROM public.watched WHERE id = 3; SET session_replication_role = replica');
    await application.query(
      "UPDATE public.watched SET note = 'replicated' WHERE id = 4; SET session_replication_role = origin",
    );
    expect(await fired()).toEqual([
      "B after AFTER INSERT ROW an argument, it's",
      'd_always AFTER UPDATE ROW',
      'c_statement AFTER UPDATE STATEMENT',
      "B after AFTER DELETE ROW an argument, it's",
      'd_always AFTER UPDATE ROW',
      'e_replica AFTER UPDATE ROW',
    ]);
    await moving.drain();
    expect(await fired()).toEqual([]);
    expect(await moving.compare()).toMatchObject([{ rows: 3, differences: [] }]);

    await moving.swap();
    expect(await fired()).toEqual([]);
    expect(await triggers('public.watched')).toEqual(before);
    const { rows } = await application.query('SELECT id, note, changes FROM public.watched ORDER BY id');
    // Changes were counted where the application made them, and not once more by a drain.
    expect(rows).toEqual([
      { id: 1, note: 'changed', changes: 1 },
      { id: 2, note: 'again', changes: 1 },
      { id: 4, note: 'replicated', changes: 0 },
    ]);
    await application.query("UPDATE public.watched SET note = 'back' WHERE id = 1; TRUNCATE public.watched");
    expect(await fired()).toEqual([
      'd_always AFTER UPDATE ROW',
      'c_statement AFTER UPDATE STATEMENT',
      'g_truncate AFTER TRUNCATE STATEMENT',
    ]);
  });
});
