import { expect, test } from 'vitest';
import type { TandemEvent } from '../../src/engine/events.ts';
import { migrate } from '../../src/engine/migrate.ts';
import type { Plan } from '../../src/engine/step.ts';
import { rehearseStep } from '../../src/steps/rehearse.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { flatRows } from './rehearsing.ts';

const database = useDatabase(flatRows);
const breaking = `CREATE FUNCTION of_status(wanted text) RETURNS SETOF uuid LANGUAGE sql AS $$ SELECT id FROM sessions WHERE status = wanted $$`;

const findings = (events: readonly TandemEvent[]) => events.filter((event) => event.event === 'finding');

test('a run warns of what would break, and goes on', async () => {
  await (await database.connect()).query(breaking);
  const t = tandemOn(database, {}, { createAuth: true });
  const { phase } = await t.migrate();
  expect(phase).toBe('baking');
  expect(findings(t.events)).toMatchObject([
    {
      severity: 'warning',
      subject: 'function public.of_status(text)',
      message: expect.stringContaining('`status` will be'),
    },
  ]);
  const { rows } = await database.pool.query(
    "SELECT state, detail ->> 'note' AS note FROM tandem.step WHERE name = 'rehearse'",
  );
  expect(rows).toEqual([{ state: 'done', note: '1 statements: 1 would break, 0 would change' }]);
});

test('told to, a run stops there, and goes on once it is mended', async () => {
  const client = await database.connect();
  await client.query(breaking);
  const { plan, options } = tandemOn(database, {}, { createAuth: true });
  const strict: Plan = {
    ...plan,
    steps: plan.steps.map((step) => (step.name === 'rehearse' ? rehearseStep({ guide: '5', blocking: true }) : step)),
  };
  const run = () =>
    migrate({
      pool: database.pool,
      plan: strict,
      options,
      emit: () => undefined,
      signal: new AbortController().signal,
      stopBefore: null,
    });
  await expect(run()).rejects.toMatchObject({ code: 'TD011', detail: expect.stringContaining('of_status') });
  const { rows } = await client.query('SELECT pg_typeof(status)::text AS type FROM sessions LIMIT 1');
  expect(rows).toEqual([{ type: 'text' }]);

  await client.query(
    breaking.replace('CREATE', 'CREATE OR REPLACE').replace('status = wanted', 'status::text = wanted'),
  );
  expect((await run()).phase).toBe('baking');
});

test('a rehearsal that cannot be made is told, and the run goes on', async () => {
  const events: TandemEvent[] = [];
  const { plan, options } = tandemOn(database, {}, { createAuth: true });
  await tandemOn(database, {}, { createAuth: true }).migrateUpTo('rehearse');
  // Whatever becomes of the targets' keys: without them there is nothing to rehearse on.
  const client = await database.connect();
  await client.query('ALTER TABLE tandem.messages_target RENAME TO gone');
  const step = plan.steps.find(({ name }) => name === 'rehearse');
  const { stepContext } = await import('../../src/engine/step-context.ts');
  const { maybeLatestRun } = await import('../../src/engine/run-state.ts');
  const latest = await maybeLatestRun(database.pool);
  if (!step || !latest) throw new Error('There is no run.');
  const context = stepContext(
    database.pool,
    latest,
    options,
    (event) => events.push(event),
    new AbortController().signal,
  );
  expect(await step.apply(context)).toBe('not rehearsed');
  expect(events).toMatchObject([{ event: 'note', message: expect.stringContaining('could not be rehearsed') }]);
});
