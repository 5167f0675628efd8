import { beforeAll, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { ensureBuilt } from '../cli/build.ts';
import { createTestDatabase, useDatabase } from '../support/database.ts';
import { manyRows } from './flat-database.ts';
import { closeGate, killAt, type Place, step } from './gate.ts';
import { runProgram, startProgram } from './program.ts';
import { catalogOf, rowsOf } from './snapshot.ts';
import { tandemOn } from './tandem.ts';
import { whileClientsWrite } from './writing-clients.ts';

const MIGRATE = ['migrate', '--yes', '--json'];

const database = useDatabase(manyRows);
let undisturbed: { catalog: string[]; rows: string[] };

beforeAll(async () => {
  await ensureBuilt();
  const other = await createTestDatabase(manyRows);
  await tandemOn(other).migrate();
  undisturbed = { catalog: await catalogOf(other.pool), rows: await rowsOf(other.pool) };
  await other.drop();
});

/** Where the process is killed: inside this write of its own. */
const inMigrate: { where: string; at: Place; phase: string }[] = [
  { where: 'before anything was made', at: step('enums', 'running'), phase: 'preparing' },
  { where: 'after the change logs were put on', at: step('change-log', 'done'), phase: 'preparing' },
  {
    where: 'during the copy',
    at: { table: 'tandem.copied_range', on: 'INSERT', when: "NEW.table_name = 'messages' AND NEW.first_block > 128" },
    phase: 'copying',
  },
  {
    where: 'while keys and indexes are built',
    at: { table: 'tandem.moved_table', on: 'UPDATE', when: "NEW.name = 'messages' AND NEW.built = 3" },
    phase: 'copying',
  },
  { where: 'just before the cutover', at: step('cutover', 'running'), phase: 'ready' },
  {
    where: 'under the locks of the cutover',
    at: { table: 'tandem.run', on: 'UPDATE', when: "NEW.phase = 'baking'" },
    phase: 'ready',
  },
  {
    where: 'right after the swap, before it is noted',
    at: { table: 'tandem.run', on: 'UPDATE', when: 'NEW.cutover_lock_ms IS NOT NULL' },
    phase: 'baking',
  },
  { where: 'while session_stats is filled', at: step('session-stats', 'done'), phase: 'baking' },
];

describe('migrate, killed with SIGKILL', () => {
  test.each(inMigrate)('$where, is completed by the same command', async ({ at, phase }) => {
    await killAt(database, MIGRATE, at);
    expect((await tandemOn(database).status()).phase).toBe(phase);
    await expectCompletion();
    expect(catalogDifference(undisturbed.catalog, await catalogOf(database.pool))).toEqual([]);
    expect(catalogDifference(undisturbed.rows, await rowsOf(database.pool))).toEqual([]);
  });

  test('at each step boundary, one after the other, ends as an undisturbed run', async () => {
    const { steps } = tandemOn(database).plan;
    // The step's work is committed, and nobody has noted so.
    for (const { name } of steps) await killAt(database, MIGRATE, step(name, 'done'));
    await expectCompletion();
    expect(catalogDifference(undisturbed.catalog, await catalogOf(database.pool))).toEqual([]);
    expect(catalogDifference(undisturbed.rows, await rowsOf(database.pool))).toEqual([]);
  }, 300_000);

  test('in the middle of the drain, is completed by the same command', async () => {
    const before = await closeGate(database, step('drain', 'running'));
    const program = await startProgram(database.url, MIGRATE);
    await before.reached();
    // The log stands by now, and holds what is written.
    const edited = await database.pool.query(
      "UPDATE public.messages SET content = content || '!' WHERE sequence_number = 2",
    );
    const within = await closeGate(database, {
      table: 'tandem.changes_messages',
      on: 'DELETE',
      when: `OLD.seq = (SELECT max(seq) FROM tandem.changes_messages)`,
    });
    await before.open();
    await within.reached();
    program.kill('SIGKILL');
    expect(await program.ended).toMatchObject({ exitCode: null });
    await within.endWaiting();
    expect(await tandemOn(database).status()).toMatchObject({
      phase: 'draining',
      tables: [{ lag: 0 }, { lag: edited.rowCount }],
    });
    await expectCompletion();
    expect(catalogDifference(undisturbed.catalog, await catalogOf(database.pool))).toEqual([]);
  });

  test('again and again while clients write, loses nothing', async () => {
    let kills = 0;
    await whileClientsWrite(database, async () => {
      for (let lines = 6; ; lines += 12) {
        const program = await startProgram(database.url, MIGRATE);
        await program.printed(lines);
        program.kill('SIGKILL');
        if ((await program.ended).exitCode !== null) return;
        kills += 1;
      }
    });
    expect(kills).toBeGreaterThan(2);
    await expectCompletion();
  });
});

async function expectCompletion(): Promise<void> {
  const { exitCode, last } = await runProgram(database.url, MIGRATE);
  expect({ exitCode, last }).toMatchObject({ exitCode: 0, last: { event: 'done', ok: true, phase: 'baking' } });
  expect(await tandemOn(database).verify()).toMatchObject({ ok: true, findings: [] });
}
