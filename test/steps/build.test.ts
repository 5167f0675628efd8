import { expect, test } from 'vitest';
import { manyRows } from '../engine/flat-database.ts';
import { closeGate } from '../engine/gate.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase(manyRows);

test('rows that move to a later block while they are copied are copied twice, and have one key in the end', async () => {
  // Room at the end, where the copy comes last.
  await database.pool.query("DELETE FROM public.messages WHERE ctid >= '(250,0)'");
  await database.pool.query('VACUUM (TRUNCATE off) public.messages');
  const gate = await closeGate(database, {
    table: 'tandem.copied_range',
    on: 'INSERT',
    when: "NEW.table_name = 'messages' AND NEW.first_block = 0",
  });
  const tandem = tandemOn(database, {}, { workers: 1 });
  const run = tandem.migrate();
  await gate.reached();
  const { rows } = await database.pool.query<{ later: boolean }>(
    "UPDATE public.messages SET content = content || '!' WHERE ctid < '(5,0)' RETURNING ctid >= '(250,0)' AS later",
  );
  expect(rows.filter(({ later }) => later).length).toBeGreaterThan(100);
  await gate.open();
  expect(await run).toMatchObject({ phase: 'baking' });
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
});
