import { expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { useDirectory } from '../../backup/fixtures.ts';
import { catalogOf, rowsOf } from '../../engine/snapshot.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { config, renamed } from './renamed-tables.ts';

const database = useDatabase(renamed);
const newDirectory = useDirectory();

test('tables of other names go there, back and are kept, there again, and back from the backup alone', async () => {
  const SCHEMAS = ['My App'];
  const flat = [...(await catalogOf(database.pool, SCHEMAS)), ...(await rowsOf(database.pool, SCHEMAS))];
  const directory = newDirectory();
  const tandem = tandemOn(database, config, { backupDir: directory });
  await tandem.migrate();
  await tandem.rollback({ keep: true });
  await database.pool.query(`UPDATE "My App"."Chat Rooms" SET title = title || '!' WHERE lang = 'es'`);
  tandem.events.length = 0;
  await tandem.migrate();
  expect(tandem.events.filter((event) => event.event === 'progress' && event.step === 'copy')).toEqual([]);
  await database.pool.query(`UPDATE "My App"."Chat Rooms" SET title = rtrim(title, '!') WHERE lang = 'es'`);
  await tandem.finish();
  await tandem.rollbackFrom(directory);
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  await expect(tandemOn(database).rollbackFrom(directory)).rejects.toMatchObject({ code: 'TD016' });
  await tandem.rollback();
  const now = [...(await catalogOf(database.pool, SCHEMAS)), ...(await rowsOf(database.pool, SCHEMAS))];
  const left = /message_feedback|session_(language|level|status)|message_type/;
  expect(catalogDifference(flat, now).filter((line) => !left.test(line))).toEqual([]);
});
