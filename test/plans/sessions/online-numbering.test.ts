import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { closeGate, step } from '../../engine/gate.ts';
import { catalogOf, rowsOf } from '../../engine/snapshot.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { type Setup, useDatabase } from '../../support/database.ts';
import { only } from './fixtures.ts';

const few = flatWithRows('numbering_few', { sessions: 40, messages: 400 });
const unnumbered: Setup = {
  name: 'unnumbered',
  run: async (client) => {
    await few.run(client);
    await client.query('ALTER TABLE public.messages DROP COLUMN sequence_number');
  },
};
const database = useDatabase(unnumbered);
const query = async <T extends Record<string, unknown>>(sql: string, values: unknown[] = []) =>
  (await database.pool.query<T>(sql, values)).rows;

async function append(session: string, content: string, at = 'clock_timestamp()'): Promise<void> {
  await query(
    `INSERT INTO public.messages (id, session_id, user_id, content, created_at) SELECT $1, id, user_id, $3, ${at} FROM public.sessions WHERE id = $2`,
    [randomUUID(), session, content],
  );
}
const someSession = async () =>
  only(
    await query<{ id: string; messages: number }>(
      'SELECT session_id AS id, count(*)::int AS messages FROM public.messages GROUP BY 1 HAVING count(*) > 3 ORDER BY 1 LIMIT 1',
    ),
  );
const numbersOf = (session: string) =>
  query<{ content: string; number: number }>(
    'SELECT content, sequence_number AS number FROM public.messages WHERE session_id = $1 ORDER BY sequence_number DESC LIMIT 4',
    [session],
  );

describe('messages without a sequence number', () => {
  test('are numbered by creation time, those that arrive during the run and after it as well', async () => {
    const session = await someSession();
    const tandem = tandemOn(database);
    const copying = await closeGate(database, step('copy', 'running'));
    const draining = await closeGate(database, step('verify-rows', 'running'));
    const run = tandem.migrate();
    await copying.reached();
    await append(session.id, 'during the copy');
    await copying.open();
    await draining.reached();
    await append(session.id, 'after the drain');
    await query(
      "UPDATE public.messages SET content = content || '!' WHERE session_id = $1 AND content = 'during the copy'",
      [session.id],
    );
    await draining.open();
    await run;
    await append(session.id, 'after the cutover');
    const n = session.messages;
    expect(await numbersOf(session.id)).toEqual([
      { content: 'after the cutover', number: n + 3 },
      { content: 'after the drain', number: n + 2 },
      { content: 'during the copy!', number: n + 1 },
      { content: expect.any(String), number: n },
    ]);
    const gaps = await query(
      'SELECT session_id FROM public.messages GROUP BY session_id HAVING max(sequence_number) <> count(*) OR min(sequence_number) <> 1',
    );
    expect(gaps).toEqual([]);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  });

  test('keep their numbers through a stop and a resume, and lose the column in a rollback', async () => {
    const flat = await catalogOf(database.pool, ['public', 'private', 'auth']);
    const session = await someSession();
    const tandem = tandemOn(database);
    await tandem.migrate({ stopBefore: 'cutover' });
    // Older than all others: by its time it would be the first.
    await append(session.id, 'late news', "'2000-01-01'");
    await tandem.migrate();
    const rows = await rowsOf(database.pool, ['auth']);
    expect((await numbersOf(session.id))[0]).toEqual({ content: 'late news', number: session.messages + 1 });
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
    expect(catalogDifference(flat, await catalogOf(database.pool, ['public', 'private', 'auth']))).toEqual([]);
    expect(await rowsOf(database.pool, ['auth'])).toEqual(rows);
    expect(await query('SELECT count(*)::int AS n FROM public.messages')).toEqual([{ n: 401 }]);
  });
});
