import { expect, test } from 'vitest';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { tandemOn } from './tandem.ts';
import { whileClientsWrite } from './writing-clients.ts';

const database = useDatabase(fewRows);

test.each([
  // A statement of each of the clients may wait for the swap.
  { isolation: 'repeatable read', before: 0, atTheSwap: 4 },
  // These refuse each other now and then, with Tandem or without.
  { isolation: 'serializable', before: 100, atTheSwap: 100 },
])(
  'where transactions are $isolation by default, a run goes there under load, and back',
  async ({ isolation, before, atTheSwap }) => {
    const name = new URL(database.url).pathname.slice(1);
    const admin = await database.connect();
    await admin.query(`ALTER DATABASE "${name}" SET default_transaction_isolation = '${isolation}'`);
    // What Tandem reads has no part in what makes serializable transactions fail.
    const { rows } = await database.pool.query('SHOW transaction_isolation');
    expect(rows).toEqual([{ transaction_isolation: 'read committed' }]);
    const tandem = tandemOn(database);
    await whileClientsWrite(database, () => tandem.migrate({ stopBefore: 'cutover' }), { stale: before });
    await whileClientsWrite(database, () => tandem.migrate(), { stale: atTheSwap });
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
    expect((await tandem.status()).phase).toBe('rolled_back');
  },
);
