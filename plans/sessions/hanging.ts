import type { Queryable } from '../../src/db/connect.ts';
import type { QualifiedName } from '../../src/db/identifier.ts';
import { outOfReach } from '../../src/db/out-of-reach.ts';
import type { Finding } from '../../src/engine/events.ts';

/** What hangs on the live tables and cannot go along, for reasons that are not the tables'. */
export async function hangingFindings(client: Queryable, moved: readonly QualifiedName[]): Promise<Finding[]> {
  return [...(await publishedWithAll(client)), ...(await ownedByOthers(client, moved))];
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
