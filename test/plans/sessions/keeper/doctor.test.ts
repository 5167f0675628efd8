import { describe, expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { examine } from '../../../../plans/sessions/keeper/doctor.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { refreshStats } from '../../../../plans/sessions/keeper/refresh.ts';
import { acquireLease } from '../../../../src/keeper/lease.ts';
import { useDatabase } from '../../../support/database.ts';
import { flat } from '../fixtures.ts';
import { idleSessions, names, run } from './keeping.ts';

const database = useDatabase(idleSessions);
const { monitoring, backups = null } = sessionsConfigSchema.parse({ backups: { directory: '/backups' } });
const settings = { monitoring, backups };
const query = (sql: string) => database.pool.query(sql);
/** What is not well, by name. */
const ailing = async () =>
  Object.fromEntries(
    (await examine(database.pool, names, settings)).flatMap((c) =>
      c.state === 'ok' ? [] : [[c.name, `${c.state}: ${c.message}`]],
    ),
  );

async function healthy() {
  await run(database.pool);
  await refreshStats({ pool: database.pool, names });
  await acquireLease(database.pool, 'here/1');
  await query(`INSERT INTO keeper.backups (host, directory, ended_at, bytes) VALUES ('h', '/backups/a', now(), 1)`);
  await query(
    `INSERT INTO keeper.drills (host, directory, place, ended_at) VALUES ('h', '/backups/a', 'server', now())`,
  );
}

test('where the keeper is at work and nothing is wrong, all is well', async () => {
  await healthy();
  const checks = await examine(database.pool, names, settings);
  expect(checks.map((c) => [c.name, c.state])).toEqual(
    [
      'migration',
      'indexes',
      'statistics',
      'vacuum',
      'security',
      'keeper',
      'archiving',
      'partitions',
      'search',
      'backups',
      'drills',
      'alerts',
    ].map((name) => [name, 'ok']),
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
  [
    'INSERT INTO keeper.stats_recounts (sessions, drifted) VALUES (30, 2)',
    { statistics: 'warning: the last recount found 2 sessions with wrong figures, and put them right' },
  ],
  [
    'ALTER TABLE public.messages DISABLE TRIGGER session_changes_insert',
    { statistics: expect.stringMatching(/^failed: .*is switched off: writes are not counted$/) },
  ],
  ["UPDATE keeper.leader SET expires_at = now() - interval '1 s'", { keeper: 'warning: no `tandem serve` is at work' }],
  [
    "UPDATE keeper.backups SET started_at = now() - interval '27 hours'",
    { backups: 'failed: The newest backup is 27 hours old' },
  ],
  [
    "UPDATE keeper.drills SET error = 'no luck'",
    {
      drills:
        'failed: No backup was restored as a drill yet; The last restore drill failed: the backup does not come back',
    },
  ],
  [
    "INSERT INTO keeper.samples (series, label, value) VALUES ('search_failed', 'de', 1)",
    { search: 'failed: Every probe of the search in de fails' },
  ],
  [
    "INSERT INTO keeper.samples (series, label, taken_at, value) SELECT 'partition_bytes', 'active', now() - n * interval '1 hour', -n * 1e12 FROM generate_series(0, 2) n",
    { partitions: 'warning: The partition of active sessions reaches its limit within 7 days' },
  ],
  [
    "INSERT INTO keeper.alerts (name, severity, summary, firing_at, last_error) VALUES ('x', 'warning', 'x', now(), 'it answered 500')",
    { alerts: 'warning: the webhook did not take 1 of them: it answered 500' },
  ],
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
    expect(await examine(flatDatabase.pool, names, settings)).toMatchObject([
      { name: 'migration', state: 'failed', hint: '`tandem migrate` begins one.' },
    ]);
    await expect(installKeeper(flatDatabase.pool, names)).rejects.toMatchObject({ code: 'TD012' });
  });
});
