import { inTransaction, type Pool, type Queryable } from '../../../src/db/connect.ts';
import { displayName, quoteName } from '../../../src/db/identifier.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import { planStatements } from '../templates.ts';

/** Advisory lock key (two int4: "tand", 2): two keepers that start at once would create the same objects. */
const LOCK = [0x74616e64, 2];
/** In this order: `keeper` makes the schema. */
const FILES = [
  'keeper',
  'keeper-holds',
  'keeper-holds-tables',
  'keeper-holds-feedback',
  'keeper-archive',
  'keeper-purge',
  'keeper-archive-job',
  'keeper-stats',
  'keeper-monitoring',
  'keeper-samples',
];

/**
 * Creates schema `keeper` where it is missing, and puts its triggers (those that keep held sessions, and that note when a
 * session came into its status) back on the tables, which a migration makes anew.
 *
 * @throws TD012 before the cutover, or where the database was never migrated
 */
export async function installKeeper(pool: Pool, names: SessionsNames): Promise<void> {
  await assertMigrated(pool, names);
  await inTransaction(pool, async (client) => {
    await client.query('SELECT pg_catalog.pg_advisory_xact_lock($1, $2)', LOCK);
    await client.query("SET LOCAL lock_timeout = '2s'");
    for (const file of FILES) for (const sql of planStatements(file, names, 'live')) await client.query(sql);
  });
}

/** @throws TD012 */
export async function assertMigrated(client: Queryable, names: SessionsNames): Promise<void> {
  if (await isMigrated(client, names)) return;
  throw new TandemError('TD012', `${displayName(names.sessions)} is not partitioned by status yet.`, {
    hint: 'The keeper works on the result of `tandem migrate`.',
  });
}

/** True where the live table is the plan's result, from the cutover on. */
export async function isMigrated(client: Queryable, names: SessionsNames): Promise<boolean> {
  const { rows } = await client.query<{ partitioned: boolean; registry: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1) AND relkind = 'p') AS partitioned,
            pg_catalog.to_regclass($2) IS NOT NULL AS registry`,
    [quoteName(names.sessions), quoteName(names.registry)],
  );
  return rows[0]?.partitioned === true && rows[0].registry;
}

/** True where the keeper has worked on this database before. */
export async function isInstalled(client: Queryable): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    "SELECT pg_catalog.to_regclass('keeper.archive_policy') IS NOT NULL AS there",
  );
  return rows[0]?.there === true;
}
