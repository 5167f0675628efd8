import type { Pool } from 'pg';
import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import { type BackupFigures, readBackupFigures } from './backup-figures.ts';
import { isInstalled, isMigrated } from './install.ts';
import { type MigrationFigures, readMigration } from './migration-figures.ts';
import type { MonitoringSettings } from './monitoring-config.ts';
import { countOverdue, type Overdue } from './overdue.ts';
import { type PartitionSize, partitionSizes } from './partitions.ts';
import { pendingPages } from './pending-pages.ts';
import { readPolicy } from './policy.ts';

/** What the database says of its own health: the figures of /metrics, and what the alerts are made of. */
export interface Figures {
  readonly migration: MigrationFigures;
  /** Null before the cutover, or where the keeper has never run. */
  readonly keeper: KeeperFigures | null;
}

export interface KeeperFigures {
  /** By the server's clock: what is compared with the times below. */
  readonly now: Date;
  readonly partitions: readonly PartitionSize[];
  readonly overdue: readonly Overdue[];
  /** Sessions moved on so far, and rows deleted for good. */
  readonly moved: { readonly archived: number; readonly deleted: number; readonly purged: number };
  readonly purgedRows: { readonly sessions: number; readonly messages: number; readonly message_feedback: number };
  readonly holds: number;
  /** Why archiving is held back now; null while it is not. */
  readonly waitingFor: string | null;
  /** As of when session_stats is up to date; null where it was never refreshed. */
  readonly statsAsOf: Date | null;
  /** How often it is looked at, by the policy. */
  readonly statsEverySeconds: number;
  readonly dirtySessions: number;
  /** Whose figures the last recount found wrong, as far as the one that is under way has come, too. */
  readonly driftedSessions: number;
  /** Of the text index; null where it cannot be told. */
  readonly pendingPages: number | null;
  readonly backups: BackupFigures;
  readonly firing: { readonly warning: number; readonly critical: number };
}

export interface FigureReader {
  read(): Promise<Figures>;
}

/** Counting what is due reads every session that is: at most once in this time. */
const OVERDUE_MS = 60_000;

/** Reads the figures of a database; those that cost more, from time to time. */
export function createFigureReader(
  pool: Pool,
  names: SessionsNames,
  limits: MonitoringSettings['partitionLimits'],
): FigureReader {
  let overdue: { at: number; value: readonly Overdue[] } | null = null;
  const recentOverdue = async () => {
    if (overdue === null || performance.now() - overdue.at >= OVERDUE_MS)
      overdue = { at: performance.now(), value: await countOverdue(pool, await readPolicy(pool)) };
    return overdue.value;
  };
  return {
    read: async () => {
      const migrated = await isMigrated(pool, names);
      const there = migrated && (await isInstalled(pool));
      return {
        migration: await readMigration(pool, migrated),
        keeper: there
          ? {
              ...(await readCounts(pool)),
              partitions: await partitionSizes(pool, names, limits),
              overdue: await recentOverdue(),
              dirtySessions: await countDirty(pool),
              pendingPages: await pendingPages(pool, names),
              backups: await readBackupFigures(pool),
            }
          : null,
      };
    },
  };
}

type Counts = Pick<
  KeeperFigures,
  | 'now'
  | 'moved'
  | 'purgedRows'
  | 'holds'
  | 'statsAsOf'
  | 'statsEverySeconds'
  | 'driftedSessions'
  | 'firing'
  | 'waitingFor'
>;

/** Until the next recount has ended, what the last one found is the news. */
const DRIFTED = `(SELECT coalesce(max(drifted), 0)::float8 FROM keeper.stats_recounts
  WHERE id >= (SELECT max(id) FROM keeper.stats_recounts WHERE ended_at IS NOT NULL) OR ended_at IS NULL)`;

async function readCounts(client: Queryable): Promise<Counts> {
  const { rows } = await client.query<
    Record<string, number> & { now: Date; stats_as_of: Date | null; waiting_for: string | null }
  >(
    `SELECT now(), r.*, p.*, a.*, (SELECT count(*) FROM keeper.session_holds)::float8 AS holds,
            (SELECT max(started_at) FROM keeper.stats_refreshes WHERE error IS NULL AND ended_at IS NOT NULL) AS stats_as_of,
            (SELECT extract(epoch FROM refresh_every)::float8 FROM keeper.stats_policy) AS stats_every,
            ${DRIFTED} AS drifted,
            (SELECT waiting_for FROM keeper.control) AS waiting_for
       FROM (SELECT coalesce(sum(archived), 0)::float8 AS archived, coalesce(sum(deleted), 0)::float8 AS deleted,
                    coalesce(sum(purged), 0)::float8 AS purged FROM keeper.archive_runs) r,
            (SELECT count(*)::float8 AS sessions, coalesce(sum(messages), 0)::float8 AS messages,
                    coalesce(sum(feedback), 0)::float8 AS feedback FROM keeper.purged_sessions) p,
            (SELECT count(*) FILTER (WHERE severity = 'warning')::float8 AS warning,
                    count(*) FILTER (WHERE severity = 'critical')::float8 AS critical
               FROM keeper.alerts WHERE firing_at IS NOT NULL AND resolved_at IS NULL) a`,
  );
  const row = rows[0];
  const count = (name: string) => row?.[name] ?? 0;
  return {
    now: row?.now ?? new Date(),
    moved: { archived: count('archived'), deleted: count('deleted'), purged: count('purged') },
    purgedRows: { sessions: count('sessions'), messages: count('messages'), message_feedback: count('feedback') },
    holds: count('holds'),
    waitingFor: row?.waiting_for ?? null,
    statsAsOf: row?.stats_as_of ?? null,
    statsEverySeconds: count('stats_every'),
    driftedSessions: count('drifted'),
    firing: { warning: count('warning'), critical: count('critical') },
  };
}

/** Sessions whose changes wait to be folded into the statistics. */
export async function countDirty(client: Queryable): Promise<number> {
  const there = await client.query<{ there: boolean }>(
    "SELECT pg_catalog.to_regclass('private.session_changes') IS NOT NULL AS there",
  );
  if (!there.rows[0]?.there) return 0;
  const { rows } = await client.query<{ sessions: number }>(
    'SELECT count(DISTINCT session_id)::float8 AS sessions FROM private.session_changes',
  );
  return rows[0]?.sessions ?? 0;
}
