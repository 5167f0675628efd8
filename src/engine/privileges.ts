import type { Queryable } from '../db/connect.ts';
import type { TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';

export interface MissingPrivilege {
  /** As GRANT wants it: `DATABASE app`, `SCHEMA public`. */
  readonly place: string;
  readonly role: string;
}

/**
 * What a run needs to create in places that are not Tandem's own, and may not: its schema in the database, and the new
 * tables in the schemas of the old ones.
 */
export async function missingPrivileges(
  client: Queryable,
  moves: readonly Pick<TableMove, 'source'>[],
): Promise<MissingPrivilege[]> {
  const schemas = [...new Set(moves.map((move) => move.source.schema))];
  const { rows } = await client.query<MissingPrivilege>(
    `SELECT pg_catalog.format('DATABASE %I', pg_catalog.current_database()) AS place, current_user AS role
      WHERE NOT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
      UNION ALL
     SELECT pg_catalog.format('SCHEMA %I', s), current_user FROM unnest($1::text[]) AS s
      WHERE NOT pg_catalog.has_schema_privilege(s, 'CREATE')`,
    [schemas],
  );
  return rows;
}

/** @throws TD006 for the first privilege that is missing */
export async function assertMayCreate(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const rows = await missingPrivileges(client, moves);
  const missing = rows[0];
  if (!missing) return;
  throw new TandemError(
    'TD006',
    `The connecting role ${missing.role} lacks CREATE on ${missing.place.toLowerCase()}.`,
    {
      hint: `Connect as another role, or: ${rows.map(({ place, role }) => `GRANT CREATE ON ${place} TO ${role};`).join(' ')}`,
    },
  );
}
