import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { searchOptions } from '../../src/client/rows.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { insertMessage, insertSession, insertUser, migrated } from '../plans/sessions/fixtures.ts';
import { useDatabase } from '../support/database.ts';
import { rowTypesSource } from './row-types.ts';

const FILE = join(packageRoot(), 'src/client/rows.ts');
const database = useDatabase(migrated);

test('the types of the client are those of the catalog; if not: npm run generate:client', async () => {
  const client = await database.connect();
  await client.query("SET search_path = ''");
  const source = await rowTypesSource(client);
  if (process.env.TANDEM_WRITE_DOCS) writeFileSync(FILE, source);
  expect(readFileSync(FILE, 'utf8')).toBe(source);
});

test('search_messages takes the words that the client takes for sort, and no other', async () => {
  const client = await database.connect();
  // Without a message there may be nothing to ask for, as the planner sees it.
  const user = await insertUser(client);
  await insertMessage(client, await insertSession(client, user), user);
  const sorted = (sort: string) => client.query("SELECT FROM public.search_messages('x', sort => $1)", [sort]);
  for (const word of searchOptions.shape.sort.unwrap().options) await sorted(word);
  await expect(sorted('oldest')).rejects.toMatchObject({ code: '22023' });
  expect(searchOptions.safeParse({ sort: 'oldest' }).success).toBe(false);
});
