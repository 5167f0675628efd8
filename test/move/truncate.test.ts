import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { forward } from '../../src/move/direction.ts';
import { drainBatch } from '../../src/move/drain.ts';
import { useDatabase } from '../support/database.ts';
import { backendOf, swapMeeting, untilBlocked } from './blocked.ts';
import { asText, createThings, type KeyKind, keyKinds, moveThings } from './key-kinds.ts';
import { type Moving, symmetricDifference } from './moving.ts';
import { operations, rowsOf } from './operations.ts';

const database = useDatabase();
const kindOf = (name: string): KeyKind => {
  const kind = keyKinds.find((k) => k.name === name);
  if (!kind) throw new Error(`There is no kind ${name}.`);
  return kind;
};
const LIVE = 'public.things';
const ORACLE = 'oracle.things';

async function begin(kind: KeyKind, partitioned: boolean): Promise<Moving> {
  await createThings(database.pool, { kind });
  const moving = await moveThings(database.pool, { kind, partitioned, version: 18 });
  await moving.begin();
  return moving;
}

/** Empties both tables and writes rows again: some with keys that were there before, some with new ones. */
async function emptyAndWrite(client: pg.ClientBase, kind: KeyKind, place: number): Promise<void> {
  const again = operations(kind).filter((o) => ['insert', 'delete and insert again'].includes(o.name));
  for (const table of [LIVE, ORACLE]) {
    await client.query(`TRUNCATE ${table}`);
    for (const [i, operation] of again.entries())
      await operation.run(client, table, rowsOf(place, i, again.length), place);
  }
}

async function expectSame(moving: Moving, kind: KeyKind): Promise<void> {
  const { pool } = database;
  expect(await symmetricDifference(pool, asText(kind, LIVE, 'old'), asText(kind, ORACLE, 'old'))).toEqual([]);
  const [beside, shape, oracle] = moving.isBaking
    ? (['tandem.things_retired', 'old', 'old'] as const)
    : (['tandem.things_target', 'new', 'old, read as new'] as const);
  expect(await symmetricDifference(pool, asText(kind, beside, shape), asText(kind, ORACLE, oracle))).toEqual([]);
  const [compared] = await moving.compare();
  expect(compared).toMatchObject({ differences: [], leftOut: 0 });
}

describe.each(['uuid', 'a domain that forbids NULL', 'two columns, one of them text'])(
  'with a key that is %s',
  (name) => {
    const kind = kindOf(name);

    test.each(['plain', 'partitioned'] as const)(
      'a TRUNCATE is followed at every point on the way to a %s table and back',
      async (target) => {
        const application = await database.connect();
        const other = await database.connect();
        const moving = await begin(kind, target === 'partitioned');
        // It waits for the batch that is being read, and the next batch for it: the copy begins again.
        let truncated: Promise<void> | null = null;
        const { restarts } = await moving.copy({
          workers: 1,
          beforeCommit: async () => {
            if (truncated) return;
            const pid = await backendOf(application);
            truncated = emptyAndWrite(application, kind, 1);
            await untilBlocked(database.pool, pid);
          },
        });
        await truncated;
        expect(restarts).toBe(1);
        await moving.build();
        await moving.drain();
        await expectSame(moving, kind);

        await emptyAndWrite(application, kind, 2);
        await moving.drain();
        await expectSame(moving, kind);

        // Seen under the locks, it sends the attempt back to drain it where nobody waits.
        const swapUnderTruncate = async (place: number) => {
          const { attempts } = await swapMeeting(moving, other, () => emptyAndWrite(application, kind, place));
          expect(attempts).toBeGreaterThan(1);
        };
        await swapUnderTruncate(3);
        await expectSame(moving, kind);
        await emptyAndWrite(application, kind, 4);
        await moving.drain();
        await expectSame(moving, kind);
        await swapUnderTruncate(5);
        expect(
          await symmetricDifference(database.pool, asText(kind, LIVE, 'old'), asText(kind, ORACLE, 'old')),
        ).toEqual([]);
      },
    );
  },
);

const uuid = kindOf('uuid');

test('a TRUNCATE after the copy, before the keys are built, leaves nothing of the old rows', async () => {
  const application = await database.connect();
  const moving = await begin(uuid, false);
  await moving.copy();
  await emptyAndWrite(application, uuid, 1);
  await moving.build();
  await moving.drain();
  await expectSame(moving, uuid);
});

test('a TRUNCATE of one partition by its own name reaches the retired table', async () => {
  const application = await database.connect();
  const moving = await begin(uuid, true);
  await moving.copy();
  await moving.build();
  await moving.drain();
  await moving.swap();
  await application.query('TRUNCATE public.things_archived');
  await application.query(`DELETE FROM ${ORACLE} WHERE status = 'archived'`);
  await application.query(`UPDATE ${LIVE} SET status = 'archived' WHERE note = 'note 1'`);
  await application.query(`UPDATE ${ORACLE} SET status = 'archived' WHERE note = 'note 1'`);
  await moving.drain();
  await expectSame(moving, uuid);
});

test('a row set aside after a TRUNCATE stays set aside when the TRUNCATE is applied', async () => {
  const application = await database.connect();
  const moving = await begin(uuid, false);
  await moving.copy();
  await moving.build();
  await moving.drain();
  await application.query(`TRUNCATE ${LIVE}`);
  await application.query(
    `INSERT INTO ${LIVE} (id, status, at_time) VALUES ('${uuid.value(7)[0]}', 'unheard of', now())`,
  );
  const [move] = moving.moves;
  if (!move) throw new Error('There is no move.');
  // The row's entry is drained before the TRUNCATE's, as it may be while both arrive.
  await drainBatch(database.pool, forward(move));
  const aside = [{ table: 'things', key: [...uuid.value(7)], reason: 'does not fit: status' }];
  expect(await moving.quarantined()).toEqual(aside);
  await moving.drain();
  expect(await moving.quarantined()).toEqual(aside);
  await expect(moving.swap()).rejects.toMatchObject({ code: 'TD031' });
});

test('a verification meets a TRUNCATE that no drain has seen, and compares what is there now', async () => {
  const application = await database.connect();
  const moving = await begin(uuid, true);
  await moving.copy();
  await moving.build();
  await moving.drain();
  await application.query(`TRUNCATE ${LIVE}`);
  expect(await moving.compare()).toMatchObject([{ rows: 0, differences: [], leftOut: 0 }]);
});
