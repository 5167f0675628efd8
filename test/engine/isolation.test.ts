import { expect, test } from 'vitest';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { tandemOn } from './tandem.ts';
import { whileClientsWrite } from './writing-clients.ts';

const database = useDatabase(fewRows);

test.each([
  // Each of the clients may be at a statement at each of the two swaps.
  { isolation: 'repeatable read', before: 0, atTheSwaps: 8 },
  // These refuse each other now and then, with Tandem or without.
  { isolation: 'serializable', before: 100, atTheSwaps: 100 },
])(
  'where transactions are $isolation by default, a run goes there and back under load',
  async ({ isolation, before, atTheSwaps }) => {
    const name = new URL(database.url).pathname.slice(1);
    const admin = await database.connect();
    await admin.query(`ALTER DATABASE "${name}" SET default_transaction_isolation = '${isolation}'`);
    // What Tandem reads has no part in what makes serializable transactions fail.
    const { rows } = await database.pool.query('SHOW transaction_isolation');
    expect(rows).toEqual([{ transaction_isolation: 'read committed' }]);
    const tandem = tandemOn(database);
    await whileClientsWrite(database, () => tandem.migrate({ stopBefore: 'cutover' }), { stale: before });
    const thereAndBack = async () => {
      await tandem.migrate();
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
      await tandem.rollback();
    };
    await whileClientsWrite(database, thereAndBack, { stale: atTheSwaps });
  },
);
