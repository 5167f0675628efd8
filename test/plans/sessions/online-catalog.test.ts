import { expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { fewRows } from '../../engine/flat-database.ts';
import { catalogOf, expectNothingOfTandems, rowsOf } from '../../engine/snapshot.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { createTestDatabase, useDatabase } from '../../support/database.ts';
import { migrated, runMigrationFiles } from './fixtures.ts';

const database = useDatabase(fewRows);

test('an online run ends in the catalog that the files lead to, from an empty database and from these very tables', async () => {
  const [empty, flat] = [await createTestDatabase(migrated), await createTestDatabase(fewRows)];
  try {
    await runMigrationFiles(await flat.connect(), 'phase');
    const tandem = tandemOn(database);
    await tandem.migrate();
    await tandem.finish();
    const schemas = ['public', 'private', 'auth', 'tandem', 'tandem_passage'];
    const online = await catalogOf(database.pool, schemas);
    expect(online.length).toBeGreaterThan(200);
    // Filled where there are rows to count; nothing else may differ, and nothing is left out.
    const filled = (line: string) => line.replace('not populated', 'populated');
    expect(catalogDifference((await catalogOf(empty.pool, schemas)).map(filled), online)).toEqual([]);
    expect(catalogDifference(await catalogOf(flat.pool, schemas), online)).toEqual([]);
    expect(await rowsOf(database.pool, schemas)).toEqual(await rowsOf(flat.pool, schemas));
    await expectNothingOfTandems(database.pool);
  } finally {
    await empty.drop();
    await flat.drop();
  }
});

test('there, back and there again ends in the same catalog as going there once', async () => {
  const once = await createTestDatabase(fewRows);
  try {
    await tandemOn(once).migrate();
    const tandem = tandemOn(database);
    await tandem.migrate({ stopBefore: 'cutover' });
    await tandem.rollback();
    await tandem.migrate();
    await tandem.rollback();
    await tandem.migrate();
    expect(catalogDifference(await catalogOf(once.pool), await catalogOf(database.pool))).toEqual([]);
    expect(catalogDifference(await rowsOf(once.pool), await rowsOf(database.pool))).toEqual([]);
  } finally {
    await once.drop();
  }
});
