import { expect, test } from 'vitest';
import { readSqlFile } from '../../src/db/sql-file.ts';
import { createState, upgradeState } from '../../src/engine/run-state.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const query = async (sql: string) => (await database.pool.query(sql)).rows;

interface Column {
  readonly id: string;
  readonly definition: string;
}

/** The columns of Tandem's own tables. */
async function columns(): Promise<Column[]> {
  return query(`SELECT format('%I.%I', c.relname, a.attname) AS id,
      concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END, a.attidentity,
        pg_get_expr(d.adbin, d.adrelid)) AS definition
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE c.relnamespace = 'tandem'::regnamespace AND c.relkind = 'r' ORDER BY 1`);
}

/** The columns that the first version did not have. */
async function columnsSinceTheFirst(): Promise<string[]> {
  await query(readSqlFile('test/engine/first-state.sql'));
  const first = (await columns()).map(({ id }) => id);
  await query('DROP SCHEMA tandem CASCADE');
  await createState(database.pool);
  const later = (await columns()).map(({ id }) => id).filter((id) => !first.includes(id));
  await query('DROP SCHEMA tandem CASCADE');
  return later;
}

test('tables that the first version made come to be those that this one makes', async () => {
  await createState(database.pool);
  const fresh = await columns();
  await query('DROP SCHEMA tandem CASCADE');
  await query(readSqlFile('test/engine/first-state.sql'));
  await createState(database.pool);
  await upgradeState(database.pool);
  expect(await columns()).toEqual(fresh);
});

test('a run that the first version began is gone on with by every command', async () => {
  const later = await columnsSinceTheFirst();
  expect(later).toContain('control.lock_attempt');
  const asTheFirstMadeIt = async () => {
    for (const [table, column] of later.map((id) => id.split('.')))
      await query(`ALTER TABLE tandem.${table} DROP COLUMN IF EXISTS ${column}`);
  };
  const tandem = tandemOn(database);
  await tandem.migrate({ stopBefore: 'cutover' });
  await asTheFirstMadeIt();
  expect(await tandem.status()).toMatchObject({ phase: 'ready', lock_attempt: null });
  expect(await tandem.verify()).toMatchObject({ ok: true });
  await asTheFirstMadeIt();
  await tandem.migrate();
  await asTheFirstMadeIt();
  expect(await tandem.status()).toMatchObject({ phase: 'baking', lock_attempt: null, way_back: [] });
  expect(await tandem.verify({ accept: true })).toMatchObject({ ok: true, findings: [] });
  await asTheFirstMadeIt();
  await tandem.rollback({ keep: true });
  await asTheFirstMadeIt();
  await tandem.migrate();
  await asTheFirstMadeIt();
  await tandem.rollback();
  await asTheFirstMadeIt();
  await tandem.migrate();
  await asTheFirstMadeIt();
  await tandem.finish();
});
