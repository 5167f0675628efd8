import { describe, expect, test } from 'vitest';
import { examine } from '../../../../plans/sessions/keeper/doctor.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { refreshStats } from '../../../../plans/sessions/keeper/refresh.ts';
import { acquireLease } from '../../../../src/keeper/lease.ts';
import { useDatabase } from '../../../support/database.ts';
import { flat } from '../fixtures.ts';
import { idleSessions, names, run } from './keeping.ts';

const database = useDatabase(idleSessions);
const query = (sql: string) => database.pool.query(sql);
/** What is not well, by name. */
const ailing = async () =>
  Object.fromEntries(
    (await examine(database.pool, names)).flatMap((c) =>
      c.state === 'ok' ? [] : [[c.name, `${c.state}: ${c.message}`]],
    ),
  );

async function healthy() {
  await run(database.pool);
  await refreshStats({ pool: database.pool, names });
  await acquireLease(database.pool, 'here/1');
}

test('where the keeper is at work and nothing is wrong, all is well', async () => {
  await healthy();
  const checks = await examine(database.pool, names);
  expect(checks.map((c) => [c.name, c.state])).toEqual(
    ['migration', 'indexes', 'statistics', 'vacuum', 'security', 'keeper', 'archiving'].map((name) => [name, 'ok']),
  );
  expect(checks.every((c) => c.hint === null)).toBe(true);
});

test('before the keeper has ever run, that is what is missing', async () => {
  expect(await ailing()).toEqual({
    statistics: 'warning: no refresh is noted',
    keeper: 'warning: it has never run on this database',
  });
});

test.each([
  [
    'REFRESH MATERIALIZED VIEW public.session_stats WITH NO DATA',
    { statistics: expect.stringMatching(/^failed: .*never filled/) },
  ],
  [
    "UPDATE keeper.stats_refreshes SET started_at = now() - interval '3 hours'",
    { statistics: 'warning: as of 3.0 hours ago' },
  ],
  ["UPDATE keeper.leader SET expires_at = now() - interval '1 s'", { keeper: 'warning: no `tandem serve` is at work' }],
  ["UPDATE keeper.archive_runs SET error = 'no luck'", { archiving: 'failed: run 1 failed: no luck' }],
  [
    "UPDATE keeper.archive_runs SET started_at = now() - interval '3 days'",
    { archiving: 'warning: the last run was 72 hours ago' },
  ],
  [
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.messages_session_id_idx'::regclass",
    { indexes: 'failed: invalid: public.messages_session_id_idx' },
  ],
])('%s is noticed', async (sql, expected) => {
  await healthy();
  await query(sql);
  expect(await ailing()).toEqual(expected);
});

describe('where the tables are still flat', () => {
  const flatDatabase = useDatabase(flat);
  test('that is the one thing said', async () => {
    expect(await examine(flatDatabase.pool, names)).toMatchObject([
      { name: 'migration', state: 'failed', hint: '`tandem migrate` begins one.' },
    ]);
    await expect(installKeeper(flatDatabase.pool, names)).rejects.toMatchObject({ code: 'TD012' });
  });
});
