import type pg from 'pg';
import { beforeEach, expect, test } from 'vitest';
import { catalogDifference, catalogSnapshot } from '../../src/db/catalog-snapshot.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
let client: pg.Client;

const everything = `
  CREATE SCHEMA s; CREATE SCHEMA other;
  CREATE TYPE s.mood AS ENUM ('good', 'bad');
  CREATE DOMAIN s.short AS text CHECK (length(VALUE) < 9);
  CREATE TABLE s.parent (id int GENERATED ALWAYS AS IDENTITY, kind s.mood NOT NULL DEFAULT 'good', note s.short, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
  CREATE TABLE s.good PARTITION OF s.parent FOR VALUES IN ('good') WITH (fillfactor = 70);
  CREATE TABLE s.child (id int PRIMARY KEY, name text COLLATE "C", double int GENERATED ALWAYS AS (id * 2) STORED, CONSTRAINT small CHECK (id < 100));
  ALTER TABLE s.child ADD CONSTRAINT self FOREIGN KEY (double) REFERENCES s.child (id) NOT VALID;
  CREATE INDEX by_name ON s.child (lower(name)) WHERE id > 0;
  CREATE VIEW s.names WITH (security_barrier) AS SELECT name FROM s.child;
  CREATE MATERIALIZED VIEW s.counts AS SELECT count(*) FROM s.child WITH NO DATA;
  CREATE SEQUENCE s.numbers INCREMENT 5;
  CREATE FUNCTION s.f(a int) RETURNS int LANGUAGE sql IMMUTABLE SET search_path = '' AS 'SELECT a';
  CREATE FUNCTION s.t() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END';
  CREATE TRIGGER t AFTER INSERT ON s.parent FOR EACH ROW EXECUTE FUNCTION s.t();
  ALTER TABLE s.parent ENABLE ALWAYS TRIGGER t;
  ALTER TABLE s.child ENABLE ROW LEVEL SECURITY;
  CREATE POLICY p ON s.child FOR SELECT TO pg_monitor USING (id > 0);
  CREATE STATISTICS s.together ON id, double FROM s.child;
  CREATE CAST (text AS s.mood) WITH INOUT AS ASSIGNMENT;
  GRANT SELECT ON s.child TO PUBLIC; GRANT UPDATE (name) ON s.child TO pg_monitor WITH GRANT OPTION;
  COMMENT ON SCHEMA s IS 'a'; COMMENT ON COLUMN s.child.name IS 'b'; COMMENT ON POLICY p ON s.child IS 'c'; COMMENT ON CONSTRAINT small ON s.child IS 'd'`;

beforeEach(async () => {
  client = await database.connect();
  await client.query(everything);
});

test('describes every kind of object, readably and in order', async () => {
  const lines = await catalogSnapshot(client, ['s']);
  expect(lines).toEqual([...lines].sort());
  for (const line of [
    "type s.mood | enum 'good', 'bad' | privileges PUBLIC=USAGE",
    "column s.parent 02 kind | s.mood | not null | default 'good'::s.mood | storage p",
    "table s.good | partition of s.parent FOR VALUES IN ('good') | row security off | options fillfactor=70 | privileges none",
    'column s.child 02 name | text | collate "C" | storage x | privileges pg_monitor=UPDATE*',
    'column s.child 03 double | integer | generated s (id * 2) | storage p',
    'constraint s.child self | FOREIGN KEY (double) REFERENCES s.child(id) NOT VALID | not validated',
    'index s.child by_name | CREATE INDEX by_name ON s.child USING btree (lower(name)) WHERE (id > 0)',
    'materialized view s.counts | not populated | SELECT count(*) AS count FROM s.child; | privileges none',
    'sequence s.numbers | bigint from 1 by 5, 1 to 9223372036854775807 | privileges none',
    'trigger s.good t | CREATE TRIGGER t AFTER INSERT ON s.good FOR EACH ROW EXECUTE FUNCTION s.t() | enabled always | of the parent',
    'policy s.child p | permissive | select | to pg_monitor | using (id > 0)',
    'cast text to s.mood | assignment, by input and output',
    'table s.child | row security on | privileges PUBLIC=SELECT',
    'comment table column s.child.name | b',
    'comment policy p on s.child | c',
    'comment table constraint small on s.child | d',
    'comment schema s | a',
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.some((line) => line.includes('other'))).toBe(false);
});

test('is the same for the same state, whatever its history and owner, and whatever the search_path', async () => {
  const before = await catalogSnapshot(client, ['s']);
  await client.query(`
    ALTER TABLE s.child ADD extra int; ALTER TABLE s.child DROP extra;
    ALTER TABLE s.child OWNER TO pg_monitor; REVOKE ALL ON s.child FROM pg_monitor; GRANT UPDATE (name) ON s.child TO postgres;
    ALTER TABLE s.child OWNER TO postgres; SET search_path = s`);
  await client.query(
    'REVOKE ALL (name) ON s.child FROM postgres; GRANT UPDATE (name) ON s.child TO pg_monitor WITH GRANT OPTION',
  );
  expect(catalogDifference(before, await catalogSnapshot(client, ['s']))).toEqual([]);
  expect((await client.query('SHOW search_path')).rows).toEqual([{ search_path: 's' }]);
});

test.each([
  'ALTER TABLE s.child DISABLE ROW LEVEL SECURITY',
  'ALTER TABLE s.child ALTER name SET STORAGE external',
  'ALTER TABLE s.child VALIDATE CONSTRAINT self',
  'ALTER TABLE s.parent ENABLE TRIGGER t',
  'ALTER TABLE s.parent REPLICA IDENTITY FULL',
  'ALTER POLICY p ON s.child USING (id > 1)',
  "CREATE OR REPLACE FUNCTION s.f(a int) RETURNS int LANGUAGE sql IMMUTABLE SET search_path = '' AS 'SELECT a + 1'",
  'ALTER FUNCTION s.f(int) SECURITY DEFINER',
  'REVOKE ALL ON FUNCTION s.f(int) FROM PUBLIC',
  "ALTER TYPE s.mood RENAME VALUE 'bad' TO 'worse'",
  'REFRESH MATERIALIZED VIEW s.counts',
  'CREATE OR REPLACE VIEW s.names AS SELECT name FROM s.child LIMIT 1',
  'ALTER SEQUENCE s.numbers INCREMENT 6',
  'GRANT USAGE ON SCHEMA s TO pg_monitor',
  'CREATE PUBLICATION p FOR TABLE s.child',
  'CREATE RULE r AS ON DELETE TO s.child DO INSTEAD NOTHING',
  'COMMENT ON TABLE s.child IS NULL; COMMENT ON TRIGGER t ON s.parent IS $$x$$',
])('sees %s', async (change) => {
  const before = await catalogSnapshot(client, ['s']);
  await client.query(change);
  expect(catalogDifference(before, await catalogSnapshot(client, ['s']))).not.toEqual([]);
});

test('a schema that does not exist adds nothing', async () => {
  expect(await catalogSnapshot(client, ['none'])).toEqual([]);
});
