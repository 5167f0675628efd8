import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { isConnectionLoss } from '../../src/db/sqlstate.ts';
import { flatWithRows } from './flat-database.ts';
import { closeGate, type Place, step } from './gate.ts';
import { useOwnServer } from './own-server.ts';
import { catalogOf, rowsOf } from './snapshot.ts';
import { type Tandem, tandemOn } from './tandem.ts';

const database = useOwnServer(flatWithRows('crashing', { sessions: 1_000, messages: 20_000 }));
const APPLICATION = ['public', 'private', 'auth'];
const WORKERS = 2;

interface State {
  readonly catalog: string[];
  readonly rows: string[];
}
const stateOf = async (pool: typeof database.pool, schemas?: string[]): Promise<State> => ({
  catalog: await catalogOf(pool, schemas),
  rows: await rowsOf(pool, schemas),
});
let migrated: State | null = null;
let flat: State;

beforeEach(async () => {
  flat = await stateOf(database.pool, APPLICATION);
  if (migrated !== null) return;
  const other = await database.another('undisturbed');
  await tandemOn({ pool: other }).migrate();
  migrated = await stateOf(other);
});

/** Runs a command up to a write of its own, in whose midst the server crashes. The run ends with the loss, and no other error. */
async function crashAt(place: Place, command: (tandem: Tandem) => Promise<unknown>): Promise<void> {
  const gate = await closeGate(database, place);
  const run = command(tandemOn(database, {}, { workers: WORKERS })).catch((error: unknown) => error);
  await gate.reached();
  await crash(run);
}

async function crash(run: Promise<unknown>): Promise<void> {
  await database.crash();
  const error = await run;
  const lost = error instanceof Error && 'code' in error && error.code === 'TD021';
  expect(lost || isConnectionLoss(error), String(error)).toBe(true);
  await database.pool.query(`DO $$ DECLARE gate regprocedure; BEGIN
    FOR gate IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'tandem'::regnamespace AND proname LIKE 'gate\\_%'
    LOOP EXECUTE 'DROP FUNCTION ' || gate || ' CASCADE'; END LOOP; END $$`);
}

async function expectSame(state: State | null, schemas?: string[]): Promise<void> {
  const now = await stateOf(database.pool, schemas);
  expect(catalogDifference(state?.catalog ?? [], now.catalog)).toEqual([]);
  expect(catalogDifference(state?.rows ?? [], now.rows)).toEqual([]);
}

async function copiedRanges(): Promise<string[]> {
  const { rows } = await database.pool.query<{ range: string }>(
    "SELECT copied_range::text AS range FROM tandem.copied_range WHERE table_name = 'messages' ORDER BY first_block",
  );
  return rows.map((row) => row.range);
}

describe('the server crashes while a run', () => {
  test('copies: the same command goes on, and copies no more again than a batch for each worker', async () => {
    const last = {
      table: 'tandem.copied_range',
      on: 'INSERT',
      when: "NEW.table_name = 'messages' AND NEW.first_block > 128",
    } as const;
    const gate = await closeGate(database, last);
    const run = tandemOn(database, {}, { workers: WORKERS })
      .migrate()
      .catch((error: unknown) => error);
    await gate.reached();
    const before = await copiedRanges();
    expect(before).not.toEqual([]);
    await crash(run);
    // What was committed stands: a crash takes nothing but what was under way.
    expect((await copiedRanges()).filter((range) => before.includes(range))).toEqual(before);
    expect(await tandemOn(database).migrate()).toMatchObject({ phase: 'baking' });
    expect((await copiedRanges()).filter((range) => before.includes(range))).toEqual(before);
    await expectSame(migrated);
  });

  test('drains: the same command goes on', async () => {
    const before = await closeGate(database, step('drain', 'running'));
    const run = tandemOn(database)
      .migrate()
      .catch((error: unknown) => error);
    await before.reached();
    // The rows are the same in the end.
    const edit = 'UPDATE public.messages SET content = content WHERE sequence_number = 2';
    const { rowCount } = await database.pool.query(edit);
    const within = await closeGate(database, {
      table: 'tandem.changes_messages',
      on: 'DELETE',
      when: 'OLD.seq = (SELECT max(seq) FROM tandem.changes_messages)',
    });
    await before.open();
    await within.reached();
    await crash(run);
    expect((await tandemOn(database).status()).tables[1]).toMatchObject({ lag: rowCount });
    expect(await tandemOn(database).migrate()).toMatchObject({ phase: 'baking' });
    await expectSame(migrated);
  });

  test.each<{ where: string; at: Place; phase: string }>([
    {
      where: 'builds keys and indexes',
      at: { table: 'tandem.moved_table', on: 'UPDATE', when: "NEW.name = 'messages' AND NEW.built = 3" },
      phase: 'copying',
    },
    {
      where: 'holds the locks of the cutover',
      at: { table: 'tandem.run', on: 'UPDATE', when: "NEW.phase = 'baking'" },
      phase: 'ready',
    },
    {
      where: 'notes the swap that it has committed',
      at: { table: 'tandem.run', on: 'UPDATE', when: 'NEW.cutover_lock_ms IS NOT NULL' },
      phase: 'baking',
    },
  ])('$where: the same command goes on', async ({ at, phase }) => {
    await crashAt(at, (tandem) => tandem.migrate());
    expect((await tandemOn(database).status()).phase).toBe(phase);
    expect(await tandemOn(database).migrate()).toMatchObject({ phase: 'baking' });
    await expectSame(migrated);
    expect(await tandemOn(database).verify()).toMatchObject({ ok: true, findings: [] });
  });

  test.each<{ where: string; at: Place }>([
    { where: 'under its locks', at: { table: 'tandem.run', on: 'UPDATE', when: "NEW.phase = 'ready'" } },
    { where: 'once the names are swapped back', at: step('cutover', 'reverted') },
  ])('is rolled back, $where: the same command goes on', async ({ at }) => {
    await tandemOn(database).migrate();
    await crashAt(at, (tandem) => tandem.rollback());
    await tandemOn(database).rollback();
    await expectSame(flat, APPLICATION);
  });
});
