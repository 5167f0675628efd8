import { describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import type { TandemEvent } from '../../src/engine/events.ts';
import { catchUpRetired } from '../../src/engine/retired.ts';
import { isOpen, maybeLatestRun } from '../../src/engine/run-state.ts';
import { useDatabase } from '../support/database.ts';
import { flatWithRows } from './flat-database.ts';
import { catalogOf, expectNothingOfTandems } from './snapshot.ts';
import { type Tandem, tandemOn } from './tandem.ts';
import { whileClientsWrite } from './writing-clients.ts';

const database = useDatabase(flatWithRows('flat_load', { sessions: 1_200, messages: 12_000 }));
const APPLICATION = ['public', 'private', 'auth'];

describe('four clients write while a run', () => {
  test('goes through; live and retired tables agree afterwards', async () => {
    const tandem = tandemOn(database);
    const result = await whileClientsWrite(database, () => tandem.migrate());
    expect(result).toMatchObject({ phase: 'baking', cutoverLockMs: expect.any(Number) });
    expect(drained(tandem.events)).toBeGreaterThan(0);
    await expectAgreement(tandem);
  });

  test('is rolled back after the cutover: no write is lost, and the catalog is what it was', async () => {
    const tandem = tandemOn(database);
    const before = await catalogOf(database.pool, APPLICATION);
    await whileClientsWrite(database, async ({ moreMessages }) => {
      await tandem.migrate();
      await moreMessages(100);
      await tandem.rollback();
    });
    expect(catalogDifference(before, await catalogOf(database.pool, APPLICATION))).toEqual([]);
    expect((await tandem.status()).phase).toBe('rolled_back');
  });

  test('is stopped in the middle of the copy and rolled back', async () => {
    const tandem = tandemOn(database);
    const before = await catalogOf(database.pool, APPLICATION);
    await whileClientsWrite(database, async ({ moreMessages }) => {
      const stop = new AbortController();
      tandem.onEvent = (event) => {
        if (event.event === 'progress' && event.step === 'copy' && event.done > 0) stop.abort();
      };
      await expect(tandem.migrate({ signal: stop.signal })).rejects.toMatchObject({ code: 'TD022' });
      expect(await tandem.status()).toMatchObject({ phase: 'copying', holder: null });
      await moreMessages(40);
      await tandem.rollback();
    });
    expect(catalogDifference(before, await catalogOf(database.pool, APPLICATION))).toEqual([]);
  });

  test('waits before the cutover and is rolled back from there', async () => {
    const tandem = tandemOn(database);
    const before = await catalogOf(database.pool, APPLICATION);
    await whileClientsWrite(database, async ({ moreMessages }) => {
      expect(await tandem.migrate({ stopBefore: 'cutover' })).toMatchObject({ phase: 'ready', cutoverLockMs: null });
      await moreMessages(100);
      expect(await tandem.verify()).toMatchObject({ ok: true, phase: 'ready' });
      await tandem.rollback();
    });
    expect(catalogDifference(before, await catalogOf(database.pool, APPLICATION))).toEqual([]);
  });

  test('waits before the cutover, catches up later and is completed', async () => {
    const tandem = tandemOn(database);
    await whileClientsWrite(database, async ({ moreMessages }) => {
      await tandem.migrate({ stopBefore: 'cutover' });
      await moreMessages(200);
      expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
    });
    await expectAgreement(tandem);
  });

  test('goes there, back, there again, and is finished', async () => {
    const tandem = tandemOn(database);
    await whileClientsWrite(database, async ({ moreMessages }) => {
      await tandem.migrate();
      await moreMessages(40);
      await tandem.rollback();
      await moreMessages(40);
      await tandem.migrate();
      await moreMessages(40);
      await tandem.finish();
    });
    expect(await tandem.verify()).toMatchObject({ ok: true, phase: 'finished', findings: [] });
    await expectNothingOfTandems(database.pool);
  });
});

/** Once the retired tables have what was written last, they hold the same rows, column by column. */
async function expectAgreement(tandem: Tandem): Promise<void> {
  const run = await maybeLatestRun(database.pool);
  if (!isOpen(run)) throw new Error('The run is not open.');
  await catchUpRetired(database.pool, run, new AbortController().signal);
  const { ok, tables, findings } = await tandem.verify();
  expect({ ok, findings }).toEqual({ ok: true, findings: [] });
  for (const { table, rows, leftOut, differences } of tables) {
    expect({ table, leftOut, differences }).toEqual({ table, leftOut: 0, differences: [] });
    expect(rows).toBeGreaterThan(1_000);
  }
}

function drained(events: readonly TandemEvent[]): number {
  return events.reduce((sum, event) => sum + (event.event === 'drained' ? event.taken : 0), 0);
}
