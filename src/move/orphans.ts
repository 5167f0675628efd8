import type { Queryable } from '../db/connect.ts';
import { displayName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { ForeignKey, TableMove } from './table-move.ts';

/** A key that the live table has, in force: it needs no look. */
export function isProven(key: ForeignKey, move: Pick<TableMove, 'sourceForeignKeys'>): boolean {
  return move.sourceForeignKeys.some(
    (k) => k.validated && k.name === key.name && k.columns.join() === key.columns.join(),
  );
}

/** Rows of the live tables that the new tables' foreign keys would refuse: where there is none today, or it is NOT VALID. */
export async function orphanFindings(client: Queryable, moves: readonly TableMove[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const move of moves) {
    for (const key of move.targetForeignKeys) {
      if (isProven(key, move)) continue;
      const to = onLive(key, moves);
      const match = key.columns
        .map((column, i) => `r.${quoteIdent(to.columns[i] ?? '')} = s.${quoteIdent(column)}`)
        .join(' AND ');
      const present = key.columns.map((column) => `s.${quoteIdent(column)} IS NOT NULL`).join(' AND ');
      const id = `pg_catalog.concat_ws(',', ${move.key.map((k) => `s.${quoteIdent(k.source)}::text`).join(', ')})`;
      const { rows } = await client.query<{ rows: number; keys: string[] | null }>(
        `SELECT count(*)::int AS rows, (array_agg(o.id ORDER BY o.id))[1:5] AS keys
           FROM (SELECT ${id} AS id FROM ${quoteName(move.source)} s
                  WHERE ${present} AND NOT EXISTS (SELECT FROM ${quoteName(to.table)} r WHERE ${match})) o`,
      );
      const [found] = rows;
      if (!found || found.rows === 0) continue;
      findings.push({
        severity: 'blocks',
        subject: displayName(move.source),
        message: `${found.rows.toLocaleString('en')} ${found.rows === 1 ? 'row has' : 'rows have'} a ${key.columns.join(', ')} that is in no row of ${displayName(to.table)}, for example ${found.keys?.join(', ')}`,
        hint: 'The new tables have a foreign key there. Delete the rows, or give them what they refer to.',
      });
    }
  }
  return findings;
}

/** What a key will refer to, as the live tables have it: a registry that comes with the cutover stands for its source. */
function onLive(key: ForeignKey, moves: readonly TableMove[]) {
  const move = moves.find((m) => quoteName(m.identity.table) === quoteName(key.references));
  if (!move) return { table: key.references, columns: key.referencedColumns };
  const columns = key.referencedColumns.map((column) => {
    const place = move.identity.columns.indexOf(column);
    return move.key[place]?.source ?? column;
  });
  return { table: move.source, columns };
}
