import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { expect, test } from 'vitest';
import { useDatabase } from '../support/database.ts';
import { swapMeeting } from './blocked.ts';
import { Moving, sameColumn, symmetricDifference, writeMove } from './moving.ts';

const database = useDatabase();

async function tasks(): Promise<Moving> {
  const { pool } = database;
  await pool.query(`CREATE SCHEMA tandem; CREATE TABLE public.tasks (id integer PRIMARY KEY, state text NOT NULL, note text);
    INSERT INTO public.tasks SELECT n, (ARRAY['open', 'done'])[1 + n % 2], 'task ' || n FROM generate_series(1, 40) AS n`);
  const move = await writeMove(pool, {
    name: 'tasks',
    source: { schema: 'public', name: 'tasks' },
    targetKey: ['id', 'state'],
    columns: [sameColumn('id', 'integer'), sameColumn('state', 'text'), sameColumn('note', 'text')],
  });
  return new Moving(pool, [move], {
    tasks: {
      create: [
        'CREATE TABLE tandem.tasks_target (id integer NOT NULL, state text NOT NULL, note text) PARTITION BY LIST (state)',
        "CREATE TABLE tandem.tasks_open PARTITION OF tandem.tasks_target FOR VALUES IN ('open')",
        "CREATE TABLE tandem.tasks_done PARTITION OF tandem.tasks_target FOR VALUES IN ('done')",
      ],
      build: ['ALTER TABLE tandem.tasks_target ADD PRIMARY KEY (id, state)'],
    },
  });
}

/** As an archiving job may do it: to the partitions by their own names. */
async function writeToPartitions(client: pg.Client, from: number): Promise<void> {
  await client.query(`INSERT INTO public.tasks_open VALUES (${from}, 'open', 'new'), (${from + 1}, 'open', 'new')`);
  await client.query(`UPDATE public.tasks_open SET note = 'changed in its place' WHERE id IN (2, ${from})`);
  await client.query(`DELETE FROM public.tasks_done WHERE id = ${1 + 2 * (from / 100)}`);
  await client.query(
    `WITH moved AS (DELETE FROM public.tasks_open WHERE id = ${from + 1} RETURNING *) INSERT INTO public.tasks_done SELECT id, 'done', note FROM moved`,
  );
  const stream = client.query(copyFrom('COPY public.tasks_done FROM STDIN'));
  stream.end(`${from + 2}\tdone\tcopied\n`);
  await once(stream, 'finish');
}

const difference = (a: string, b: string) =>
  symmetricDifference(database.pool, `SELECT id, state, note FROM ${a}`, `SELECT id, state, note FROM ${b}`);

test('writes to a partition by its own name reach the retired table, in the bake and up to the last moment', async () => {
  const moving = await tasks();
  await moving.prepare();
  await moving.swap();
  const application = await database.connect();
  await writeToPartitions(application, 100);
  await moving.drain();
  expect(await difference('public.tasks', 'tandem.tasks_retired')).toEqual([]);
  expect(await moving.compare()).toMatchObject([{ differences: [], leftOut: 0 }]);

  // A writer that holds one partition, and not its parent.
  const writer = await database.connect();
  await writer.query('BEGIN');
  await writeToPartitions(writer, 200);
  let committed: Promise<unknown> | null = null;
  const { attempts } = await moving.swap({
    emit: (event) => {
      if (event.event === 'lock_attempt' && !event.obtained) committed ??= writer.query('COMMIT');
    },
  });
  await committed;
  expect(attempts).toBeGreaterThan(1);
  expect(await difference('public.tasks', 'tandem.tasks_target')).toEqual([]);
});

test('a write to a partition between the last drain and the locks is drained under them', async () => {
  const moving = await tasks();
  await moving.prepare();
  await moving.swap();
  const application = await database.connect();
  const { attempts } = await swapMeeting(moving, await database.connect(), () => writeToPartitions(application, 100));
  expect(attempts).toBe(1);
  expect(await difference('public.tasks', 'tandem.tasks_target')).toEqual([]);
  const { rows } = await application.query('SELECT count(*)::int AS n FROM public.tasks WHERE id >= 100');
  expect(rows).toEqual([{ n: 3 }]);
});

test('under the locks, nobody writes to a partition either', async () => {
  const moving = await tasks();
  await moving.prepare();
  await moving.swap();
  const application = await database.connect();
  await application.query("SET lock_timeout = '100ms'");
  const write = "UPDATE public.tasks_open SET note = 'too late' WHERE id = 2";
  // Once a session has written there, it knows all about the partition and asks no more for its parent.
  await application.query(write.replace('too late', 'in time'));
  await swapMeeting(
    moving,
    await database.connect(),
    async () => {
      await expect(application.query(write)).rejects.toMatchObject({ code: '55P03' });
    },
    { under: 'the locks' },
  );
  expect(await difference('public.tasks', 'tandem.tasks_target')).toEqual([]);
});

test('a row that no partition takes is set aside, and comes in once there is one', async () => {
  const moving = await tasks();
  await moving.prepare();
  await database.pool.query("UPDATE public.tasks SET state = 'lost' WHERE id IN (3, 4)");
  await moving.drain();
  expect(await moving.quarantined()).toMatchObject([{ key: ['3'] }, { key: ['4'] }]);
  expect(await moving.compare()).toMatchObject([
    { rows: 38, leftOut: 2, differences: [], partitions: { tasks_done: 19, tasks_open: 19 } },
  ]);
  await database.pool.query(`CREATE TABLE tandem.tasks_lost PARTITION OF tandem.tasks_target FOR VALUES IN ('lost');
    UPDATE public.tasks SET note = note WHERE id IN (3, 4)`);
  await moving.drain();
  expect(await moving.compare()).toMatchObject([
    { rows: 40, leftOut: 0, differences: [], partitions: { tasks_done: 19, tasks_lost: 2, tasks_open: 19 } },
  ]);
});

test('a row that stands in two partitions is found', async () => {
  const moving = await tasks();
  await moving.prepare();
  await database.pool.query("INSERT INTO tandem.tasks_done VALUES (2, 'done', 'task 2')");
  expect((await moving.compare())[0]?.differences).toEqual([{ key: '2', kind: 'changed', columns: ['state'] }]);
});

test('partitions that differ in the order of their columns are written right', async () => {
  const moving = await tasks();
  await moving.begin();
  await database.pool.query(`ALTER TABLE tandem.tasks_target DETACH PARTITION tandem.tasks_done; DROP TABLE tandem.tasks_done;
    CREATE TABLE tandem.tasks_done (note text, dropped text, id integer NOT NULL, state text NOT NULL);
    ALTER TABLE tandem.tasks_done DROP COLUMN dropped;
    ALTER TABLE tandem.tasks_target ATTACH PARTITION tandem.tasks_done FOR VALUES IN ('done')`);
  await moving.copy();
  await moving.build();
  await database.pool.query("UPDATE public.tasks SET state = 'done', note = 'moved' WHERE id < 10");
  await moving.drain();
  expect(await difference('public.tasks', 'tandem.tasks_target')).toEqual([]);
  await moving.swap();
  await database.pool.query("UPDATE public.tasks SET state = 'open', note = 'moved back' WHERE id < 5");
  await moving.drain();
  expect(await difference('public.tasks', 'tandem.tasks_retired')).toEqual([]);
});
