import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Client } from '../db/connect.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import type { Emit } from '../engine/events.ts';

interface Blocker {
  readonly pid: number;
  readonly since: string;
  /** `pid 4711 (app, billing, idle in transaction, open for 00:12:03)`. */
  readonly who: string;
  readonly holds: string;
  /** It is another role's, and this one may not see what it does: it is not known to be a client, and left alone. */
  readonly hidden: boolean;
}

/**
 * Runs `work`, which asks for locks on `client`, and ends the backends that keep it from them: clients of this database
 * that hold a conflicting lock on the relation that is waited for. Who waits in the same queue is left alone, and so is
 * whoever does not stand in the way. Each is named in a note; who cannot be ended, or not even be seen, once.
 *
 * @param told the backends of which that was said already
 * @param afterMs how long a lock is waited for before anybody is ended
 */
export async function endingBlockers<T>(
  input: {
    pool: Pool;
    client: Client;
    afterMs: number;
    purpose: string;
    emit: Emit | undefined;
    told: Set<number>;
  },
  work: () => Promise<T>,
): Promise<T> {
  const { pool, client, afterMs, purpose, emit, told } = input;
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  const done = new AbortController();
  const watch = async () => {
    for (;;) {
      await sleep(afterMs, undefined, { signal: done.signal }).catch(() => undefined);
      if (done.signal.aborted) return;
      for (const blocker of await blockersOf(pool, pid)) {
        const ended = !blocker.hidden && (await end(pool, blocker));
        if (ended) {
          const message = `Ended the backend ${blocker.who}: it held ${blocker.holds}, for which ${purpose} waited.`;
          emit?.({ event: 'note', message });
        } else if (!told.has(blocker.pid)) {
          told.add(blocker.pid);
          emit?.({ event: 'finding', severity: 'warning', subject: 'server', ...notEnded(blocker) });
        }
      }
    }
  };
  // A look that fails is no reason to give up what it was for.
  const watching = watch().catch(() => undefined);
  try {
    return await work();
  } finally {
    done.abort();
    await watching;
  }
}

function notEnded({ who, holds, hidden }: Blocker): { message: string; hint: string } {
  return hidden
    ? {
        message: `the backend ${who} holds ${holds}, and is left alone: this role may not see the sessions of others`,
        hint: 'End it yourself; or GRANT pg_monitor and pg_signal_backend to the role, and run the same command again.',
      }
    : {
        message: `the backend ${who} holds ${holds}, and this role may not end it`,
        hint: 'End it yourself; or GRANT pg_signal_backend to the role, and run the same command again.',
      };
}

async function blockersOf(pool: Pool, pid: number): Promise<Blocker[]> {
  const { rows } = await pool.query<Blocker>(
    `SELECT a.pid, a.backend_start::text AS since, pg_catalog.format('pid %s (%s)', a.pid, pg_catalog.concat_ws(', ', a.usename,
              coalesce(nullif(a.application_name, ''), 'no application name'), a.state,
              'open for ' || pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start))) AS who,
            a.backend_type IS NULL AS hidden,
            pg_catalog.string_agg(DISTINCT held.relation::regclass::text, ', ') AS holds
       FROM pg_catalog.pg_locks waited
       JOIN pg_catalog.pg_locks held ON held.locktype = 'relation' AND held.database = waited.database
                                    AND held.relation = waited.relation AND held.granted
       JOIN pg_catalog.pg_stat_activity a ON a.pid = held.pid
      WHERE waited.pid = $1 AND NOT waited.granted AND waited.locktype = 'relation'
        AND a.pid = ANY (pg_catalog.pg_blocking_pids($1)) AND coalesce(a.backend_type, 'client backend') = 'client backend'
        AND a.application_name <> 'tandem'
      GROUP BY a.pid, a.backend_start, a.usename, a.application_name, a.state, a.xact_start, a.backend_type`,
    [pid],
  );
  return rows;
}

/** False where the role may not. A backend that is gone by now has no say any more. */
async function end(pool: Pool, { pid, since }: Blocker): Promise<boolean> {
  try {
    await pool.query(
      `SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
        WHERE a.pid = $1 AND a.backend_start = $2::timestamptz`,
      [pid, since],
    );
    return true;
  } catch (error) {
    if (sqlStateOf(error) !== SqlState.insufficientPrivilege) throw error;
    return false;
  }
}
