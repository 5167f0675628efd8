import { expect, test } from 'vitest';
import { catalogDifference, catalogSnapshot } from '../../../src/db/catalog-snapshot.ts';
import type { Client } from '../../../src/db/connect.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { createTestDatabase, useDatabase } from '../../support/database.ts';
import { insertMessage, insertSession, insertUser, migrated, runMigrationFiles } from './fixtures.ts';

const SCHEMAS = ['public', 'private'];
const database = useDatabase();

const places = [
  ['in schema public, as on Supabase', 'IN SCHEMA public'],
  ['in every schema', ''],
] as const;

/** Every object made from now on is open to the API roles. */
async function openByDefault(client: Client, where: string): Promise<void> {
  await client.query(`DO $$ BEGIN CREATE ROLE anon; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    DO $$ BEGIN CREATE ROLE authenticated; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
    DO $$ BEGIN CREATE ROLE service_role BYPASSRLS; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
  for (const kind of ['TABLES', 'FUNCTIONS', 'SEQUENCES']) {
    await client.query(`ALTER DEFAULT PRIVILEGES ${where} GRANT ALL ON ${kind} TO anon, authenticated, service_role`);
  }
  if (where === '')
    await client.query('ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon, authenticated, service_role');
}

async function expectEndState(client: Client): Promise<void> {
  const other = await createTestDatabase(migrated);
  try {
    const closed = await catalogSnapshot(await other.connect(), SCHEMAS);
    expect(catalogDifference(closed, await catalogSnapshot(client, SCHEMAS))).toEqual([]);
  } finally {
    await other.drop();
  }
}

test.each(places)('with default privileges %s, the files grant what they grant without', async (_, where) => {
  const client = await database.connect();
  await openByDefault(client, where);
  await runMigrationFiles(client);
  await expectEndState(client);
});

test.each(places)('with default privileges %s, so does the online move', async (_, where) => {
  const client = await database.connect();
  await openByDefault(client, where);
  await runMigrationFiles(client, 'flat_tables');
  const user = await insertUser(client);
  await insertMessage(client, await insertSession(client, user), user);
  const tandem = tandemOn(database);
  await tandem.migrate();
  await tandem.finish();
  await expectEndState(client);
});
