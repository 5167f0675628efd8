import type { Pool } from 'pg';
import { readAttachments } from '../db/attachments.ts';
import { inTransaction, type Queryable } from '../db/connect.ts';
import { outgoingForeignKeys } from '../db/describe-dependents.ts';
import type { ForeignKey, TableMove } from '../move/table-move.ts';
import { type Run, setAttachments, setMoves } from './run-state.ts';

/**
 * Takes what hangs on the live tables as what was meant: an application goes on living while the retired tables stand,
 * and what it takes away then is no loss. A foreign key that was given up, the tables' own or another table's, does not come
 * back with a rollback either.
 *
 * @returns the run that expects just that
 */
export async function acceptPresent(pool: Pool, run: Run, done: ReadonlySet<string>): Promise<Run> {
  const now = await readAttachments(
    pool,
    run.settings.moves.map((move) => move.source),
  );
  const attachments = { source: now, carried: now };
  // Before they are validated, those of a partitioned table stand on its partitions only.
  const moves = done.has('foreign-keys')
    ? await Promise.all(run.settings.moves.map((move) => withPresentForeignKeys(pool, move)))
    : run.settings.moves;
  await inTransaction(pool, async (client) => {
    await setAttachments(client, run, attachments);
    await setMoves(client, run, moves);
  });
  return { ...run, attachments, settings: { ...run.settings, moves } };
}

async function withPresentForeignKeys(client: Queryable, move: TableMove): Promise<TableMove> {
  const present = async (key: ForeignKey) =>
    (await outgoingForeignKeys(client, key.table)).find((now) => now.name === key.name);
  const targetForeignKeys: ForeignKey[] = [];
  for (const key of move.targetForeignKeys) {
    const now = await present(key);
    if (now !== undefined) targetForeignKeys.push(now);
  }
  const incoming: TableMove['incoming'] = [];
  for (const { before, after } of move.incoming) {
    const now = await present(after);
    if (now !== undefined) incoming.push({ before, after: now });
  }
  const isGivenUp = ({ name }: ForeignKey) =>
    move.targetForeignKeys.some((key) => key.name === name) && !targetForeignKeys.some((key) => key.name === name);
  const sourceForeignKeys = move.sourceForeignKeys.filter((key) => !isGivenUp(key));
  return { ...move, sourceForeignKeys, targetForeignKeys, incoming };
}
