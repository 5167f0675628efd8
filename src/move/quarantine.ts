import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import { type Direction, fitsCondition, fromClause, keyAsJson, keyMatch, unfitColumns } from './direction.ts';

const quarantinedRow = z.object({
  table_name: z.string(),
  key: z.array(z.string().nullable()),
  reason: z.string(),
  since: z.date(),
});
export type QuarantinedRow = z.infer<typeof quarantinedRow>;

/**
 * Sets aside every row that does not fit the target, by one read of the source. Rows that change afterwards are in the
 * log and are judged again by the drain; rows already in the log are left to it.
 */
export async function quarantineUnfitRows(client: Queryable, direction: Direction): Promise<number> {
  if (direction.fits.length === 0) return 0;
  const { rowCount } = await client.query(
    `INSERT INTO tandem.quarantine (table_name, key, reason)
     SELECT $1, ${keyAsJson(direction, 's', 'from')}, 'does not fit: ' || pg_catalog.array_to_string(${unfitColumns(direction)}, ', ')
       ${fromClause(direction)}
      WHERE NOT (${fitsCondition(direction)})
        AND NOT EXISTS (SELECT FROM ${quoteName(direction.log)} l
                         WHERE ${keyMatch(direction, { alias: 'l', side: 'log' }, { alias: 's', side: 'from' })})
     ON CONFLICT (table_name, key) DO UPDATE SET reason = EXCLUDED.reason`,
    [direction.name],
  );
  return rowCount ?? 0;
}

/** Puts the quarantined keys back into the log, so that the next drain judges them by today's mapping. */
export async function requeueQuarantine(client: Queryable, direction: Direction): Promise<void> {
  await client.query(requeueSql(direction), [direction.name]);
}

/** `INSERT INTO changes (k1) SELECT (key->>0)::uuid FROM tandem.quarantine WHERE table_name = $1` */
export function requeueSql(direction: Direction): string {
  const keys = direction.key.map((k, i) => `(key->>${i})::${k.type}`).join(', ');
  return `INSERT INTO ${quoteName(direction.log)} (${direction.key.map((k) => k.log).join(', ')})
     SELECT ${keys} FROM tandem.quarantine WHERE table_name = $1`;
}

export async function countQuarantined(client: Queryable): Promise<number> {
  const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM tandem.quarantine');
  return rows[0]?.n ?? 0;
}

export async function listQuarantined(client: Queryable, limit: number): Promise<QuarantinedRow[]> {
  const { rows } = await client.query(
    'SELECT table_name, key, reason, since FROM tandem.quarantine ORDER BY since, table_name, key LIMIT $1',
    [limit],
  );
  return z.array(quarantinedRow).parse(rows);
}

/** How many rows of the source do not fit, by column, with up to five of their keys: what `check` reports. */
export async function findUnfitRows(
  client: Queryable,
  direction: Direction,
): Promise<{ column: string; rows: number; keys: string[]; values: string[] }[]> {
  if (direction.fits.length === 0) return [];
  const key = `pg_catalog.concat_ws(',', ${direction.key.map((k) => `s.${quoteIdent(k.from)}::text`).join(', ')})`;
  const { rows } = await client.query<{ column: string; rows: number; keys: string[]; values: string[] }>(
    `SELECT u.column, count(*)::int AS rows, (array_agg(u.key ORDER BY u.key))[1:5] AS keys,
            (array_agg(DISTINCT coalesce(u.value, 'NULL')))[1:5] AS "values"
       FROM (SELECT f.column, ${key} AS key, pg_catalog.to_jsonb(s) ->> f.column AS value
               ${fromClause(direction)}
               CROSS JOIN LATERAL unnest(${unfitColumns(direction)}) AS f("column")
              WHERE NOT (${fitsCondition(direction)})) u
      GROUP BY u.column ORDER BY u.column`,
  );
  return rows;
}
