import type { Queryable } from '../../../src/db/connect.ts';
import { quoteName } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';
import type { Check } from './doctor.ts';

/**
 * That nobody took row security off a table, or the last policy. Supabase's linter looks at plain tables only: of `sessions`
 * it sees the partitions, and not the parent, whose policies are those that count.
 */
export async function rowSecurity(client: Queryable, names: SessionsNames): Promise<Check> {
  const tables = [names.sessions, names.messages, { schema: names.sessions.schema, name: 'message_feedback' }];
  const { rows } = await client.query<{ what: string }>(
    `SELECT c.oid::pg_catalog.regclass || CASE WHEN c.relrowsecurity THEN ' has no policy' ELSE ' has row security off' END AS what
       FROM unnest($1::text[]) AS t
       JOIN LATERAL (SELECT t::pg_catalog.regclass AS oid, true AS parent
                      UNION ALL SELECT i.inhrelid, false FROM pg_catalog.pg_inherits i WHERE i.inhparent = t::pg_catalog.regclass) part ON true
       JOIN pg_catalog.pg_class c ON c.oid = part.oid
      WHERE NOT c.relrowsecurity OR part.parent AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid)
      ORDER BY 1`,
    [tables.map(quoteName)],
  );
  if (rows.length === 0) {
    return { name: 'security', state: 'ok', message: 'every table and partition has row security', hint: null };
  }
  return {
    name: 'security',
    state: 'failed',
    message: rows.map(({ what }) => what).join(', '),
    hint: 'ALTER TABLE … ENABLE ROW LEVEL SECURITY, and make the policies again: docs/security.md says which there should be.',
  };
}
