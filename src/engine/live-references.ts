import type { Queryable } from '../db/connect.ts';
import { incomingForeignKeys } from '../db/describe-dependents.ts';
import { leafPartitions, partitionNames } from '../db/describe-table.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';

/**
 * Foreign keys that other tables were given since the cutover, on the new tables, their partitions or what identifies
 * their rows: the way back knows nothing of them. It would leave them behind, and what cascades there would delete rows of
 * sessions that live on.
 *
 * @throws TD027 with their names
 */
export async function assertNoReferenceIsLost(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const own = new Set(moves.map((move) => quoteName(move.source)));
  const known = await knownKeys(client, moves);
  const added = new Map<string, string>();
  for (const move of moves) {
    const { schema } = move.source;
    const partitions = (await partitionNames(client, move.source)).map((name) => ({ schema, name }));
    for (const table of [move.source, ...partitions, move.identity.table])
      for (const key of await incomingForeignKeys(client, table))
        if (!own.has(quoteName(key.table)) && !known.has(keyOf(key)))
          added.set(keyOf(key), `${displayName(key.table)}.${quoteIdent(key.name)}`);
  }
  if (added.size === 0) return;
  throw new TandemError(
    'TD027',
    `The tables to go back to are not referred to by what was added since the cutover: ${[...added.values()].join(', ')}.`,
    {
      hint: 'Drop the foreign key, run the same command again, and add it anew to the tables that are live then.',
    },
  );
}

/** Those that the run put there itself; on a partitioned table, for a while on each partition of its own. */
async function knownKeys(client: Queryable, moves: readonly TableMove[]): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for (const { after } of moves.flatMap((move) => move.incoming)) {
    const leaves = (await leafPartitions(client, after.table)) ?? [];
    for (const table of [after.table, ...leaves]) known.add(keyOf({ table, name: after.name }));
  }
  return known;
}

function keyOf(key: { readonly table: QualifiedName; readonly name: string }): string {
  return `${quoteName(key.table)} ${key.name}`;
}
