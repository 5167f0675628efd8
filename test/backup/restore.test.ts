import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { restoreBackup } from '../../src/backup/restore.ts';
import { createPool } from '../../src/db/connect.ts';
import type { Progress } from '../../src/engine/progress.ts';
import { useDatabase } from '../support/database.ts';
import { failureOf, named, sql, until, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();

async function backUp(...names: string[]): Promise<string> {
  const directory = newDirectory();
  await backupTables({ pool: database.pool, tables: names.map(named), directory });
  return directory;
}
const restore = (directory: string) => restoreBackup({ pool: database.pool, directory });
const count = async (name: string) => (await sql(database, `SELECT count(*)::int AS n FROM public.${name}`))[0]?.n;

const parentAndChild = `
  CREATE TABLE public.child (id int PRIMARY KEY, parent int, elder int REFERENCES public.child);
  CREATE TABLE public.parent (id int PRIMARY KEY);
  ALTER TABLE public.child ADD FOREIGN KEY (parent) REFERENCES public.parent;
  INSERT INTO public.parent SELECT generate_series(1, 10);
  INSERT INTO public.child SELECT i, i, 11 - i FROM generate_series(1, 10) i`;

test('referenced tables are loaded first, whatever the order in the backup', async () => {
  await sql(database, parentAndChild);
  const directory = await backUp('child', 'parent');
  await sql(database, 'TRUNCATE public.parent, public.child');
  const manifest = await restore(directory);
  expect(manifest.tables.map(({ name }) => name)).toEqual(['child', 'parent']);
  expect([await count('parent'), await count('child')]).toEqual([10, 10]);
});

test('foreign keys to partitioned tables and from their partitions are followed too', async () => {
  await sql(
    database,
    `CREATE TABLE public.child (id int, parent int) PARTITION BY HASH (id);
     CREATE TABLE public.child_0 PARTITION OF public.child FOR VALUES WITH (MODULUS 1, REMAINDER 0);
     CREATE TABLE public.parent (id int PRIMARY KEY) PARTITION BY RANGE (id);
     CREATE TABLE public.parent_0 PARTITION OF public.parent FOR VALUES FROM (0) TO (100);
     ALTER TABLE public.child_0 ADD FOREIGN KEY (parent) REFERENCES public.parent;
     INSERT INTO public.parent VALUES (1);
     INSERT INTO public.child VALUES (1, 1)`,
  );
  const directory = await backUp('child', 'parent');
  await sql(database, 'TRUNCATE public.parent, public.child');
  await restore(directory);
  expect(await count('child')).toBe(1);
});

test('tables that reference each other are loaded where a key can be deferred', async () => {
  await sql(
    database,
    `${parentAndChild};
     ALTER TABLE public.parent ADD COLUMN favourite int DEFAULT 3 REFERENCES public.child DEFERRABLE;
     CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
     CREATE TRIGGER touch BEFORE INSERT ON public.parent FOR EACH ROW EXECUTE FUNCTION public.touch()`,
  );
  const directory = await backUp('child', 'parent');
  await sql(database, 'TRUNCATE public.parent, public.child');
  await restore(directory);
  expect(await count('child')).toBe(10);

  await sql(
    database,
    'TRUNCATE public.parent, public.child; ALTER TABLE public.parent ALTER CONSTRAINT parent_favourite_fkey NOT DEFERRABLE',
  );
  const failure = await failureOf(restore(directory));
  expect(failure).toMatchObject({
    code: 'TD044',
    detail: expect.stringContaining('ALTER CONSTRAINT "parent_favourite_fkey"'),
  });
});

test('a table that holds rows is refused, and all of them are named', async () => {
  await sql(database, `${parentAndChild}; CREATE TABLE public.empty (n int)`);
  const directory = await backUp('child', 'empty', 'parent');
  const failure = await failureOf(restore(directory));
  expect(failure).toMatchObject({ code: 'TD043', message: expect.stringContaining('public.child are not empty') });
  expect(failure.message).toContain('public.parent');
  expect(failure.message).not.toContain('public.empty');
  expect(await count('parent')).toBe(10);
});

test('one table can be restored by itself', async () => {
  await sql(database, parentAndChild);
  const directory = await backUp('child', 'parent');
  await sql(database, 'TRUNCATE public.child');
  const manifest = await restoreBackup({ pool: database.pool, directory, tables: [named('child')] });
  expect(manifest.tables.map(({ name }) => name)).toEqual(['child']);
  expect(await count('child')).toBe(10);
});

test('a table that is missing, lacks a column or has another type is refused with what differs', async () => {
  await sql(database, 'CREATE TABLE public.t (id int, note text, at timestamptz); INSERT INTO public.t VALUES (1)');
  const directory = await backUp('t');
  await sql(database, 'DROP TABLE public.t');
  expect(await failureOf(restore(directory))).toMatchObject({ code: 'TD005', message: 'There is no table public.t.' });
  await sql(database, 'CREATE TABLE public.t (id int, at date)');
  expect(await failureOf(restore(directory))).toMatchObject({
    code: 'TD044',
    detail: 'note text: missing\nat timestamp with time zone: now date',
  });
  expect(await count('t')).toBe(0);
});

test('columns may stand in another order, and new ones take their defaults', async () => {
  await sql(database, "CREATE TABLE public.t (id int, note text); INSERT INTO public.t VALUES (1, 'one')");
  const directory = await backUp('t');
  await sql(database, 'DROP TABLE public.t; CREATE TABLE public.t (flag boolean DEFAULT true, note text, id int)');
  await restore(directory);
  expect(await sql(database, 'TABLE public.t')).toEqual([{ flag: true, note: 'one', id: 1 }]);
});

test('a row that does not fit is told with its table and line, and nothing is kept', async () => {
  await sql(
    database,
    `${parentAndChild}; CREATE TABLE public.t (id int, note text); INSERT INTO public.t SELECT i, 'n' FROM generate_series(1, 5000) i`,
  );
  const directory = await backUp('parent', 't');
  await sql(database, 'TRUNCATE public.t, public.parent, public.child; ALTER TABLE public.t ADD CHECK (id <> 4321)');
  const failure = await failureOf(restore(directory));
  expect(failure).toMatchObject({
    code: 'TD044',
    hint: expect.any(String),
    detail: expect.stringContaining('t_id_check'),
  });
  expect(failure.message).toBe('The rows of public.t do not fit, line 4322 of t_backup.csv.');
  expect([await count('parent'), await count('t')]).toEqual([0, 0]);
});

test.each(['', ' DEFERRABLE INITIALLY DEFERRED'])(
  'a row without the one that it references is refused (key%s)',
  async (deferrable) => {
    await sql(
      database,
      `CREATE TABLE public.users (id int PRIMARY KEY);
     CREATE TABLE public.t (id int, owner int REFERENCES public.users${deferrable});
     INSERT INTO public.users VALUES (1), (2);
     INSERT INTO public.t VALUES (1, 1), (2, 2)`,
    );
    const directory = await backUp('t');
    await sql(database, 'DELETE FROM public.t; DELETE FROM public.users WHERE id = 2');
    const failure = await failureOf(restore(directory));
    expect(failure).toMatchObject({ code: 'TD044', detail: expect.stringContaining('(owner)=(2)') });
    expect(await count('t')).toBe(0);
  },
);

test('users’ triggers do not fire, and each is as it was afterwards, in partitions too', async () => {
  await sql(
    database,
    `CREATE TABLE public.log (what text);
     CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN INSERT INTO public.log VALUES (TG_NAME); IF TG_LEVEL = 'ROW' THEN NEW.note := 'altered'; END IF; RETURN NEW; END $$;
     CREATE TABLE public.p (id int, note text) PARTITION BY LIST (id);
     CREATE TABLE public.p_1 PARTITION OF public.p FOR VALUES IN (1);
     CREATE TABLE public.p_2 PARTITION OF public.p DEFAULT;
     INSERT INTO public.p VALUES (1, 'one'), (2, 'two');
     CREATE TRIGGER row_origin BEFORE INSERT ON public.p FOR EACH ROW EXECUTE FUNCTION public.note();
     CREATE TRIGGER row_always BEFORE INSERT ON public.p_1 FOR EACH ROW EXECUTE FUNCTION public.note();
     CREATE TRIGGER row_replica BEFORE INSERT ON public.p_1 FOR EACH ROW EXECUTE FUNCTION public.note();
     CREATE TRIGGER row_off BEFORE INSERT ON public.p_1 FOR EACH ROW EXECUTE FUNCTION public.note();
     CREATE TRIGGER statement BEFORE INSERT ON public.p EXECUTE FUNCTION public.note();
     CREATE CONSTRAINT TRIGGER late AFTER INSERT ON public.p DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note();
     ALTER TABLE public.p_1 ENABLE ALWAYS TRIGGER row_always;
     ALTER TABLE public.p_1 ENABLE REPLICA TRIGGER row_replica;
     ALTER TABLE public.p_1 DISABLE TRIGGER row_off;
     ALTER TABLE ONLY public.p_2 DISABLE TRIGGER row_origin`,
  );
  const states = () =>
    sql(
      database,
      'SELECT tgrelid::regclass::text t, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2',
    );
  const before = await states();
  expect(new Set(before.map((row) => row.tgenabled))).toEqual(new Set(['O', 'A', 'R', 'D']));
  const directory = await backUp('p');
  await sql(database, 'TRUNCATE public.p');
  await restore(directory);
  expect(await sql(database, 'SELECT * FROM public.p ORDER BY id')).toEqual([
    { id: 1, note: 'one' },
    { id: 2, note: 'two' },
  ]);
  expect(await count('log')).toBe(0);
  expect(await states()).toEqual(before);
});

test('rules do not rewrite what is loaded, and Tandem’s own triggers do fire', async () => {
  await sql(
    database,
    `CREATE SCHEMA tandem;
     CREATE TABLE tandem.log (id int);
     CREATE FUNCTION tandem.log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO tandem.log VALUES (NEW.id); RETURN NULL; END';
     CREATE TABLE public.t (id int, twice int GENERATED ALWAYS AS (id * 2) STORED);
     INSERT INTO public.t VALUES (1), (2);
     CREATE RULE nothing AS ON INSERT TO public.t DO INSTEAD NOTHING;
     CREATE TRIGGER tandem_log AFTER INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION tandem.log()`,
  );
  const directory = await backUp('t');
  await sql(database, 'TRUNCATE public.t');
  await restore(directory);
  expect(await sql(database, 'SELECT * FROM public.t')).toEqual([
    { id: 1, twice: 2 },
    { id: 2, twice: 4 },
  ]);
  expect(await sql(database, 'SELECT id FROM tandem.log')).toHaveLength(2);
});

test('a role that row-level security would filter may not restore', async () => {
  await sql(
    database,
    `CREATE TABLE public.t (id int);
     INSERT INTO public.t VALUES (1);
     DROP ROLE IF EXISTS tandem_test_writer;
     CREATE ROLE tandem_test_writer;
     GRANT ALL ON SCHEMA public TO tandem_test_writer;
     GRANT ALL ON public.t TO tandem_test_writer`,
  );
  const directory = await backUp('t');
  await sql(
    database,
    'TRUNCATE public.t; ALTER TABLE public.t ENABLE ROW LEVEL SECURITY; CREATE POLICY all_rows ON public.t USING (true)',
  );
  const url = new URL(database.url);
  url.searchParams.set('options', '-c role=tandem_test_writer');
  const pool = createPool(url.href);
  try {
    expect(await failureOf(restoreBackup({ pool, directory }))).toMatchObject({ code: 'TD006' });
  } finally {
    await pool.end();
    await sql(database, 'DROP OWNED BY tandem_test_writer; DROP ROLE tandem_test_writer');
  }
});

test('a row that is inserted while the restore waits for its lock is seen', async () => {
  await sql(database, 'CREATE TABLE public.t (id int)');
  const directory = await backUp('t');
  const writer = await database.connect();
  await writer.query('BEGIN; INSERT INTO public.t VALUES (1)');
  const restoring = failureOf(restore(directory));
  await until(database, "SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.t'::regclass");
  await writer.query('COMMIT');
  expect(await restoring).toMatchObject({ code: 'TD043' });
});

test('a server that takes no writes is told as such', async () => {
  await sql(database, 'CREATE TABLE public.t (id int)');
  const directory = await backUp('t');
  const url = new URL(database.url);
  url.searchParams.set('options', '-c default_transaction_read_only=on');
  const pool = createPool(url.href);
  // The server refuses before it asks for the first byte.
  expect(await failureOf(restoreBackup({ pool, directory }))).toMatchObject({ code: 'TD009' });
  await pool.end();
});

test('the signal ends a restore, and nothing of it is kept', async () => {
  await sql(database, "CREATE TABLE public.t AS SELECT i, repeat('x', 300) AS pad FROM generate_series(1, 200000) i");
  const directory = await backUp('t');
  await sql(database, 'TRUNCATE public.t');
  const controller = new AbortController();
  const onProgress = ({ subject }: Progress) => void (subject === 'public.t' && controller.abort());
  const options = { pool: database.pool, directory, onProgress, signal: controller.signal };
  expect(await failureOf(restoreBackup(options))).toMatchObject({ code: 'TD022' });
  expect(await count('t')).toBe(0);
  await restore(directory);
  expect(await count('t')).toBe(200_000);
});

test('a connection that is lost on the way is TD021', async () => {
  await sql(database, "CREATE TABLE public.t AS SELECT i, repeat('x', 300) AS pad FROM generate_series(1, 200000) i");
  const directory = await backUp('t');
  await sql(database, 'TRUNCATE public.t');
  const admin = await database.connect();
  let ended: Promise<unknown> | null = null;
  const onProgress = ({ subject }: Progress) => {
    if (subject !== 'public.t') return;
    ended ??= admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'",
    );
  };
  expect(await failureOf(restoreBackup({ pool: database.pool, directory, onProgress }))).toMatchObject({
    code: 'TD021',
  });
  await ended;
  expect(await count('t')).toBe(0);
});

test.each([false, true])(
  'a file that is altered between the check and the load is not committed (gzip: %s)',
  async (gzip) => {
    await sql(database, 'CREATE TABLE public.t AS SELECT i FROM generate_series(1, 1000) i');
    const directory = newDirectory();
    await backupTables({ pool: database.pool, tables: [named('t')], directory, gzip });
    await sql(database, 'TRUNCATE public.t');
    const file = join(directory, `t_backup.csv${gzip ? '.gz' : ''}`);
    const holder = await database.connect();
    await holder.query('BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE');
    const restoring = failureOf(restore(directory));
    await until(database, "SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.t'::regclass");
    const content = await readFile(file);
    // In the CSV, two rows change places; what is compressed cannot be read any more.
    if (gzip) content.fill(0, 200, 400);
    else content.write('3\n2\n', content.indexOf('2\n3\n'));
    await writeFile(file, content);
    await holder.query('ROLLBACK');
    const failure = await restoring;
    expect(failure).toMatchObject({ code: 'TD041' });
    expect(failure.message).toContain(file);
    expect(await count('t')).toBe(0);
  },
);

test('progress tells the bytes of each file and each table, up to the whole', async () => {
  await sql(database, "CREATE TABLE public.t AS SELECT i, repeat('x', 300) AS pad FROM generate_series(1, 100000) i");
  const directory = await backUp('t');
  await sql(database, 'TRUNCATE public.t');
  const seen: Progress[] = [];
  const manifest = await restoreBackup({
    pool: database.pool,
    directory,
    onProgress: (progress) => void seen.push(progress),
  });
  const total = manifest.tables[0]?.csv_bytes;
  expect(new Set(seen.map((progress) => progress.total))).toEqual(new Set([total]));
  for (const subject of ['t_backup.csv', 'public.t']) {
    expect(seen.findLast((progress) => progress.subject === subject)).toMatchObject({ unit: 'bytes', done: total });
  }
});
