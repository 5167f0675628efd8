import { expect, test } from 'vitest';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { catalogOf, rowsOf } from '../engine/snapshot.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { flatRows, rehearseOn } from './rehearsing.ts';
import { statementCases } from './statement-cases.ts';

const database = useDatabase(flatRows);
const statements = statementCases.map(({ sql }) => sql);

test('before any run, on targets made for it: the same verdicts, and nothing is left', async () => {
  const before = [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))];
  const made = await rehearseOn(database, statements);
  expect(catalogDifference(before, [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))])).toEqual(
    [],
  );
  expect(made.targets).toBe('made');
  expect(made.statements.map((report) => report.verdict)).toEqual(statementCases.map(({ verdict }) => verdict));

  await tandemOn(database, {}, { createAuth: true }).migrate({ stopBefore: 'cutover' });
  const inRun = await rehearseOn(database, statements);
  expect(inRun.targets).toBe('run');
  const told = ({ verdict, problems }: (typeof made.statements)[number]) => ({ verdict, problems });
  expect(inRun.statements.map(told)).toEqual(made.statements.map(told));
});

test('during a run it changes nothing, and blocks nobody who writes', async () => {
  await tandemOn(database, {}, { createAuth: true }).migrate({ stopBefore: 'cutover' });
  const before = [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))];
  const writer = await database.connect();
  await writer.query("BEGIN; UPDATE sessions SET title = 'held'; LOCK TABLE messages IN ROW EXCLUSIVE MODE");
  await rehearseOn(database, statements);
  await writer.query('ROLLBACK');
  expect(catalogDifference(before, [...(await catalogOf(database.pool)), ...(await rowsOf(database.pool))])).toEqual(
    [],
  );
});

test('while the targets are being filled, and after the cutover, it says what to do instead', async () => {
  const t = tandemOn(database, {}, { createAuth: true });
  await t.migrateUpTo('copy');
  await expect(rehearseOn(database)).rejects.toMatchObject({
    code: 'TD012',
    hint: expect.stringContaining('--stop-before cutover'),
  });
  await t.migrate();
  await expect(rehearseOn(database)).rejects.toMatchObject({
    code: 'TD012',
    message: expect.stringContaining('cutover has been'),
  });
  await t.finish();
  await expect(rehearseOn(database)).rejects.toMatchObject({ code: 'TD012' });
});

test('where the targets cannot be made for it, it asks for a run', async () => {
  const client = await database.connect();
  await client.query("CREATE TYPE session_status AS ENUM ('open', 'closed')");
  await expect(rehearseOn(database)).rejects.toMatchObject({
    code: 'TD012',
    hint: expect.stringContaining('--stop-before cutover'),
  });
});

test('a table that is locked is said to be, and the statement counted', async () => {
  await tandemOn(database, {}, { createAuth: true }).migrate({ stopBefore: 'cutover' });
  const owner = await database.connect();
  await owner.query('BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
  const rehearsal = await rehearseOn(database, ['SELECT id FROM messages', 'SELECT id FROM sessions']);
  await owner.query('ROLLBACK');
  expect(rehearsal.statements.map((report) => [report.verdict, report.obstacle?.sqlstate ?? null])).toEqual([
    ['not understood', '55P03'],
    ['holds', null],
  ]);
});

test('a signal stops it between two statements', async () => {
  const stopped = AbortSignal.abort();
  await expect(rehearseOn(database, ['SELECT id FROM sessions'], { signal: stopped })).rejects.toMatchObject({
    code: 'TD022',
  });
});

test.each(['made', 'run'] as const)(
  'planning runs functions, and they can write nothing (targets: %s)',
  async (targets) => {
    const client = await database.connect();
    await client.query(
      "CREATE SEQUENCE taken; CREATE FUNCTION take() RETURNS bigint STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN nextval('taken'); END $$",
    );
    if (targets === 'run') await tandemOn(database, {}, { createAuth: true }).migrate({ stopBefore: 'cutover' });
    const statement = 'SELECT id FROM messages WHERE sequence_number > take()';
    const rehearsal = await rehearseOn(database, [statement, 'SELECT id FROM messages']);
    expect(rehearsal.targets).toBe(targets);
    expect(rehearsal.statements.map((report) => [report.verdict, report.obstacle?.sqlstate])).toEqual([
      ['not understood', '25006'],
      ['holds', undefined],
    ]);
    const { rows } = await client.query('SELECT is_called FROM taken');
    expect(rows).toEqual([{ is_called: false }]);
    // That it was the planner who ran it: outside of a rehearsal, it takes a number.
    await client.query(`EXPLAIN ${statement}`);
    expect((await client.query('SELECT is_called FROM taken')).rows).toEqual([{ is_called: true }]);
  },
);
