import { expect, test } from 'vitest';
import { maybeLatestRun, setStepState } from '../../src/engine/run-state.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);

test('the rate is that of the command at work: what an earlier one copied, and the pause after it, do not count', async () => {
  const tandem = tandemOn(database);
  await tandem.migrateUpTo('copy');
  const at = (seconds: number) => `timestamptz '2026-03-01 12:00:00Z' + interval '${seconds} seconds'`;
  await database.pool.query(`
    UPDATE tandem.step SET state = 'running', started_at = ${at(7200)} WHERE name = 'copy';
    UPDATE tandem.moved_table SET copy_blocks = 100, rows_estimate = 10000 WHERE name = 'messages';
    INSERT INTO tandem.copied_range (table_name, first_block, end_block, rows, finished_at) VALUES
      ('messages', 0, 10, 1000, ${at(0)}), ('messages', 10, 20, 1000, ${at(1)}),
      ('messages', 20, 30, 1000, ${at(7201)}), ('messages', 30, 40, 1000, ${at(7203)}), ('messages', 40, 50, 1000, ${at(7205)})`);
  const { tables } = await tandem.status();
  expect(tables.find(({ source }) => source === 'public.messages')).toMatchObject({
    copied: 5000,
    rate: 500,
    eta_seconds: 10,
  });
});

test('a step that runs again has no note of its first try', async () => {
  const tandem = tandemOn(database);
  await tandem.migrate({ stopBefore: 'cutover' });
  const step = async () => (await tandem.status()).steps.find(({ name }) => name === 'drain');
  expect(await step()).toMatchObject({ state: 'done', note: '0 changes' });
  const run = await maybeLatestRun(database.pool);
  if (run === null) throw new Error('There is no run.');
  await setStepState(database.pool, run, 'drain', 'running');
  expect(await step()).toMatchObject({ state: 'running', note: null });
});
