import type { Queryable } from '../../src/db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { SessionsNames } from './names.ts';

/** Names that the new shape needs, and that somebody else's objects have: found before a run begins, not at its cutover. */
export async function takenNames(client: Queryable, names: SessionsNames): Promise<Finding[]> {
  const beside = (name: string): QualifiedName => ({ schema: names.sessions.schema, name });
  const relations = [
    ...Object.values(names.partitions).map(beside),
    beside('session_stats'),
    beside('my_session_stats'),
    beside('message_match'),
    names.registry,
    ...['session_changes', 'session_rollup', 'session_rollup_state', 'session_counts'].map((name) => ({
      ...names.registry,
      name,
    })),
  ];
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.name FROM unnest($1::text[]) WITH ORDINALITY AS n (name, place)
      WHERE pg_catalog.to_regclass(n.name) IS NOT NULL OR pg_catalog.to_regtype(n.name) IS NOT NULL
      UNION ALL
     SELECT pg_catalog.format('%I.%I(%s)', $2::text, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
       FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = $2 AND p.proname = 'search_messages'`,
    [relations.map(quoteName), names.sessions.schema],
  );
  return rows.map(({ name }) => ({
    severity: 'blocks',
    subject: displayName(names.sessions),
    message: `the name ${name.replaceAll('"', '')} is taken, which the new shape needs`,
    hint: 'Rename or drop what has it.',
  }));
}
