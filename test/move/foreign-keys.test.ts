import { expect, test } from 'vitest';
import { lockOrder } from '../../src/move/swap.ts';
import { useDatabase } from '../support/database.ts';
import { incomingOf, Moving, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();

interface Constraint {
  table: string;
  name: string;
  definition: string;
}

/** Foreign keys that point at a table, or that it has, as the server writes them. */
async function foreignKeys(table: string): Promise<Constraint[]> {
  const { rows } = await database.pool.query<Constraint>(
    `SELECT c.conrelid::regclass::text AS table, c.conname AS name, pg_get_constraintdef(c.oid) AS definition
       FROM pg_constraint c WHERE c.contype = 'f' AND $1::regclass IN (c.conrelid, c.confrelid) AND c.conparentid = 0
      ORDER BY 1, 2`,
    [table],
  );
  return rows;
}

/**
 * `things` refers to `groups` and to itself, and is referred to by two tables that are not moved, with every rule there
 * is. With `registry`, the new table is partitioned and others refer to a registry of its keys.
 */
async function things(registry: boolean): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem;
    CREATE TABLE public.groups (id integer PRIMARY KEY);
    CREATE TABLE public.things (id integer PRIMARY KEY, kind text NOT NULL DEFAULT 'a', "group" integer REFERENCES public.groups ON DELETE SET NULL ON UPDATE CASCADE,
      parent integer REFERENCES public.things DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE public.uses (id integer PRIMARY KEY, thing integer NOT NULL CONSTRAINT "the thing" REFERENCES public.things ON DELETE CASCADE);
    CREATE TABLE public.marks (id integer PRIMARY KEY, thing integer REFERENCES public.things ON DELETE RESTRICT);
    CREATE TABLE public.loose (id integer PRIMARY KEY, thing integer);
    INSERT INTO public.loose VALUES (1, 4711);
    ALTER TABLE public.loose ADD FOREIGN KEY (thing) REFERENCES public.things NOT VALID;
    INSERT INTO public.groups VALUES (1), (2);
    INSERT INTO public.things SELECT n, 'a', 1 + n % 2, nullif(n - 1, 0) FROM generate_series(1, 6) AS n;
    INSERT INTO public.uses SELECT n, n FROM generate_series(1, 6) AS n;
    INSERT INTO public.marks VALUES (1, 1), (2, 2)`);
  const registryName = { schema: 'public', name: 'thing_keys' };
  const base = await writeMove(pool, {
    source: { schema: 'public', name: 'things' },
    ...(registry ? { targetKey: ['id', 'kind'] } : {}),
    columns: ['id', 'kind', 'group', 'parent'].map((c) => sameColumn(c, c === 'kind' ? 'text' : 'integer')),
  });
  const identity = registry ? { table: registryName, columns: ['id'] } : base.identity;
  const redirected = base.targetForeignKeys.map((key) =>
    key.columns[0] === 'parent'
      ? { ...key, references: identity.table, referencedColumns: [...identity.columns] }
      : key,
  );
  const withIdentity = { ...base, identity, targetForeignKeys: redirected };
  const outside = (await incomingOf(pool, withIdentity)).filter((key) => key.before.table.name !== 'things');
  const move = { ...withIdentity, incoming: outside };
  const target = 'tandem.things_target';
  return new Moving(pool, [move], {
    things: {
      create: [
        `CREATE TABLE ${target} (id integer NOT NULL, kind text NOT NULL DEFAULT 'a', "group" integer, parent integer) ${registry ? 'PARTITION BY LIST (kind)' : ''}`,
        ...(registry
          ? [
              `CREATE TABLE tandem.things_a PARTITION OF ${target} FOR VALUES IN ('a')`,
              `CREATE TABLE tandem.things_b PARTITION OF ${target} FOR VALUES IN ('b')`,
              'CREATE TABLE public.thing_keys (id integer PRIMARY KEY)',
              `CREATE FUNCTION public.thing_key_put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO public.thing_keys VALUES (new.id) ON CONFLICT DO NOTHING; RETURN new; END $$`,
              `CREATE FUNCTION public.thing_key_remove() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NOT EXISTS (SELECT FROM public.things WHERE id = old.id) THEN DELETE FROM public.thing_keys WHERE id = old.id; END IF; RETURN NULL; END $$`,
              `CREATE TRIGGER put BEFORE INSERT ON ${target} FOR EACH ROW EXECUTE FUNCTION public.thing_key_put()`,
            ]
          : []),
      ],
      build: [`ALTER TABLE ${target} ADD PRIMARY KEY (${registry ? 'id, kind' : 'id'})`],
    },
  });
}

test('foreign keys of other tables point at the new table, unvalidated and in force, and come back as they were', async () => {
  const moving = await things(false);
  const before = await foreignKeys('public.things');
  expect(before.map((key) => key.name)).toHaveLength(5);
  await moving.prepare();
  await moving.swap();
  const notValid = before.map((key) => ({
    ...key,
    definition: key.definition.endsWith('NOT VALID') ? key.definition : `${key.definition} NOT VALID`,
  }));
  expect(await foreignKeys('public.things')).toEqual(notValid);
  expect(await foreignKeys('tandem.things_retired')).toEqual([]);
  const application = await database.connect();
  await expect(application.query('INSERT INTO public.uses VALUES (7, 99)')).rejects.toMatchObject({ code: '23503' });
  // RESTRICT has a code of its own from 18 on.
  const restricted = { code: expect.stringMatching(/^23(001|503)$/) };
  await expect(application.query('DELETE FROM public.things WHERE id = 1')).rejects.toMatchObject(restricted);
  // A cascade into the new table, from it into a table that is not moved, and the deferred key to itself.
  await application.query(`UPDATE public.groups SET id = 10 WHERE id = 1; UPDATE public.things SET parent = NULL WHERE parent = 6;
    BEGIN; DELETE FROM public.things WHERE id = 5; UPDATE public.things SET parent = NULL WHERE id = 6; COMMIT; DELETE FROM public.groups WHERE id = 2`);
  expect((await application.query('SELECT id FROM public.uses ORDER BY id')).rows.map((row) => row.id)).toEqual([
    1, 2, 3, 4, 6,
  ]);
  await moving.drain();
  expect(await moving.compare()).toMatchObject([{ rows: 5, differences: [] }]);
  await moving.swap();
  expect(await foreignKeys('public.things')).toEqual(notValid);
  const { rows } = await application.query('SELECT id, "group" FROM public.things ORDER BY id');
  expect(rows).toEqual([
    { id: 1, group: null },
    { id: 2, group: 10 },
    { id: 3, group: null },
    { id: 4, group: 10 },
    { id: 6, group: 10 },
  ]);
  for (const key of notValid.filter((k) => !k.table.endsWith('loose')))
    await application.query(`ALTER TABLE ${key.table} VALIDATE CONSTRAINT "${key.name}"`);
  await expect(application.query('INSERT INTO public.uses VALUES (7, 99)')).rejects.toMatchObject({ code: '23503' });
});

test('where the new table is partitioned, they point at the registry of its keys', async () => {
  const moving = await things(true);
  const before = await foreignKeys('public.things');
  await moving.prepare();
  const remove =
    'CREATE TRIGGER remove AFTER DELETE ON public.things FOR EACH ROW EXECUTE FUNCTION public.thing_key_remove()';
  await moving.swap({ live: [remove] });
  const registry = (await foreignKeys('public.thing_keys')).map((key) => `${key.table} ${key.name}`);
  expect(registry.filter((key) => !key.startsWith('public.things_'))).toEqual([
    'public.loose loose_thing_fkey',
    'public.marks marks_thing_fkey',
    'public.uses "the thing"'.replaceAll('"', ''),
  ]);
  // Of the new table, each partition has its own until they are validated: NOT VALID is not for parents.
  expect(registry.filter((key) => key.startsWith('public.things_'))).toEqual([
    'public.things_a things_parent_fkey',
    'public.things_b things_parent_fkey',
  ]);
  const application = await database.connect();
  await application.query(
    "UPDATE public.things SET kind = 'b' WHERE id = 6; INSERT INTO public.things VALUES (7, 'b', 1, 6); INSERT INTO public.uses VALUES (7, 7)",
  );
  await expect(application.query('INSERT INTO public.uses VALUES (8, 99)')).rejects.toMatchObject({ code: '23503' });
  await application.query('DELETE FROM public.things WHERE id = 7');
  expect((await application.query('SELECT count(*)::int AS n FROM public.uses')).rows).toEqual([{ n: 6 }]);
  await moving.drain();
  expect(await moving.compare()).toMatchObject([{ rows: 6, differences: [] }]);
  await moving.swap({ live: ['DROP TRIGGER remove ON public.things'] });
  const definitions = (keys: Constraint[]) => keys.map((key) => key.definition.replace(' NOT VALID', ''));
  expect(definitions(await foreignKeys('public.things'))).toEqual(definitions(before));
  expect((await foreignKeys('public.thing_keys')).filter((key) => !key.table.startsWith('tandem.'))).toEqual([]);
});

test('tables that refer are locked before those that they refer to, the same way in both directions', async () => {
  const { pool } = database;
  const moving = await things(false);
  const [move] = moving.moves;
  if (!move) throw new Error('There is no move.');
  await pool.query(
    'CREATE TABLE public.aaa (id integer PRIMARY KEY, thing integer REFERENCES public.things, zzz integer)',
  );
  const child = await writeMove(pool, {
    name: 'aaa',
    source: { schema: 'public', name: 'aaa' },
    columns: [sameColumn('id', 'integer')],
    other: { targetForeignKeys: [] },
  });
  const names = (moves: typeof moving.moves) => lockOrder(moves).map((name) => name.name);
  const order = ['aaa', 'loose', 'marks', 'uses', 'things'];
  expect(names([move, child])).toEqual(order);
  expect(names([child, move])).toEqual(order);
  // Two tables that refer to each other have no right order, but they have one.
  const circle = {
    ...move,
    sourceForeignKeys: move.sourceForeignKeys.map((k) => ({ ...k, references: child.source })),
  };
  expect(names([child, circle])).toEqual(names([circle, child]));
});
