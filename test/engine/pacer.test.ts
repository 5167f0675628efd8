import { expect, test } from 'vitest';
import { createPool } from '../../src/db/connect.ts';
import { setThrottles } from '../../src/engine/control.ts';
import type { TandemEvent } from '../../src/engine/events.ts';
import { createPacer } from '../../src/engine/pacer.ts';
import { createState } from '../../src/engine/run-state.ts';
import { useDatabase } from '../support/database.ts';
import { urlAs, useRoles } from './roles.ts';

const roles = useRoles({ runner: 'LOGIN' });
const database = useDatabase();

test('a limit whose measure is hidden from the role holds the run back, and says so', async () => {
  await createState(database.pool);
  await database.pool.query(
    `GRANT USAGE ON SCHEMA tandem TO ${roles.runner}; GRANT SELECT, UPDATE ON tandem.control TO ${roles.runner}`,
  );
  // What this one does, the role may not know.
  await database.connect();
  await setThrottles(database.pool, { 'max-active': 1_000 });
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
  expect(told).toEqual([{ event: 'throttle', reason: 'max-active cannot be read: the role needs pg_monitor' }]);
});
