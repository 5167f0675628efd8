import type { Queryable } from '../db/connect.ts';
import {
  type Dependents,
  orWithoutCasts,
  ownComments,
  ownPolicies,
  readDependents,
  replicaIndex,
} from './dependents.ts';
import type { TableMove } from './table-move.ts';

/** What hangs on the live tables and is made again for the new ones, under the names that are swapped by then. */
export async function hangingOn(
  client: Queryable,
  moves: readonly TableMove[],
  partitions: ReadonlyMap<string, readonly string[]>,
): Promise<Pick<Dependents, 'drop' | 'create' | 'views'>> {
  const sources = moves.map((move) => move.source);
  const partitioned = moves.filter((move) => (partitions.get(move.name)?.length ?? 0) > 0);
  const dependents = await readDependents(
    client,
    sources,
    partitioned.map((move) => move.source),
  );
  // The retired tables keep their own; the new ones get them here, where what they mention is new too.
  const policies: string[] = [];
  const details: string[] = [];
  for (const table of sources) {
    policies.push(...(await ownPolicies(client, table, table)).map(orWithoutCasts));
    details.push(...(await replicaIndex(client, table)), ...(await ownComments(client, table)));
  }
  return { ...dependents, create: [...policies, ...dependents.create, ...details] };
}
