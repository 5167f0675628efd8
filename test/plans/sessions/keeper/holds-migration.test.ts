import { beforeEach, expect, test } from 'vitest';
import { placeHold } from '../../../../plans/sessions/keeper/holds.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { fewRows } from '../../../engine/flat-database.ts';
import { type Tandem, tandemOn } from '../../../engine/tandem.ts';
import { useDatabase } from '../../../support/database.ts';
import { refusal } from '../fixtures.ts';
import { names } from './keeping.ts';

const database = useDatabase(fewRows);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
let tandem: Tandem;

beforeEach(() => {
  tandem = tandemOn(database);
});

test('the keeper is in the way of no verification, no rollback and no finish; holds count where it is at home', async () => {
  await tandem.migrate();
  await installKeeper(database.pool, names);
  const { rows } = await query('SELECT session_id FROM public.messages ORDER BY session_id LIMIT 1');
  const held = rows[0]?.session_id;
  await placeHold(database.pool, held, 'a dispute');
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  const deletion = 'DELETE FROM public.messages WHERE session_id = $1';
  expect(await refusal(query(deletion, [held]))).toBe('23001');

  await tandem.rollback({ keep: true });
  expect((await query(deletion, [held])).rowCount).toBeGreaterThan(0);
  await tandem.migrate();
  await installKeeper(database.pool, names);
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  expect(await refusal(query('DELETE FROM public.sessions WHERE id = $1', [held]))).toBe('23001');

  await tandem.rollback();
  await tandem.migrate();
  await installKeeper(database.pool, names);
  expect(await refusal(query('DELETE FROM public.sessions WHERE id = $1', [held]))).toBe('23001');
  await tandem.finish();
  expect(await refusal(query('DELETE FROM public.sessions WHERE id = $1', [held]))).toBe('23001');
});
