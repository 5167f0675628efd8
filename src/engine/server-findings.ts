import type { Queryable } from '../db/connect.ts';
import { quoteName } from '../db/identifier.ts';
import type { TableMove } from '../move/table-move.ts';
import type { Finding } from './events.ts';

/** What is too much. */
export interface ServerLimits {
  /** Seconds that a transaction of somebody else's may be open. */
  readonly transactionSeconds: number;
  /** Seconds, or bytes of WAL, that a standby may be behind. */
  readonly lagSeconds: number;
  readonly lagBytes: number;
  /** Bytes of WAL that a replication slot may keep while nobody reads it. */
  readonly slotBytes: number;
}

export const defaultServerLimits: ServerLimits = {
  transactionSeconds: 60,
  lagSeconds: 10,
  lagBytes: 256 * 1024 ** 2,
  slotBytes: 1024 ** 3,
};

/** What of the server would hold a run up: open and prepared transactions, standbys and slots that are behind. */
export async function serverFindings(
  client: Queryable,
  moves: readonly Pick<TableMove, 'source'>[],
  limits: ServerLimits = defaultServerLimits,
): Promise<Finding[]> {
  return [
    ...(await longTransactions(client, limits)),
    ...(await hiddenSessions(client)),
    ...(await preparedTransactions(client, moves)),
    ...(await replicationLag(client, limits)),
  ];
}

/** So many are named; the number says how many there are. */
const SAMPLES = 5;

/** Locks of the run wait for every transaction that has touched the tables, and nobody is ended for it. */
async function longTransactions(client: Queryable, { transactionSeconds }: ServerLimits): Promise<Finding[]> {
  const { rows } = await client.query<{ who: string }>(
    `SELECT pg_catalog.format('pid %s (%s, %s, open for %s)', pid, coalesce(nullif(application_name, ''), usename::text), state,
              pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - xact_start)) AS who
       FROM pg_catalog.pg_stat_activity
      WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()
        AND xact_start <= pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1) ORDER BY xact_start`,
    [transactionSeconds],
  );
  if (rows.length === 0) return [];
  return [
    {
      severity: 'warning',
      subject: 'server',
      message: `${rows.length} ${rows.length === 1 ? 'transaction has' : 'transactions have'} been open for longer than ${transactionSeconds} s: ${named(rows.map(({ who }) => who))}`,
      hint: 'The change log and the cutover wait for those that have touched the tables: let them end first.',
    },
  ];
}

/** Of other roles' sessions a role without pg_monitor is told that they are there, and nothing else. */
async function hiddenSessions(client: Queryable): Promise<Finding[]> {
  const { rows } = await client.query<{ hidden: number; role: string; grantee: string }>(
    `SELECT count(*)::int AS hidden, current_user::text AS role, pg_catalog.quote_ident(current_user) AS grantee
       FROM pg_catalog.pg_stat_activity
      WHERE datname = pg_catalog.current_database() AND usesysid IS NOT NULL AND backend_type IS NULL`,
  );
  const [found] = rows;
  if (!found || found.hidden === 0) return [];
  return [
    {
      severity: 'warning',
      subject: 'server',
      message: `${found.hidden} ${found.hidden === 1 ? 'session' : 'sessions'} of other roles cannot be seen by the connecting role ${found.role}: long transactions among them are not found beforehand, and --terminate-blockers ends none of them`,
      hint: `GRANT pg_monitor TO ${found.grantee}; and, for --terminate-blockers, pg_signal_backend.`,
    },
  ];
}

async function preparedTransactions(
  client: Queryable,
  moves: readonly Pick<TableMove, 'source'>[],
): Promise<Finding[]> {
  const { rows } = await client.query<{ gid: string; locks: boolean }>(
    `SELECT pg_catalog.quote_literal(p.gid) AS gid, EXISTS (
              SELECT FROM pg_catalog.pg_locks l JOIN unnest($1::text[]) AS t ON l.relation = t::regclass
                JOIN pg_catalog.pg_locks own ON own.virtualtransaction = l.virtualtransaction AND own.pid IS NULL
                 AND own.locktype = 'transactionid' AND own.transactionid = p.transaction
               WHERE l.pid IS NULL
                 AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = p.database)) AS locks
       FROM pg_catalog.pg_prepared_xacts p WHERE p.database = pg_catalog.current_database() ORDER BY p.prepared, p.gid`,
    [moves.map((move) => quoteName(move.source))],
  );
  const finding = (severity: Finding['severity'], gids: string[], what: string): Finding[] =>
    gids.length === 0
      ? []
      : [
          {
            severity,
            subject: 'server',
            message: `${gids.length} prepared ${gids.length === 1 ? 'transaction' : 'transactions'} ${what}: ${named(gids)}`,
            hint: `End each: COMMIT PREPARED ${gids[0]}, or ROLLBACK PREPARED.`,
          },
        ];
  const gids = (locks: boolean) => rows.filter((row) => row.locks === locks).map((row) => row.gid);
  return [
    ...finding('blocks', gids(true), 'locked the tables, and would keep a run from its locks until ended'),
    ...finding('warning', gids(false), 'stand open in this database, and keep dead rows from being removed'),
  ];
}

async function replicationLag(client: Queryable, limits: ServerLimits): Promise<Finding[]> {
  const { rows: recovery } = await client.query<{ standby: boolean }>(
    'SELECT pg_catalog.pg_is_in_recovery() AS standby',
  );
  if (recovery[0]?.standby !== false) return [];
  const { rows: behind } = await client.query<{ who: string }>(
    `SELECT pg_catalog.format('%s (%s%s of WAL)', coalesce(nullif(r.application_name, ''), r.pid::text),
              CASE WHEN r.replay_lag IS NOT NULL THEN pg_catalog.round(extract(epoch FROM r.replay_lag), 1) || ' s, ' END,
              pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn))) AS who
       FROM pg_catalog.pg_stat_replication r
      WHERE extract(epoch FROM r.replay_lag) > $1 OR pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn) > $2
      ORDER BY r.replay_lsn`,
    [limits.lagSeconds, limits.lagBytes],
  );
  const { rows: slots } = await client.query<{ who: string }>(
    `SELECT pg_catalog.format('%s (%s)', s.slot_name, pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn))) AS who
       FROM pg_catalog.pg_replication_slots s
      WHERE NOT s.active AND pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) > $1 ORDER BY s.slot_name`,
    [limits.slotBytes],
  );
  const findings: Finding[] = [];
  if (behind.length > 0) {
    findings.push({
      severity: 'warning',
      subject: 'replication',
      message: `${behind.length} ${behind.length === 1 ? 'standby is' : 'standbys are'} behind: ${named(behind.map(({ who }) => who))}`,
      hint: 'Let them catch up first; --max-lag holds a run back whenever they are behind.',
    });
  }
  if (slots.length > 0) {
    findings.push({
      severity: 'warning',
      subject: 'replication',
      message: `${slots.length} replication ${slots.length === 1 ? 'slot keeps' : 'slots keep'} WAL that nobody reads: ${named(slots.map(({ who }) => who))}`,
      hint: 'A run adds to it. Have its reader connect, or drop the slot with pg_drop_replication_slot.',
    });
  }
  return findings;
}

function named(all: readonly string[]): string {
  return all.slice(0, SAMPLES).join(', ') + (all.length > SAMPLES ? ', …' : '');
}
