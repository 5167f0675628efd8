import { hostname } from 'node:os';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureBuilt } from '../cli/build.ts';
import { useDatabase } from '../support/database.ts';
import { manyRows } from './flat-database.ts';
import { closeGate, type Place, step } from './gate.ts';
import { runProgram, startProgram } from './program.ts';
import { tandemOn } from './tandem.ts';
import { whileClientsWrite } from './writing-clients.ts';

const MIGRATE = ['migrate', '--yes', '--json'];
const database = useDatabase(manyRows);
beforeAll(ensureBuilt);

// The first of them has a fixed size, which leaves blocks for others; those after it grow with the machine's speed.
const firstBatch: Place = {
  table: 'tandem.copied_range',
  on: 'INSERT',
  when: "NEW.table_name = 'messages' AND NEW.first_block = 0",
};

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  test('stops the copy at its next batch, and the same command goes on with the blocks that are left', async () => {
    const gate = await closeGate(database, firstBatch);
    const program = await startProgram(database.url, [...MIGRATE, '--workers', '1']);
    await gate.reached();
    program.kill(signal);
    await program.heard;
    await gate.open();
    expect(await program.ended).toMatchObject({ exitCode: 4, last: { event: 'done', ok: false, code: 'TD022' } });
    expect(await tandemOn(database).status()).toMatchObject({ phase: 'copying', holder: null });

    const copied = await copiedRanges();
    expect(await blocksLeft()).toBeGreaterThan(0);
    expect(await runProgram(database.url, MIGRATE)).toMatchObject({ exitCode: 0, last: { ok: true, phase: 'baking' } });
    expect((await copiedRanges()).filter((range) => copied.includes(range))).toEqual(copied);
    expect(await blocksLeft()).toBe(0);
    expect(await tandemOn(database).verify()).toMatchObject({ ok: true });
  });
});

describe('SIGTERM', () => {
  test.each<{ where: string; at: Place; phase: string }>([
    {
      where: 'between two index builds',
      at: { table: 'tandem.moved_table', on: 'UPDATE', when: 'NEW.built = 2' },
      phase: 'copying',
    },
    { where: 'between two steps', at: step('row-security', 'done'), phase: 'copying' },
    { where: 'after the cutover', at: step('session-stats', 'done'), phase: 'baking' },
  ])('$where ends with 4 as well', async ({ at, phase }) => {
    const gate = await closeGate(database, at);
    const program = await startProgram(database.url, MIGRATE);
    await gate.reached();
    program.kill('SIGTERM');
    // Before the batch may end: otherwise it is a matter of luck which of the two is seen first.
    await program.heard;
    await gate.open();
    expect(await program.ended).toMatchObject({ exitCode: 4, last: { ok: false, code: 'TD022' } });
    expect(await tandemOn(database).status()).toMatchObject({ phase, holder: null });
    expect(await runProgram(database.url, MIGRATE)).toMatchObject({ exitCode: 0, last: { ok: true, phase: 'baking' } });
  });

  test('stops a rollback between two steps, and the same command completes it, under load', async () => {
    await whileClientsWrite(database, async () => {
      await tandemOn(database).migrate();
      const gate = await closeGate(database, step('cutover', 'reverted'));
      const program = await startProgram(database.url, ['rollback', '--yes', '--json']);
      await gate.reached();
      program.kill('SIGTERM');
      // Before the batch may end: otherwise it is a matter of luck which of the two is seen first.
      await program.heard;
      await gate.open();
      expect(await program.ended).toMatchObject({ exitCode: 4, last: { ok: false, code: 'TD022' } });
      const again = await runProgram(database.url, ['rollback', '--yes', '--json']);
      expect(again).toMatchObject({ exitCode: 0, last: { ok: true, phase: 'rolled_back' } });
    });
  });
});

test('an index build is not waited for: it is cancelled, and begins anew', async () => {
  // Nobody opens the gate: without the cancellation the build would never end.
  const gate = await closeGate(database, { table: 'tandem.moved_table', on: 'UPDATE', when: 'NEW.built = 3' });
  const stop = new AbortController();
  const tandem = tandemOn(database);
  const run = tandem.migrate({ signal: stop.signal }).catch((error: unknown) => error);
  await gate.reached();
  stop.abort();
  expect(await run).toMatchObject({
    code: 'TD022',
    exitCode: 4,
    // The two tables are built side by side: one of them may stand between two statements.
    message: expect.stringMatching(/^Stopped (in the midst of an index build|between two index builds)/),
  });
  const { rows } = await database.pool.query('SELECT max(built)::int AS built FROM tandem.moved_table');
  expect(rows).toEqual([{ built: 2 }]);
  await gate.open();
  expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
});

describe('while a run is under way', () => {
  test('a second runner is refused and told who the first one is; readers are not', async () => {
    const gate = await closeGate(database, firstBatch);
    const first = await startProgram(database.url, MIGRATE);
    await gate.reached();
    for (const command of ['migrate', 'rollback']) {
      const second = await runProgram(database.url, [command, '--yes', '--json']);
      expect(second).toMatchObject({ exitCode: 3, last: { ok: false, code: 'TD010' } });
      for (const part of [hostname(), `pid ${first.pid}`, /since \d{4}-\d\d-\d\dT/]) {
        expect(second.last.message).toEqual(expect.stringMatching(part));
      }
    }
    const status = await tandemOn(database).status();
    expect(status).toMatchObject({
      phase: 'copying',
      holder: { command: 'migrate', host: hostname(), pid: first.pid },
    });
    await gate.open();
    expect(await first.ended).toMatchObject({ exitCode: 0 });
    expect((await tandemOn(database).status()).holder).toBeNull();
  });

  test('losing the connection that holds the run stops it, resumable: another one may begin by now', async () => {
    const gate = await closeGate(database, firstBatch);
    const program = await startProgram(database.url, MIGRATE);
    await gate.reached();
    await database.pool.query('SELECT pg_terminate_backend(backend_pid, 10000) FROM tandem.runner');
    await gate.open();
    expect(await program.ended).toMatchObject({ exitCode: 4, last: { ok: false, code: 'TD021' } });
    expect(await runProgram(database.url, MIGRATE)).toMatchObject({ exitCode: 0, last: { ok: true, phase: 'baking' } });
  });
});

async function copiedRanges(): Promise<string[]> {
  const { rows } = await database.pool.query<{ range: string }>(
    'SELECT copied_range::text AS range FROM tandem.copied_range ORDER BY table_name, first_block',
  );
  return rows.map((row) => row.range);
}

async function blocksLeft(): Promise<number> {
  const { rows } = await database.pool.query<{ blocks: number }>(
    `SELECT (t.copy_blocks - coalesce(sum(r.end_block - r.first_block), 0))::int AS blocks
       FROM tandem.moved_table t LEFT JOIN tandem.copied_range r ON r.table_name = t.name
      WHERE t.name = 'messages' GROUP BY t.name`,
  );
  return rows[0]?.blocks ?? -1;
}
