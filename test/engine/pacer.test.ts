import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { setThrottles, type Throttles } from '../../src/engine/control.ts';
import type { TandemEvent } from '../../src/engine/events.ts';
import { createPacer } from '../../src/engine/pacer.ts';
import { createState } from '../../src/engine/run-state.ts';
import { useDatabase } from '../support/database.ts';
import { urlAs, useRoles } from './roles.ts';

const roles = useRoles({ runner: 'LOGIN' });
const database = useDatabase();

/** What the pacer says first, asked by a role that may not see the sessions of others. */
async function toldTo(throttles: Throttles): Promise<TandemEvent[]> {
  await createState(database.pool);
  await database.pool.query(
    `GRANT USAGE ON SCHEMA tandem TO ${roles.runner}; GRANT SELECT, UPDATE ON tandem.control TO ${roles.runner}`,
  );
  await setThrottles(database.pool, throttles);
  const pool = createPool(urlAs(database.url, roles.runner), { max: 2 });
  const stop = new AbortController();
  const told: TandemEvent[] = [];
  const pacer = createPacer({
    pool,
    signal: stop.signal,
    emit: (event) => {
      told.push(event);
      stop.abort();
    },
  });
  await pacer.wait();
  await pool.end();
  return told;
}

describe('a limit whose measure is hidden from the role holds the run back, and says so', () => {
  test('max-active', async () => {
    // What this one does, the role may not know.
    await database.connect();
    expect(await toldTo({ 'max-active': 1_000 })).toEqual([
      { event: 'throttle', reason: 'max-active cannot be read: the role needs pg_monitor' },
    ]);
  });

  test('max-lag', async () => {
    const standby = new pg.Client({ connectionString: `${database.url}?replication=true` });
    await standby.connect();
    try {
      expect(await toldTo({ 'max-lag': 1_000 })).toEqual([
        { event: 'throttle', reason: 'max-lag cannot be read: the role needs pg_monitor' },
      ]);
      // The one that may read it knows that the limit is kept.
      await database.pool.query(`GRANT pg_monitor TO ${roles.runner}`);
      expect(await toldTo({ 'max-lag': 1_000 })).toEqual([]);
    } finally {
      await standby.end();
    }
  });
});
