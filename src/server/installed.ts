import type { Queryable } from '../db/connect.ts';

type KeeperTable = 'archive_policy' | 'samples' | 'stats_refreshes' | 'alerts' | 'backups' | 'drills' | 'audit';

/** A table of the keeper's: before it has run, or where this server only reads, there need be none. */
export async function hasTable(client: Queryable, table: KeeperTable): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there', [
    `keeper.${table}`,
  ]);
  return rows[0]?.there === true;
}
