import type { Queryable } from '../../../src/db/connect.ts';
import { quoteName } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';
import type { MonitoringSettings } from './monitoring-config.ts';

export const statuses = ['active', 'archived', 'deleted'] as const;
export type Status = (typeof statuses)[number];

export interface PartitionSize {
  readonly status: Status;
  readonly name: string;
  /** With its indexes. */
  readonly bytes: number;
  /** As of the last ANALYZE; null before the first. */
  readonly rows: number | null;
  readonly limit_bytes: number;
}

/** Sizes of the partitions as the server's catalog has them: no row is read. */
export async function partitionSizes(
  client: Queryable,
  names: SessionsNames,
  limits: MonitoringSettings['partitionLimits'],
): Promise<PartitionSize[]> {
  const { schema } = names.sessions;
  const { rows } = await client.query<{ place: number; bytes: number; rows: number | null }>(
    `SELECT p.place::int, pg_catalog.pg_total_relation_size(c.oid)::float8 AS bytes, nullif(c.reltuples, -1)::float8 AS rows
       FROM unnest($1::text[]) WITH ORDINALITY AS p (name, place)
       JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(p.name)`,
    [statuses.map((status) => quoteName({ schema, name: names.partitions[status] }))],
  );
  return statuses.flatMap((status, i) => {
    const row = rows.find(({ place }) => place === i + 1);
    if (row === undefined) return [];
    return [{ status, name: names.partitions[status], bytes: row.bytes, rows: row.rows, limit_bytes: limits[status] }];
  });
}
