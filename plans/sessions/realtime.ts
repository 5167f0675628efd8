import type { Queryable } from '../../src/db/connect.ts';
import { displayName, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { SessionsNames } from './names.ts';

/** The publication whose tables Supabase's Realtime server tells browsers of. */
const PUBLICATION = 'supabase_realtime';

/**
 * That server reads changes with wal2json, which knows them by the partition that they are in, and asks it for the tables
 * of the publication: of a partitioned one it hears nothing, with publish_via_partition_root or without.
 */
export async function realtimeFindings(client: Queryable, names: SessionsNames): Promise<Finding[]> {
  const { rows } = await client.query<{ kind: string }>(
    `SELECT c.relkind::text AS kind FROM pg_catalog.pg_publication_tables p
       JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass($2)
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname AND c.relname = p.tablename
      WHERE p.pubname = $1`,
    [PUBLICATION, quoteName(names.sessions)],
  );
  if (rows[0]?.kind !== 'r') return [];
  return [
    {
      severity: 'warning',
      subject: displayName(names.sessions),
      message: `Supabase's Realtime tells subscribers of this table's changes (publication ${PUBLICATION}); of a partitioned one its server, which reads with wal2json, tells them nothing: from the cutover on \`postgres_changes\` of it are silent`,
      hint: 'Broadcast them by a trigger instead: docs/supabase.md, "Realtime", has one. Subscriptions to messages go on.',
    },
  ];
}
