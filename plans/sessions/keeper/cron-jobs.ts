import { z } from 'zod';
import type { Pool, Queryable } from '../../../src/db/connect.ts';
import { SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';

/** A job that pg_cron is to run in the database that Tandem keeps. */
interface WantedJob {
  readonly name: string;
  readonly schedule: string;
  readonly command: string;
}

export interface ScheduledJob extends WantedJob {
  readonly change: 'created' | 'altered' | 'unchanged' | 'removed';
  /** False where somebody has switched it off; it is left so. */
  readonly active: boolean;
}

const jobRow = z.object({
  id: z.number(),
  name: z.string(),
  schedule: z.string(),
  command: z.string(),
  active: z.boolean(),
});
type JobRow = z.infer<typeof jobRow>;

const PREFIX = 'tandem-';

/** What there is to run, by the procedures that this database has. */
async function wantedJobs(kept: Queryable): Promise<WantedJob[]> {
  const { rows } = await kept.query<{ archive: boolean; refresh: boolean; words: boolean; samples: boolean }>(
    `SELECT pg_catalog.to_regprocedure('keeper.archive()') IS NOT NULL AS archive,
            pg_catalog.to_regprocedure('keeper.refresh_stats(boolean)') IS NOT NULL AS refresh,
            pg_catalog.to_regprocedure('private.refresh_search_words(timestamp with time zone)') IS NOT NULL AS words,
            pg_catalog.to_regprocedure('keeper.take_samples()') IS NOT NULL AS samples`,
  );
  const has = rows[0];
  return [
    ...(has?.archive ? [{ name: 'archive', schedule: '7 * * * *', command: 'CALL keeper.archive()' }] : []),
    ...(has?.refresh ? [{ name: 'refresh-stats', schedule: '* * * * *', command: 'CALL keeper.refresh_stats()' }] : []),
    ...(has?.words
      ? [
          {
            name: 'search-words',
            schedule: '37 * * * *',
            // Each run looks back over two, so that none falls between.
            command:
              "SELECT private.refresh_search_words(pg_catalog.now() - interval '2 hours') WHERE keeper.led_by() IS NULL",
          },
        ]
      : []),
    ...(has?.samples
      ? [
          {
            name: 'samples',
            schedule: '* * * * *',
            command: 'SELECT keeper.take_samples() WHERE keeper.led_by() IS NULL',
          },
        ]
      : []),
  ];
}

/** pg_cron writes a row for each run, and never removes one. */
const HISTORY: WantedJob = {
  name: 'history',
  schedule: '23 3 * * *',
  command: `DELETE FROM cron.job_run_details d USING cron.job j WHERE j.jobid = d.jobid AND j.jobname LIKE '${PREFIX}%' AND d.end_time < pg_catalog.now() - interval '7 days'`,
};

/**
 * Where pg_cron keeps its jobs: one database of the server, which need not be the one that Tandem keeps.
 *
 * @throws TD018 where the server has not loaded it
 */
export async function cronDatabase(kept: Queryable): Promise<{ cron: string; kept: string }> {
  const { rows } = await kept.query<{ cron: string | null; kept: string }>(
    "SELECT pg_catalog.current_setting('cron.database_name', true) AS cron, pg_catalog.current_database() AS kept",
  );
  const [found] = rows;
  if (found?.cron) return { cron: found.cron, kept: found.kept };
  throw new TandemError('TD018', 'The server does not run pg_cron.', {
    hint: "Install the extension pg_cron, put it into shared_preload_libraries, restart the server, and CREATE EXTENSION pg_cron in the database of cron.database_name. Or run `tandem serve`, or `tandem archive --yes` by the machine's own cron.",
  });
}

/**
 * Creates, alters and removes jobs until pg_cron has those that the database has work for, and no other of that name.
 * Run again, it changes nothing; a job that somebody has switched off stays off.
 *
 * @param cron a connection to the database of `cronDatabase`
 * @throws TD018 where the extension is missing there; TD006 where the role may not use it
 */
export async function scheduleJobs(
  kept: Pool,
  cron: Pool,
  databases: { cron: string; kept: string },
  options: { remove: boolean },
): Promise<ScheduledJob[]> {
  const isSame = databases.cron === databases.kept;
  const nameOf = (name: string) => `${PREFIX}${name}${isSame ? '' : `-${databases.kept}`}`;
  const wanted = options.remove ? [] : [...(await wantedJobs(kept)), ...(isSame ? [HISTORY] : [])];
  try {
    const existing = await listJobs(cron, databases.kept);
    const result: ScheduledJob[] = [];
    for (const job of wanted) {
      const named = { ...job, name: nameOf(job.name) };
      result.push(
        await put(cron, named, existing.find(({ name }) => name === named.name) ?? null, databases.kept, isSame),
      );
    }
    for (const job of existing.filter(({ name }) => !result.some((r) => r.name === name))) {
      await cron.query('SELECT cron.unschedule($1::bigint)', [job.id]);
      // What it ran stays noted otherwise, for nobody to remove any more.
      await cron.query('DELETE FROM cron.job_run_details WHERE jobid = $1::bigint', [job.id]);
      result.push({
        name: job.name,
        schedule: job.schedule,
        command: job.command,
        active: job.active,
        change: 'removed',
      });
    }
    return result;
  } catch (error) {
    throw refusal(error, databases.cron);
  }
}

async function put(
  cron: Queryable,
  { name, schedule, command }: WantedJob,
  existing: JobRow | null,
  database: string,
  isSame: boolean,
): Promise<ScheduledJob> {
  const active = existing?.active ?? true;
  const job = { name, schedule, command, active };
  if (existing !== null && existing.schedule === schedule && existing.command === command)
    return { ...job, change: 'unchanged' };
  // Both replace a job of the same name. The second one is not for everybody.
  if (isSame) await cron.query('SELECT cron.schedule($1::text, $2::text, $3::text)', [name, schedule, command]);
  else
    await cron.query('SELECT cron.schedule_in_database($1::text, $2::text, $3::text, $4::text, NULL, $5::boolean)', [
      name,
      schedule,
      command,
      database,
      active,
    ]);
  return { ...job, change: existing === null ? 'created' : 'altered' };
}

/** Tandem's jobs for a database, of this role: pg_cron shows nobody another one's. */
async function listJobs(cron: Queryable, database: string): Promise<JobRow[]> {
  const { rows } = await cron.query(
    `SELECT jobid::float8 AS id, jobname::text AS name, schedule, command, active FROM cron.job
      WHERE database = $1 AND username = current_user AND jobname LIKE $2 ORDER BY jobid`,
    [database, `${PREFIX}%`],
  );
  return z.array(jobRow).parse(rows);
}

function refusal(error: unknown, database: string): unknown {
  const state = sqlStateOf(error);
  if (state === SqlState.undefinedTable || state === SqlState.invalidSchemaName)
    return new TandemError(
      'TD018',
      `The extension pg_cron is not in the database ${database}, where the server looks for jobs.`,
      {
        hint: 'CREATE EXTENSION pg_cron there, as a superuser (on Supabase: in the dashboard, under Integrations).',
        cause: error,
      },
    );
  if (state === SqlState.insufficientPrivilege)
    return new TandemError('TD006', `This role may not schedule jobs in the database ${database}.`, {
      hint: 'GRANT USAGE ON SCHEMA cron to it there; for jobs of another database, EXECUTE on cron.schedule_in_database as well.',
      cause: error,
    });
  return error;
}

export interface JobHealth {
  readonly name: string;
  readonly active: boolean;
  /** Its last run that ended; null: none is known. */
  readonly status: string | null;
  readonly message: string | null;
  readonly hours: number | null;
}

/** How Tandem's jobs fare, as far as this database knows: empty where pg_cron keeps its jobs elsewhere, or there is none. */
export async function jobHealth(client: Queryable): Promise<JobHealth[]> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT pg_catalog.to_regclass('cron.job_run_details') IS NOT NULL
            AND pg_catalog.has_schema_privilege('cron', 'USAGE') AS there`,
  );
  if (rows[0]?.there !== true) return [];
  const jobs = await client.query<JobHealth>(
    `SELECT j.jobname::text AS name, j.active, d.status, d.return_message AS message,
            (extract(epoch FROM now() - d.end_time) / 3600)::float8 AS hours
       FROM cron.job j LEFT JOIN LATERAL (
         SELECT * FROM cron.job_run_details r WHERE r.jobid = j.jobid AND r.end_time IS NOT NULL ORDER BY r.runid DESC LIMIT 1) d ON true
      WHERE j.database = pg_catalog.current_database() AND j.jobname LIKE $1 ORDER BY j.jobid`,
    [`${PREFIX}%`],
  );
  return jobs.rows;
}
