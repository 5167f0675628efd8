import { afterEach, expect, test } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { useDatabase } from '../support/database.ts';
import { Moving, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();
const roles: string[] = [];

/** A pool of Tandem's for a role that owns the tables but is no superuser: policies can hide rows from it. */
async function poolOfOwner() {
  const role = `owner_${new URL(database.url).pathname.slice(-10)}`;
  roles.push(role);
  await database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  await database.pool.query(`GRANT CREATE ON DATABASE "${new URL(database.url).pathname.slice(1)}" TO ${role}`);
  await database.pool.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
  const url = new URL(database.url);
  url.username = role;
  url.password = 'secret';
  return createPool(url.href, { max: 4 });
}

afterEach(async () => {
  for (const role of roles.splice(0)) await database.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
});

test("a policy that hides rows from the table's own owner stops the copy, the drain and the comparison", async () => {
  const pool = await poolOfOwner();
  try {
    await pool.query(`CREATE TABLE public.notes (id integer PRIMARY KEY, secret boolean);
      INSERT INTO public.notes SELECT n, n % 2 = 0 FROM generate_series(1, 10) AS n`);
    await pool.query('CREATE SCHEMA tandem');
    const move = await writeMove(pool, {
      name: 'notes',
      source: { schema: 'public', name: 'notes' },
      columns: [sameColumn('id', 'integer'), sameColumn('secret', 'boolean')],
    });
    const moving = new Moving(pool, [move], {
      notes: {
        create: ['CREATE TABLE tandem.notes_target (id integer, secret boolean)'],
        build: ['ALTER TABLE tandem.notes_target ADD PRIMARY KEY (id)'],
      },
    });
    await moving.begin();
    const hide = `ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY; ALTER TABLE public.notes FORCE ROW LEVEL SECURITY;
      CREATE POLICY visible ON public.notes USING (NOT secret)`;
    const show = `ALTER TABLE public.notes NO FORCE ROW LEVEL SECURITY; DROP POLICY visible ON public.notes`;
    await pool.query(hide);
    await expect(moving.copy()).rejects.toMatchObject({ code: '42501' });
    await pool.query(show);
    expect(await moving.copy()).toMatchObject({ rows: 10 });
    await moving.build();
    await pool.query('UPDATE public.notes SET secret = true WHERE id = 1');
    await pool.query(hide);
    // A row that is not seen would be taken for one that is gone.
    await expect(moving.drain()).rejects.toMatchObject({ code: '42501' });
    await expect(moving.compare()).rejects.toMatchObject({ code: '42501' });
    await pool.query(show);
    await moving.drain();
    expect(await moving.compare()).toMatchObject([{ rows: 10, differences: [] }]);
  } finally {
    await pool.end();
  }
});
