import { beforeEach, expect, test } from 'vitest';
import { createPool, type Pool } from '../../src/db/connect.ts';
import { defaultCutoverLimits } from '../../src/move/cutover.ts';
import { backendOf } from '../move/blocked.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { urlAs, useRoles } from './roles.ts';
import { tandemOn } from './tandem.ts';

const roles = useRoles({ owner: 'LOGIN CREATEROLE BYPASSRLS' });
const database = useDatabase(fewRows);
const query = async (sql: string) => (await database.pool.query(sql)).rows;
const cutover = { ...defaultCutoverLimits, lockTimeoutMs: 200, maxPauseMs: 20, attempts: 4, terminateBlockers: true };

beforeEach(async () => {
  await query(`
    ALTER DATABASE ${new URL(database.url).pathname.slice(1)} OWNER TO ${roles.owner};
    ALTER TABLE public.sessions OWNER TO ${roles.owner}; ALTER TABLE public.messages OWNER TO ${roles.owner};
    ALTER SCHEMA auth OWNER TO ${roles.owner}; ALTER TABLE auth.users OWNER TO ${roles.owner};
    GRANT anon, authenticated, service_role TO ${roles.owner}`);
});

async function asOwner<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = createPool(urlAs(database.url, roles.owner), { max: 10 });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}

test('a role that may not see the sessions of others says so, once before the run and once for each in its way', async () => {
  const other = await database.connect();
  const pid = await backendOf(other);
  await asOwner(async (pool) => {
    const tandem = tandemOn({ pool }, {}, { cutover });
    const warnings = () => tandem.events.filter((event) => event.event === 'finding' && event.subject === 'server');
    await tandem.migrate({ stopBefore: 'cutover' });
    expect(warnings()).toEqual([
      {
        event: 'finding',
        severity: 'warning',
        subject: 'server',
        message: expect.stringContaining(`cannot be seen by the connecting role ${roles.owner}`),
        hint: expect.stringContaining(`GRANT pg_monitor TO ${roles.owner}`),
      },
    ]);
    tandem.events.length = 0;
    await other.query('BEGIN; SELECT FROM public.messages');
    await expect(tandem.migrate()).rejects.toMatchObject({ code: 'TD020' });
    expect(warnings()).toEqual([
      expect.objectContaining({
        message: `the backend pid ${pid} (postgres, test) holds public.messages, and is left alone: this role may not see the sessions of others`,
      }),
    ]);
    await query(`GRANT pg_monitor TO ${roles.owner}`);
    tandem.events.length = 0;
    await expect(tandem.migrate()).rejects.toMatchObject({ code: 'TD020' });
    expect(warnings()).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(
          new RegExp(`pid ${pid} \\(postgres, test, idle in transaction, open for .* and this role may not end it$`),
        ),
      }),
    ]);
    await other.query('COMMIT');
    await tandem.rollback();
    tandem.events.length = 0;
    await tandem.migrate({ stopBefore: 'cutover' });
    expect(warnings()).toEqual([]);
  });
});
