import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backupTables } from '../../src/backup/backup.ts';
import { createPool } from '../../src/db/connect.ts';
import { useDatabase } from '../support/database.ts';
import { psqlPath } from '../support/sql-file.ts';
import { everyValue } from './every-value.ts';
import { named, sql, useDirectory } from './fixtures.ts';

const database = useDatabase();
const newDirectory = useDirectory();

if (!psqlPath) console.error('SKIPPED: psql is not installed, so its \\copy is not compared with the backup.');

test.skipIf(!psqlPath)('the files are byte for byte what psql’s \\copy writes', async () => {
  await sql(
    database,
    `${everyValue}
     CREATE TABLE public.one_column (a text);
     INSERT INTO public.one_column VALUES (NULL), (''), ('\\.'), ('a');
     CREATE TABLE public."Weird ""name" ("select" int, "a,b" text, "c""d" text, "e
f" int);
     INSERT INTO public."Weird ""name" VALUES (1, ',', '"', 2);
     CREATE TABLE public.empty (id int, at timestamptz);
     CREATE TABLE public.computed (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, id int GENERATED ALWAYS AS IDENTITY);
     INSERT INTO public.computed (a) VALUES (1), (NULL);
     CREATE TABLE public.parts (k int, v text) PARTITION BY LIST (k);
     CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES IN (1);
     CREATE TABLE public.parts_2 PARTITION OF public.parts DEFAULT;
     INSERT INTO public.parts VALUES (2, 'b'), (1, 'a'), (2, 'c')`,
  );
  // What the files look like must not depend on what the database or the role is set to.
  await sql(
    database,
    `DO $$ BEGIN
       EXECUTE format('ALTER DATABASE %I SET datestyle = German', current_database());
       EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Kathmandu');
       EXECUTE format('ALTER DATABASE %I SET intervalstyle = iso_8601', current_database());
       EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database());
       EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -5', current_database());
     END $$`,
  );
  const names = ['every_value', 'one_column', 'Weird "name', 'empty', 'computed', 'parts'];
  const directory = newDirectory();
  const pool = createPool(database.url);
  const manifest = await backupTables({ pool, tables: names.map(named), directory }).finally(() => pool.end());

  const psqlFile = (at: number) => join(directory, `psql-${at}.csv`);
  const script = join(directory, 'copy.sql');
  const quoted = names.map((name) => `public."${name.replaceAll('"', '""')}"`);
  await writeFile(
    script,
    [
      "SET datestyle = 'ISO, YMD';",
      "SET timezone = 'UTC';",
      'SET intervalstyle = postgres;',
      'SET bytea_output = hex;',
      'SET extra_float_digits = 3;',
      "SET client_encoding = 'UTF8';",
      "SET search_path = '';",
      ...quoted.map((table, at) => `\\copy (SELECT * FROM ${table}) TO '${psqlFile(at)}' WITH CSV HEADER`),
      '',
    ].join('\n'),
  );
  await database.psql(script);
  for (const [at, table] of manifest.tables.entries()) {
    const [ours, psqls] = await Promise.all([readFile(join(directory, table.file)), readFile(psqlFile(at))]);
    expect(ours.toString('latin1'), table.name).toBe(psqls.toString('latin1'));
  }
});
