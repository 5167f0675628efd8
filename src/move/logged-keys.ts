import type { Queryable } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import type { Direction } from './direction.ts';

/**
 * A row updated during the copy may stand in the target twice, or not at all; its key is in the log either way. Before
 * the target gets its key, every logged key is taken out; the drain brings the rows back as they are by then.
 */
export async function deleteLoggedKeys(client: Queryable, direction: Direction): Promise<number> {
  const match = direction.key.map((k) => `t.${quoteIdent(k.to)} ${k.equals} l.${k.log}`).join(' AND ');
  const published = await publishedWithoutKey(client, direction);
  for (const { leaf } of published) await client.query(`ALTER TABLE ${leaf} REPLICA IDENTITY FULL`);
  const { rowCount } = await client.query(
    `DELETE FROM ${quoteName(direction.to)} t
      USING (SELECT DISTINCT ${direction.key.map((k) => k.log).join(', ')} FROM ${quoteName(direction.log)}) l
      WHERE ${match}`,
  );
  for (const { leaf, identity } of published)
    await client.query(`ALTER TABLE ${leaf} REPLICA IDENTITY ${identity === 'n' ? 'NOTHING' : 'DEFAULT'}`);
  return rowCount ?? 0;
}

/** A publication of all tables, or of a whole schema, lets no row be deleted that it cannot name: there is no key yet. */
async function publishedWithoutKey(
  client: Queryable,
  direction: Direction,
): Promise<{ leaf: string; identity: string }[]> {
  const { rows } = await client.query<{ leaf: string; identity: string }>(
    `SELECT c.oid::regclass::text AS leaf, c.relreplident AS identity FROM pg_catalog.pg_class c
      WHERE c.relkind = 'r' AND c.relreplident <> 'f'
        AND (c.oid = $1::regclass OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($1::regclass) p))
        AND (EXISTS (SELECT FROM pg_catalog.pg_publication WHERE puballtables)
             OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace n WHERE n.pnnspid = c.relnamespace))`,
    [quoteName(direction.to)],
  );
  return rows;
}
