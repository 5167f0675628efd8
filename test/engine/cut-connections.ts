import type { Pool, PoolClient } from 'pg';

/**
 * Counts the statements that go through the pool, and at the `at`-th of them ends every session of Tandem's in this
 * database, as an administrator or a failing server would: that statement, and what its transaction did before, is lost.
 */
export interface ConnectionCutter {
  /** Counts from 1 again, and cuts at that statement, or at the first that begins so; null: only counts. */
  arm(at: number | string | null): void;
  readonly count: number;
  readonly fired: boolean;
  /** Resolves once all sessions have ended that were to be cut. */
  settled(): Promise<void>;
}

/** @param admin a session that is not Tandem's */
export function cutConnections(pool: Pool, admin: { query(sql: string): Promise<unknown> }): ConnectionCutter {
  const state = { at: null as number | string | null, count: 0, fired: false };
  let cutting: Promise<unknown> = Promise.resolve();
  const cut = () =>
    admin.query(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                  WHERE application_name = 'tandem' AND datname = current_database()`);
  pool.on('connect', (client: PoolClient) => {
    const query: (...args: unknown[]) => unknown = client.query.bind(client);
    const counted = (...args: unknown[]): unknown => {
      // A COPY is no text, and its caller wants the stream back at once: its neighbours are counted.
      if (typeof args[0] !== 'string') return query(...args);
      state.count += 1;
      const due = typeof state.at === 'string' ? args[0].startsWith(state.at) : state.count === state.at;
      if (state.fired || !due) return query(...args);
      state.fired = true;
      cutting = cut();
      return cutting.then(() => query(...args));
    };
    Object.assign(client, { query: counted });
  });
  return {
    arm(at) {
      Object.assign(state, { at, count: 0, fired: false });
    },
    get count() {
      return state.count;
    },
    get fired() {
      return state.fired;
    },
    async settled() {
      await cutting;
    },
  };
}
