import { beforeEach, expect, test } from 'vitest';
import { examine } from '../../../../plans/sessions/keeper/doctor.ts';
import { placeHold } from '../../../../plans/sessions/keeper/holds.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { fewRows } from '../../../engine/flat-database.ts';
import { type Tandem, tandemOn } from '../../../engine/tandem.ts';
import { useDatabase } from '../../../support/database.ts';
import { refusal } from '../fixtures.ts';
import { names } from './keeping.ts';

const database = useDatabase(fewRows);
const query = (sql: string, values: unknown[] = []) => database.pool.query(sql, values);
const UNGUARDED = 'Nothing keeps 1 held session from being deleted: holds count on the migrated tables alone.';
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

  expect((await tandem.status()).warnings).toEqual([]);
  await tandem.rollback({ keep: true });
  expect((await tandem.status()).warnings).toEqual([UNGUARDED]);
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

test('after a rollback nothing keeps what is held, and that is said; a new migration guards it from its very cutover on', async () => {
  await tandem.migrate();
  await installKeeper(database.pool, names);
  const { rows } = await query(
    'SELECT session_id AS id FROM public.messages GROUP BY 1 HAVING count(*) > 2 ORDER BY 1 LIMIT 1',
  );
  const held = rows[0]?.id;
  await placeHold(database.pool, held, 'a dispute');
  const doctor = async () => (await examine(database.pool, names)).find(({ name }) => name === 'holds');
  expect(await doctor()).toMatchObject({ state: 'ok', message: 'sessions held: 1' });

  await tandem.rollback();
  expect((await tandem.status()).warnings).toEqual([UNGUARDED]);
  expect(await doctor()).toMatchObject({ state: 'failed', message: UNGUARDED });
  expect(
    (
      await query(
        'DELETE FROM public.messages WHERE id = (SELECT id FROM public.messages WHERE session_id = $1 ORDER BY id DESC LIMIT 1)',
        [held],
      )
    ).rowCount,
  ).toBe(1);

  // What comes between the copy and the cutover is followed, held or not.
  await tandem.migrate({ stopBefore: 'cutover' });
  expect(
    (await query("UPDATE public.messages SET content = 'Altered' WHERE session_id = $1", [held])).rowCount,
  ).toBeGreaterThan(0);
  await tandem.migrateUpTo('foreign-keys');
  expect(await refusal(query('DELETE FROM public.messages WHERE session_id = $1', [held]))).toBe('23001');
  expect(await refusal(query('DELETE FROM public.sessions WHERE id = $1', [held]))).toBe('23001');
  expect(await refusal(query("UPDATE public.messages SET content = 'Again' WHERE session_id = $1", [held]))).toBe(
    '23001',
  );
  await tandem.migrate();
  await query(
    'INSERT INTO public.message_feedback (message_id, overall_score) SELECT id, 50 FROM public.messages WHERE session_id = $1',
    [held],
  );
  expect(
    await refusal(
      query(
        'DELETE FROM public.message_feedback f USING public.messages m WHERE m.id = f.message_id AND m.session_id = $1',
        [held],
      ),
    ),
  ).toBe('23001');
  expect((await tandem.status()).warnings).toEqual([]);
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
});
