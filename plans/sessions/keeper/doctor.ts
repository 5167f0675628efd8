import type { Pool } from 'pg';
import type { Queryable } from '../../../src/db/connect.ts';
import { displayName, quoteName } from '../../../src/db/identifier.ts';
import { isOpen, maybeLatestRun } from '../../../src/engine/run-state.ts';
import { currentHolder } from '../../../src/engine/runner-lock.ts';
import { backlog } from '../../../src/move/change-log.ts';
import { countQuarantined } from '../../../src/move/quarantine.ts';
import type { SessionsNames } from '../names.ts';
import { triggerFindings } from '../stats-findings.ts';
import { type JobHealth, jobHealth } from './cron-jobs.ts';
import { type WatchedSettings, watchedChecks } from './doctor-monitoring.ts';
import { purging } from './doctor-purge.ts';
import { countHeld, unguardedHolds } from './holds.ts';
import { assertMigrated, isInstalled } from './install.ts';
import { rowSecurity } from './row-security.ts';
import { keeperNames } from './transitions.ts';

export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly message: string;
  /** What to do about it; null where all is well. */
  readonly hint: string | null;
}

const ok = (name: string, message: string): Check => ({ name, state: 'ok', message, hint: null });
const warning = (name: string, message: string, hint: string): Check => ({ name, state: 'warning', message, hint });
const failed = (name: string, message: string, hint: string): Check => ({ name, state: 'failed', message, hint });

/** Statistics older than this, while rows were written, are stale. */
const STALE_HOURS = 2;
/** Half of what PostgreSQL lets a table's oldest row get to before it refuses writes. */
const OLD_XIDS = 1_000_000_000;

/**
 * Looks at a migrated database and says what is well and what is not; with settings, also by the conditions of the
 * alerts, which takes longer. Reads only.
 */
export async function examine(
  pool: Pool,
  names: SessionsNames,
  settings: WatchedSettings | null = null,
): Promise<Check[]> {
  const migrated = await migration(pool, names);
  const checks = [migrated, ...(await holds(pool, names))];
  if (migrated.state === 'failed') return checks;
  checks.push(
    await indexes(pool, names),
    await statistics(pool, names),
    await age(pool, names),
    await rowSecurity(pool, names),
  );
  if (await isInstalled(pool)) {
    const purge = await purging(pool, names);
    checks.push(
      ...(await keeper(pool)),
      await archiving(pool),
      ...(purge === null ? [] : [purge]),
      ...(settings === null ? [] : await watchedChecks(pool, names, settings)),
    );
  } else
    checks.push(
      warning('keeper', 'it has never run on this database', 'Run `tandem serve`, or `tandem archive` by cron.'),
    );
  return checks;
}

async function migration(pool: Pool, names: SessionsNames): Promise<Check> {
  const run = await maybeLatestRun(pool);
  if (isOpen(run)) {
    const quarantined = await countQuarantined(pool);
    if (quarantined > 0)
      return failed(
        'migration',
        `${quarantined} rows are in quarantine`,
        '`tandem status` lists them, with what is wrong.',
      );
    if (run.phase === 'baking') {
      let waiting = 0;
      for (const move of run.settings.moves) waiting += await backlog(pool, move, 100_000);
      return ok('migration', `baking; ${waiting.toLocaleString('en')} changes wait for the retired tables`);
    }
    const holder = await currentHolder(pool);
    return holder === null
      ? failed('migration', `it stopped while ${run.phase}`, 'Run `tandem migrate` again, or `tandem rollback`.')
      : warning('migration', `${run.phase}, by \`tandem ${holder.command}\` on ${holder.host}`, 'Wait for it to end.');
  }
  try {
    await assertMigrated(pool, names);
  } catch (error) {
    return failed('migration', error instanceof Error ? error.message : String(error), '`tandem migrate` begins one.');
  }
  return ok('migration', `${displayName(names.sessions)} is partitioned by status`);
}

/** Nothing where none is held. */
async function holds(client: Queryable, names: SessionsNames): Promise<Check[]> {
  const held = await countHeld(client);
  if (held === 0) return [];
  const unguarded = await unguardedHolds(client, names);
  if (unguarded === null) return [ok('holds', `sessions held: ${held.toLocaleString('en')}`)];
  return [
    failed('holds', unguarded, '`tandem migrate` puts the guard up again; on migrated tables, `tandem hold` does.'),
  ];
}

async function indexes(client: Queryable, names: SessionsNames): Promise<Check> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT i.indexrelid::regclass::text AS name FROM pg_catalog.pg_index i
      WHERE NOT (i.indisvalid AND i.indisready) AND i.indrelid IN (
        SELECT relid FROM pg_catalog.pg_partition_tree($1::regclass) UNION SELECT $2::regclass UNION SELECT $3::regclass)
      ORDER BY 1`,
    [quoteName(names.sessions), quoteName(names.messages), quoteName(names.registry)],
  );
  if (rows.length === 0) return ok('indexes', 'all are valid');
  return failed(
    'indexes',
    `invalid: ${rows.map((row) => row.name).join(', ')}`,
    'REINDEX INDEX CONCURRENTLY each of them.',
  );
}

async function statistics(client: Queryable, names: SessionsNames): Promise<Check> {
  const { rows } = await client.query<{ populated: boolean | null; hours: number | null }>(
    `SELECT (SELECT relispopulated FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)) AS populated, $2::float8 AS hours`,
    [keeperNames(names).stats, await hoursSinceRefresh(client)],
  );
  const [row] = rows;
  if (row?.populated == null)
    return failed('statistics', 'session_stats is missing', 'Run `tandem verify`; it tells what else is.');
  if (!row.populated)
    return failed('statistics', 'session_stats was never filled, or emptied', 'Run `tandem refresh`.');
  if (row.hours === null)
    return warning('statistics', 'no refresh is noted', 'Run `tandem refresh`, or `tandem serve`.');
  if (row.hours > STALE_HOURS)
    return warning('statistics', `as of ${row.hours.toFixed(1)} hours ago`, 'Run `tandem refresh`, or `tandem serve`.');
  const triggers = await triggerFindings(client, names);
  const trigger = triggers.find(({ severity }) => severity === 'blocks') ?? triggers[0];
  if (trigger)
    return (trigger.severity === 'blocks' ? failed : warning)(
      'statistics',
      trigger.message,
      trigger.hint ?? '`tandem verify` tells more.',
    );
  const drifted = await driftedInLastRecount(client);
  if (drifted > 0)
    return warning(
      'statistics',
      `the last recount found ${drifted} sessions with wrong figures, and put them right`,
      'Something wrote past the triggers: what does, will be found again.',
    );
  return ok('statistics', `as of ${(row.hours * 60).toFixed(0)} minutes ago`);
}

async function hoursSinceRefresh(client: Queryable): Promise<number | null> {
  if (!(await isInstalled(client))) return null;
  const { rows } = await client.query<{ hours: number | null }>(
    `SELECT (extract(epoch FROM now() - max(started_at)) / 3600)::float8 AS hours
       FROM keeper.stats_refreshes WHERE error IS NULL AND ended_at IS NOT NULL`,
  );
  return rows[0]?.hours ?? null;
}

async function driftedInLastRecount(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ drifted: number }>(
    'SELECT drifted::float8 AS drifted FROM keeper.stats_recounts ORDER BY stats_recounts.id DESC LIMIT 1',
  );
  return rows[0]?.drifted ?? 0;
}

async function age(client: Queryable, names: SessionsNames): Promise<Check> {
  const { rows } = await client.query<{ name: string; age: number }>(
    `SELECT c.oid::regclass::text AS name, pg_catalog.age(c.relfrozenxid)::float8 AS age FROM pg_catalog.pg_class c
      WHERE c.relkind = 'r' AND c.oid IN (
        SELECT relid FROM pg_catalog.pg_partition_tree($1::regclass) UNION SELECT $2::regclass UNION SELECT $3::regclass)
      ORDER BY 2 DESC LIMIT 1`,
    [quoteName(names.sessions), quoteName(names.messages), quoteName(names.registry)],
  );
  const [oldest] = rows;
  if (oldest === undefined || oldest.age < OLD_XIDS) return ok('vacuum', 'no table is old');
  return warning(
    'vacuum',
    `${oldest.name} has rows that are ${oldest.age.toLocaleString('en')} transactions old`,
    'Find out what keeps autovacuum from it: long transactions, prepared ones, replication slots.',
  );
}

async function keeper(client: Queryable): Promise<Check[]> {
  const { rows } = await client.query<{ holder: string | null; alive: boolean; waiting_for: string | null }>(
    `SELECT l.holder, l.expires_at > now() AS alive, CASE WHEN c.paused THEN 'paused by \`tandem pause\`' ELSE c.waiting_for END AS waiting_for
       FROM keeper.leader l, keeper.control c`,
  );
  const [state] = rows;
  const jobs = await jobHealth(client);
  const checks: Check[] = [];
  if (state?.alive) checks.push(ok('keeper', `${state.holder} is at work`));
  else if (jobs.some(({ active }) => active)) checks.push(ok('keeper', 'jobs of pg_cron are at work'));
  else
    checks.push(
      warning(
        'keeper',
        'no `tandem serve` is at work',
        'Start one, or run `tandem schedule --pg-cron`, or `tandem archive` and `tandem refresh` by cron.',
      ),
    );
  if (state?.waiting_for)
    checks.push(
      warning('throttle', `the archiving waits: ${state.waiting_for}`, '`tandem resume`, or `tandem throttle`.'),
    );
  return jobs.length === 0 ? checks : [...checks, schedule(jobs)];
}

/** An hourly job that has not run for longer than this does not run. */
const MISSED_HOURS = 26;

function schedule(jobs: readonly JobHealth[]): Check {
  const list = (some: readonly JobHealth[]) => some.map(({ name }) => name).join(', ');
  const broken = jobs.filter(({ active, status }) => active && status === 'failed');
  if (broken[0])
    return failed(
      'schedule',
      `${list(broken)} failed: ${broken[0].message?.trim() ?? 'no reason is given'}`,
      'cron.job_run_details has each run. Where it cannot connect: cron.use_background_workers, or a line of pg_hba.conf.',
    );
  const missed = jobs.filter(({ active, hours }) => active && hours !== null && hours > MISSED_HOURS);
  if (missed.length > 0)
    return warning(
      'schedule',
      `${list(missed)} did not run for a day`,
      'Look whether pg_cron runs: pg_stat_activity, the log.',
    );
  const off = jobs.filter(({ active }) => !active);
  if (off.length > 0) return warning('schedule', `${list(off)}: switched off`, 'cron.alter_job(…, active => true).');
  return ok('schedule', `${jobs.length} jobs of pg_cron`);
}

async function archiving(client: Queryable): Promise<Check> {
  const { rows } = await client.query<{ id: number; error: string | null; hours: number }>(
    `SELECT id::float8 AS id, error, (extract(epoch FROM now() - started_at) / 3600)::float8 AS hours
       FROM keeper.archive_runs ORDER BY archive_runs.id DESC LIMIT 1`,
  );
  const [last] = rows;
  if (last === undefined) return warning('archiving', 'it has never run', 'Run `tandem archive --dry-run`.');
  if (last.error !== null)
    return failed('archiving', `run ${last.id} failed: ${last.error}`, 'Run `tandem archive` again.');
  if (last.hours > 26)
    return warning('archiving', `the last run was ${last.hours.toFixed(0)} hours ago`, 'Run `tandem serve`.');
  return ok('archiving', `run ${last.id}, ${last.hours.toFixed(1)} hours ago`);
}
