import type { Queryable } from '../../src/db/connect.ts';
import { displayName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { SessionsNames } from './names.ts';

/**
 * Permissive policies of the flat tables, for roles of the API. They come along, and what any permissive policy allows is
 * allowed: one that asks only whose a message is lets it into somebody else's session, whatever ours ask.
 */
export async function policyFindings(client: Queryable, names: SessionsNames): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const table of [names.sessions, names.messages]) {
    const { rows } = await client.query<{ policies: string[] | null }>(
      `SELECT array_agg(p.polname::text ORDER BY p.polname) AS policies
         FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
        WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'r' AND p.polpermissive
          AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS r (oid)
                       WHERE r.oid = 0 OR r.oid IN (pg_catalog.to_regrole('anon'), pg_catalog.to_regrole('authenticated')))`,
      [quoteName(table)],
    );
    const policies = rows[0]?.policies ?? [];
    if (policies.length === 0) continue;
    findings.push({
      severity: 'warning',
      subject: displayName(table),
      message: `${policies.length === 1 ? 'a policy of its own comes' : `${policies.length} policies of its own come`} along (${policies.join(', ')}), and permissive policies add up: what one of them allows stays allowed, whatever the new ones say`,
      hint: `Where docs/security.md says what you want, drop them before or after: ${policies.map((name) => `DROP POLICY ${quoteIdent(name)} ON ${quoteName(table)};`).join(' ')}`,
    });
  }
  return findings;
}
