import type { Pool, Queryable } from '../../../src/db/connect.ts';
import { displayName, quoteName } from '../../../src/db/identifier.ts';
import type { Status } from '../../../src/engine/status.ts';
import type { SessionsNames } from '../names.ts';
import { listFiring } from './alert-records.ts';
import { examine } from './doctor.ts';
import { isInstalled } from './install.ts';
import type { MonitoringSettings } from './monitoring-config.ts';
import { partitionSizes } from './partitions.ts';
import { readPolicy } from './policy.ts';
import { DUE_SESSIONS, dueValues, transitions } from './transitions.ts';

export type Wellness = 'well' | 'worth a look' | 'wrong' | 'to come';

/** One thing in a plain sentence, and whether it is well. */
export interface Sentence {
  readonly topic: string;
  readonly state: Wellness;
  readonly text: string;
  /** What to do about it; null where all is well. */
  readonly hint: string | null;
}

export interface OverviewInput {
  readonly pool: Pool;
  readonly names: SessionsNames;
  readonly monitoring: MonitoringSettings;
  readonly status: Status;
  /** Backups are made by the keeper: where it is not told to, none is missed. */
  readonly makesBackups: boolean;
}

/** Counting stops here: beyond it nobody wants to know how many exactly. */
const MOST_COUNTED = 1_000;

const number = (n: number) => Math.round(n).toLocaleString('en');
const plural = (n: number, one: string, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** What is well and what is not. Reads only, and of no table more than a few pages. */
export async function overview(input: OverviewInput): Promise<Sentence[]> {
  const { pool, names, status } = input;
  const migration = (await thereIsNone(input)) ?? aboutMigration(status, names);
  if (status.phase !== 'finished' && status.phase !== 'baking') return [migration];
  const installed = await isInstalled(pool);
  const sentences = await Promise.all([
    ...(installed ? [tried('Alerts', aboutAlerts(pool)), tried('Archiving', aboutArchiving(pool))] : []),
    tried('Statistics', aboutStatistics(pool, installed)),
    tried('Partitions', aboutPartitions(input)),
    ...(installed ? [tried('Backups', aboutBackups(pool, input.makesBackups))] : []),
    tried('Keeper', aboutTheRest(input)),
  ]);
  return [migration, ...sentences.flat()];
}

/** What cannot be looked at is wrong itself, and hides nothing of the rest. */
async function tried(topic: string, about: Promise<Sentence | Sentence[]>): Promise<Sentence | Sentence[]> {
  try {
    return await about;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      topic,
      state: 'wrong',
      text: `This cannot be looked at: ${reason}.`,
      hint: '`tandem doctor` may say more.',
    };
  }
}

async function aboutTheRest({ pool, names }: OverviewInput): Promise<Sentence[]> {
  return (await examine(pool, names)).flatMap(({ name, state, message, hint }): Sentence[] => {
    const topic = TITLES[name];
    return topic === undefined ? [] : [{ topic, state: WELLNESS[state], text: `${capital(message)}.`, hint }];
  });
}

const TITLES: Readonly<Record<string, string>> = { indexes: 'Indexes', vacuum: 'Vacuum', keeper: 'Keeper' };
const WELLNESS = { ok: 'well', warning: 'worth a look', failed: 'wrong' } as const;
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Before a migration: a database that is another one than was meant, or tables that have other names. */
async function thereIsNone({ pool, names, status }: OverviewInput): Promise<Sentence | null> {
  if (status.phase !== 'none') return null;
  const { rows } = await pool.query<{ there: boolean }>('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there', [
    quoteName(names.sessions),
  ]);
  if (rows[0]?.there === true) return null;
  return {
    topic: 'Migration',
    state: 'wrong',
    text: `There is no table ${displayName(names.sessions)} in this database.`,
    hint: 'Give `tandem serve` the database that has it, or name the table in the plan file.',
  };
}

function aboutMigration(status: Status, names: SessionsNames): Sentence {
  const topic = 'Migration';
  const table = displayName(names.sessions);
  const say = (state: Wellness, text: string, hint: string | null = null) => ({ topic, state, text, hint });
  if (status.quarantined.length > 0)
    return say(
      'wrong',
      `${plural(status.quarantined.length, 'row')} cannot be carried over as they are.`,
      'The migration page lists them.',
    );
  switch (status.phase) {
    case 'finished':
      return say('well', `${table} is partitioned by status, and the migration is finished.`);
    case 'none':
      return say('to come', `${table} is a flat table: nothing has been migrated yet.`, 'Begin on the migration page.');
    case 'rolled_back':
      return say('to come', 'The last migration was rolled back; the flat tables serve.', 'It can begin anew.');
    case 'baking': {
      const behind = status.tables.reduce((sum, { lag }) => sum + lag, 0);
      return say(
        'well',
        `The new tables serve, and the old ones follow them: ${behind === 0 ? 'nothing waits' : `${plural(behind, 'change')} ${behind === 1 ? 'waits' : 'wait'}`}.`,
        'Until you finish, you can roll back without losing a write.',
      );
    }
    default: {
      if (status.holder === null)
        return say('wrong', `The migration stopped while ${status.phase}.`, 'Go on with it, or roll it back.');
      const waiting = status.waiting_for === null ? '' : `, and waits: ${status.waiting_for}`;
      return say('well', `A migration is under way: it is ${status.phase}${waiting}.`);
    }
  }
}

async function aboutAlerts(client: Queryable): Promise<Sentence> {
  const firing = await listFiring(client);
  if (firing.length === 0) return { topic: 'Alerts', state: 'well', text: 'No alert is firing.', hint: null };
  const critical = firing.some(({ severity }) => severity === 'critical');
  return {
    topic: 'Alerts',
    state: critical ? 'wrong' : 'worth a look',
    text: `${plural(firing.length, 'alert')} ${firing.length === 1 ? 'is' : 'are'} firing: ${firing[0]?.summary ?? ''}`,
    hint: 'The alerts page lists them.',
  };
}

async function aboutArchiving(client: Queryable): Promise<Sentence> {
  const policy = await readPolicy(client);
  let due = 0;
  for (const transition of transitions(policy)) {
    const { rows } = await client.query<{ due: number }>(
      `SELECT count(*)::float8 AS due FROM ${DUE_SESSIONS}`,
      dueValues(transition, MOST_COUNTED + 1),
    );
    due += rows[0]?.due ?? 0;
  }
  const topic = 'Archiving';
  if (transitions(policy).length === 0)
    return { topic, state: 'well', text: 'Archiving is switched off: sessions stay where they are.', hint: null };
  if (due === 0) return { topic, state: 'well', text: 'Archiving is on time: nothing is due.', hint: null };
  const { rows } = await client.query<{ hours: number | null; error: string | null }>(
    `SELECT (extract(epoch FROM now() - started_at) / 3600)::float8 AS hours, error
       FROM keeper.archive_runs ORDER BY id DESC LIMIT 1`,
  );
  const [last] = rows;
  const sessions =
    due > MOST_COUNTED
      ? `More than ${number(MOST_COUNTED)} sessions are`
      : `${plural(due, 'session')} ${due === 1 ? 'is' : 'are'}`;
  if (last?.error != null)
    return {
      topic,
      state: 'wrong',
      text: `${sessions} due, and the last run failed: ${last.error}`,
      hint: 'Mend it; the next run goes on.',
    };
  if (last === undefined || (last.hours ?? 0) > 26)
    return {
      topic,
      state: 'worth a look',
      text: `${sessions} due, and archiving did not run for over a day.`,
      hint: 'Is `tandem serve` at work?',
    };
  return { topic, state: 'well', text: `${sessions} due, and will be moved by the next run.`, hint: null };
}

async function aboutStatistics(client: Queryable, installed: boolean): Promise<Sentence> {
  const topic = 'Statistics';
  const { rows } = installed
    ? await client.query<{ minutes: number | null; failed: string | null }>(
        `SELECT (extract(epoch FROM now() - max(started_at) FILTER (WHERE error IS NULL AND ended_at IS NOT NULL)) / 60)::float8 AS minutes,
                (SELECT l.error FROM keeper.stats_refreshes l WHERE l.ended_at IS NOT NULL ORDER BY l.id DESC LIMIT 1) AS failed
           FROM keeper.stats_refreshes`,
      )
    : { rows: [] };
  const { minutes = null, failed = null } = rows[0] ?? {};
  if (failed !== null)
    return { topic, state: 'wrong', text: `The last refresh of the statistics failed: ${failed}`, hint: null };
  if (minutes === null)
    return {
      topic,
      state: 'worth a look',
      text: 'No refresh of the statistics is noted.',
      hint: 'Is `tandem serve` at work?',
    };
  const text = `Statistics are ${age(minutes)} old.`;
  if (minutes > 120) return { topic, state: 'worth a look', text, hint: 'Is `tandem serve` at work?' };
  return { topic, state: 'well', text, hint: null };
}

async function aboutPartitions({ pool, names, monitoring }: OverviewInput): Promise<Sentence> {
  const sizes = await partitionSizes(pool, names, monitoring.partitionLimits);
  const fullest = [...sizes].sort((a, b) => b.bytes / b.limit_bytes - a.bytes / a.limit_bytes)[0];
  const topic = 'Partitions';
  if (fullest === undefined) return { topic, state: 'wrong', text: 'There is no partition.', hint: null };
  const share = fullest.bytes / fullest.limit_bytes;
  const percent = share < 0.01 ? 'under 1 %' : `${Math.round(share * 100)} %`;
  const counted = sizes.flatMap(({ rows }) => (rows === null ? [] : [rows]));
  const held = counted.length === 0 ? '' : `The partitions hold about ${plural(sum(counted), 'session')}. `;
  return {
    topic,
    state: share >= 1 ? 'wrong' : share >= 0.8 ? 'worth a look' : 'well',
    text: `${held}The fullest, ${fullest.status}, has used ${percent} of its limit.`,
    hint: share >= 0.8 ? 'Archive sooner, or raise the limit in the plan file.' : null,
  };
}

async function aboutBackups(client: Queryable, made: boolean): Promise<Sentence> {
  const topic = 'Backups';
  const { rows } = await client.query<{ minutes: number | null }>(
    `SELECT (extract(epoch FROM now() - max(started_at)) / 60)::float8 AS minutes FROM keeper.backups
      WHERE ended_at IS NOT NULL AND error IS NULL AND removed_at IS NULL`,
  );
  const minutes = rows[0]?.minutes ?? null;
  if (minutes !== null)
    return {
      topic,
      state: minutes > 26 * 60 && made ? 'wrong' : 'well',
      text: `The last backup is ${age(minutes)} old.`,
      hint: null,
    };
  if (made)
    return {
      topic,
      state: 'worth a look',
      text: 'No backup has been made yet.',
      hint: 'The keeper makes one as the plan file says.',
    };
  return {
    topic,
    state: 'to come',
    text: 'The keeper makes no backups.',
    hint: '`backups` in the plan file has it make them, and try to restore them.',
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

function age(minutes: number): string {
  if (minutes < 1) return 'less than a minute';
  if (minutes < 90) return plural(Math.round(minutes), 'minute');
  if (minutes < 36 * 60) return plural(Math.round(minutes / 60), 'hour');
  return plural(Math.round(minutes / 1440), 'day');
}
