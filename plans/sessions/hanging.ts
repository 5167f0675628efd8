import type { Queryable } from '../../src/db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../../src/db/identifier.ts';
import { outOfReach } from '../../src/db/out-of-reach.ts';
import type { Finding } from '../../src/engine/events.ts';

/** What hangs on the live tables and cannot go along, for reasons that are not the tables'. */
export async function hangingFindings(
  client: Queryable,
  moved: readonly QualifiedName[],
  partitioned: { readonly table: QualifiedName; readonly by: string },
): Promise<Finding[]> {
  return [
    ...(await publishedWithAll(client)),
    ...(await publishedWithoutKey(client, partitioned)),
    ...(await ownedByOthers(client, moved)),
  ];
}

/** The new primary key has the partition key in it: published without that, no row could be updated or deleted any more. */
async function publishedWithoutKey(
  client: Queryable,
  { table, by }: { readonly table: QualifiedName; readonly by: string },
): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT p.pubname AS name FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
       JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
      WHERE c.oid = $1::regclass AND c.relreplident = 'd' AND (p.pubupdate OR p.pubdelete) AND r.prattrs IS NOT NULL
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $2 AND a.attnum = ANY (r.prattrs::int2[]))
      ORDER BY p.pubname`,
    [quoteName(table), by],
  );
  return rows.map(({ name }) => ({
    severity: 'blocks',
    subject: `publication ${name}`,
    message: `publishes ${displayName(table)} without its column ${by}, which the new primary key has in it: every UPDATE and DELETE would fail`,
    hint: 'Add the column to the list that is published, here and at the subscribers.',
  }));
}

async function ownedByOthers(client: Queryable, moved: readonly QualifiedName[]): Promise<Finding[]> {
  return (await outOfReach(client, moved)).map(({ what, owner, schema }) => ({
    severity: 'blocks',
    subject: what,
    message:
      schema === null
        ? `belongs to ${owner}, as whom the connecting role cannot act, and is made again with the move`
        : `is made again with the move, and the connecting role may not create in schema ${schema}`,
    hint:
      schema === null ? `Connect as a role that is a member of ${owner}, or as a superuser.` : 'Grant it CREATE there.',
  }));
}

/** Tandem's own tables would be published too: to subscribers who do not have them, and before their keys are built. */
async function publishedWithAll(client: Queryable): Promise<Finding[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT pubname AS name FROM pg_catalog.pg_publication WHERE puballtables ORDER BY pubname',
  );
  return rows.map(({ name }) => ({
    severity: 'blocks',
    subject: `publication ${name}`,
    message: 'publishes all tables, and so those that the move makes and fills beside them',
    hint: 'Make it anew FOR TABLES IN SCHEMA, or for tables by name: those it goes on publishing through the move.',
  }));
}
