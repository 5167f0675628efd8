import { expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { quoteIdent } from '../../src/db/identifier.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { catalogOf, rowsOf } from './snapshot.ts';
import { tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const SCHEMAS = ['public', 'private', 'auth'];

/** What somebody may have set for all sessions of a database, for reasons of their own. */
const SETTINGS = {
  search_path: "'nowhere'",
  // Longer than a connection needs to switch it off, on a busy machine, too.
  statement_timeout: "'50ms'",
  lock_timeout: "'1ms'",
  idle_in_transaction_session_timeout: "'1ms'",
  standard_conforming_strings: 'off',
  quote_all_identifiers: 'on',
  datestyle: "'SQL, DMY'",
  bytea_output: "'escape'",
  extra_float_digits: '-5',
  array_nulls: 'off',
  transform_null_equals: 'on',
  xmloption: "'document'",
  row_security: 'off',
  enable_partition_pruning: 'off',
  check_function_bodies: 'off',
  timezone: "'Asia/Kathmandu'",
  'plpgsql.extra_errors': "'all'",
};

test('a run goes there and back whatever is set for the sessions of the database', async () => {
  // A session that is open before they are set, and so does not have them.
  const admin = await database.connect();
  await admin.query(`
    ALTER TABLE public.sessions ADD COLUMN tags text[] DEFAULT '{a,NULL}', ADD COLUMN source xml DEFAULT 'a<b/>';
    CREATE VIEW public.open AS SELECT id, title FROM public.sessions WHERE status = 'active' AND title <> 'back\\slash'`);
  const content = async () => [...(await catalogOf(database.pool, SCHEMAS)), ...(await rowsOf(database.pool, SCHEMAS))];
  const name = quoteIdent(new URL(database.url).pathname.slice(1));
  for (const [setting, value] of Object.entries(SETTINGS))
    await admin.query(`ALTER DATABASE ${name} SET ${setting} = ${value}`);
  const before = await content();
  const { rows } = await database.pool.query("SELECT current_setting('jit') AS jit");
  expect(rows).toEqual([{ jit: 'off' }]);

  const tandem = tandemOn(database);
  await tandem.migrate();
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  await tandem.rollback();
  expect(catalogDifference(before, await content())).toEqual([]);
});
