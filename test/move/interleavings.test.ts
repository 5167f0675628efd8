import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import { quoteName } from '../../src/db/identifier.ts';
import { useDatabase } from '../support/database.ts';
import { swapMeeting } from './blocked.ts';
import { asText, citextKind, createThings, type KeyKind, keyKinds, moveThings } from './key-kinds.ts';
import { symmetricDifference } from './moving.ts';
import { operations, rowsOf } from './operations.ts';

const ORACLE = 'oracle.things';

/**
 * Every operation, on rows of its own, at every point at which a write can meet the mechanism; each is done to the live
 * table and to a table of which Tandem knows nothing. At the end of each stretch both must say the same.
 */
async function moveThroughEverything(
  database: ReturnType<typeof useDatabase>,
  kind: KeyKind,
  partitioned: boolean,
): Promise<void> {
  const { pool } = database;
  const { rows } = await pool.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS version",
  );
  await createThings(pool, { kind });
  const moving = await moveThings(pool, { kind, partitioned, version: rows[0]?.version ?? 0 });
  const live = quoteName(moving.moves[0]?.source ?? { schema: '', name: '' });
  const application = await database.connect();
  const other = await database.connect();
  const all = operations(kind);
  let place = 0;

  /** All operations, each statement a transaction of its own. */
  const write = async (client: pg.ClientBase, inTransaction = false) => {
    const here = ++place;
    for (const [i, operation] of all.entries()) {
      for (const table of operation.shared ? [live] : [live, ORACLE]) {
        const alone = operation.transaction && !inTransaction;
        if (alone) await client.query('BEGIN');
        await operation.run(client, table, rowsOf(here, i, all.length), here);
        if (alone) await client.query('COMMIT');
      }
    }
  };
  /** All operations in one transaction that stays open. Returns what ends it. */
  const writeAndHold = async (client: pg.ClientBase) => {
    await client.query('BEGIN');
    await write(client, true);
    return () => client.query('COMMIT');
  };
  const rollBackAll = async (client: pg.ClientBase) => {
    await client.query('BEGIN');
    await write(client, true);
    await client.query('ROLLBACK');
  };
  const sameAsOracle = async () => {
    expect(await symmetricDifference(pool, asText(kind, live, 'old'), asText(kind, ORACLE, 'old'))).toEqual([]);
    const [move] = moving.moves;
    if (!move) throw new Error('There is no move.');
    const [beside, shape, oracle] = moving.isBaking
      ? ([move.retired, 'old', 'old'] as const)
      : ([move.target, 'new', 'old, read as new'] as const);
    expect(
      await symmetricDifference(pool, asText(kind, quoteName(beside), shape), asText(kind, ORACLE, oracle)),
    ).toEqual([]);
    const [compared] = await moving.compare();
    expect(compared).toMatchObject({ differences: [], leftOut: 0 });
    expect(await moving.quarantined()).toEqual([]);
  };

  await moving.begin();
  const commitAfterCopy = await writeAndHold(other);
  // Once with the first blocks read and not committed, and once with others; one after the other, whoever comes first.
  let batches = 0;
  let written: Promise<void> = Promise.resolve();
  await moving.copy({
    beforeCommit: () => {
      batches += 1;
      if (batches <= 2) written = written.then(() => write(application));
      return written;
    },
  });
  expect(batches).toBeGreaterThan(1);
  await write(application);
  await commitAfterCopy();
  const commitAfterBuild = await writeAndHold(other);
  await moving.build();
  await commitAfterBuild();
  const commitAfterDrain = await writeAndHold(other);
  await moving.drain();
  await rollBackAll(application);
  await commitAfterDrain();
  await moving.drain();
  await sameAsOracle();

  // Writers in flight when the locks are wanted: Tandem gives up, drains what they wrote, and comes again.
  const swapUnderWriters = async () => {
    const commit = await writeAndHold(other);
    let committed = false;
    const { attempts } = await moving.swap({
      emit: (event) => {
        if (event.event !== 'lock_attempt' || event.obtained || committed) return;
        committed = true;
        void commit();
      },
    });
    expect(attempts).toBeGreaterThan(1);
  };
  // Writes after the last drain and before the locks: they are drained under them.
  const swapAfterWrites = async () => {
    const { attempts } = await swapMeeting(moving, other, () => write(application));
    expect(attempts).toBe(1);
  };
  await (partitioned ? swapUnderWriters() : swapAfterWrites());
  await moving.drain();
  await sameAsOracle();

  await write(application);
  const commitInBake = await writeAndHold(other);
  await moving.drain();
  await commitInBake();
  await moving.drain();
  await sameAsOracle();

  await (partitioned ? swapAfterWrites() : swapUnderWriters());
  await write(application);
  expect(await symmetricDifference(pool, asText(kind, live, 'old'), asText(kind, ORACLE, 'old'))).toEqual([]);
  await insertWithoutKey(application, kind, live);
}

/** The next number is one that nobody has. */
async function insertWithoutKey(client: pg.ClientBase, kind: KeyKind, live: string): Promise<void> {
  if (!kind.numbered) return;
  for (let i = 0; i < 3; i++)
    await client.query(`INSERT INTO ${live} (status, at_time) VALUES ('active', '2025-01-01 00:00:00+00')`);
}

describe.each(keyKinds)('a key that is $name', (kind) => {
  const database = useDatabase();
  test.each(['plain', 'partitioned'] as const)('holds every write on the way to a %s table and back', (target) =>
    moveThroughEverything(database, kind, target === 'partitioned'),
  );
});

describe('a key that is citext', () => {
  const database = useDatabase();
  const targets = ['plain', 'partitioned'] as const;
  test.for(targets)('holds every write on the way to a %s table and back', async (target, { skip }) => {
    const { rowCount } = await database.pool.query(
      "SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'citext'",
    );
    if (rowCount === 0) skip('this server has no extension citext');
    await moveThroughEverything(database, citextKind, target === 'partitioned');
  });
});
