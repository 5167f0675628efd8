import { beforeAll, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { ensureBuilt } from '../cli/build.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { killAt, type Place, step } from './gate.ts';
import { runProgram } from './program.ts';
import { catalogOf, rowsOf } from './snapshot.ts';
import { tandemOn } from './tandem.ts';

const ROLLBACK = ['rollback', '--yes', '--json'];
const APPLICATION = ['public', 'private', 'auth'];

const database = useDatabase(fewRows);
beforeAll(ensureBuilt);

describe('rollback, killed with SIGKILL', () => {
  const UNDER_LOCKS: Place = { table: 'tandem.run', on: 'UPDATE', when: "NEW.phase = 'ready'" };

  test.each<{ where: string; at: Place }>([
    { where: 'in the midst of a step', at: step('session-stats', 'reverted') },
    { where: 'under the locks of the swap back', at: UNDER_LOCKS },
  ])('$where, is completed by itself, or given up by migrate', async ({ at }) => {
    const flat = await catalogOf(database.pool, APPLICATION);
    const rows = await rowsOf(database.pool, APPLICATION);
    const tandem = tandemOn(database);
    await tandem.migrate();
    const there = await catalogOf(database.pool, APPLICATION);
    await killAt(database, ROLLBACK, at);
    const refused = await runProgram(database.url, ['finish', '--yes', '--json']);
    expect(refused).toMatchObject({ exitCode: 3, last: { ok: false, code: 'TD012' } });
    const given = await runProgram(database.url, ['migrate', '--yes', '--json']);
    expect(given).toMatchObject({ exitCode: 0, last: { ok: true, phase: 'baking' } });
    expect(catalogDifference(there, await catalogOf(database.pool, APPLICATION))).toEqual([]);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await killAt(database, ROLLBACK, at);
    expect(await runProgram(database.url, ROLLBACK)).toMatchObject({
      exitCode: 0,
      last: { ok: true, phase: 'rolled_back' },
    });
    expect(catalogDifference(flat, await catalogOf(database.pool, APPLICATION))).toEqual([]);
    expect(catalogDifference(rows, await rowsOf(database.pool, APPLICATION))).toEqual([]);
  });

  test.each<{ where: string; at: Place }>([
    { where: 'right after the swap back', at: step('cutover', 'reverted') },
    { where: 'while the targets are dropped', at: step('targets', 'reverted') },
  ])('$where, lets nothing but itself go on', async ({ at }) => {
    const flat = await catalogOf(database.pool, APPLICATION);
    const rows = await rowsOf(database.pool, APPLICATION);
    await tandemOn(database).migrate();
    await killAt(database, ROLLBACK, at);

    for (const command of ['migrate', 'finish']) {
      const refused = await runProgram(database.url, [command, '--yes', '--json']);
      expect(refused).toMatchObject({ exitCode: 3, last: { ok: false, code: 'TD012' } });
    }
    expect(await runProgram(database.url, ROLLBACK)).toMatchObject({
      exitCode: 0,
      last: { ok: true, phase: 'rolled_back' },
    });
    expect(catalogDifference(flat, await catalogOf(database.pool, APPLICATION))).toEqual([]);
    expect(catalogDifference(rows, await rowsOf(database.pool, APPLICATION))).toEqual([]);
  });
});
