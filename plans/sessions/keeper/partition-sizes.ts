import type { Queryable } from '../../../src/db/connect.ts';
import { quoteIdent } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';
import { statuses } from './metric-definitions.ts';

export interface PartitionSize {
  readonly status: (typeof statuses)[number];
  /** With its indexes. */
  readonly bytes: number;
  /** As of the last ANALYZE. */
  readonly rows: number;
}

/** How large each partition is; 0 where it does not stand. */
export async function readPartitionSizes(client: Queryable, names: SessionsNames): Promise<PartitionSize[]> {
  const partitions = statuses.map(
    (status) => `${quoteIdent(names.sessions.schema)}.${quoteIdent(names.partitions[status])}`,
  );
  const { rows } = await client.query<{ bytes: number; rows: number }>(
    `SELECT coalesce(pg_catalog.pg_total_relation_size(c.oid), 0)::float8 AS bytes, greatest(coalesce(c.reltuples, 0), 0)::float8 AS rows
       FROM unnest($1::text[]) WITH ORDINALITY AS p (name, place)
       LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(p.name) ORDER BY p.place`,
    [partitions],
  );
  return statuses.map((status, i) => ({ status, bytes: rows[i]?.bytes ?? 0, rows: rows[i]?.rows ?? 0 }));
}
