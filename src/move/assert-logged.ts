import type { Queryable } from '../db/connect.ts';
import { displayName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import { hasChangeLog } from './change-log.ts';
import type { TableMove } from './table-move.ts';

/**
 * A log that somebody took off or switched off may have missed writes: nothing is known of the rows then.
 *
 * @throws TD023 with the table
 */
export async function assertLogged(
  client: Queryable,
  moves: readonly TableMove[],
  direction: 'forward' | 'back',
): Promise<void> {
  for (const move of moves) {
    if (await hasChangeLog(client, move.source)) continue;
    const table = displayName(move.source);
    throw new TandemError('TD023', `The writes of ${table} are not being logged: some may have been missed.`, {
      hint:
        direction === 'forward'
          ? 'Somebody dropped or disabled the trigger tandem_log: go back with `tandem rollback` and start again.'
          : `Somebody dropped or disabled the trigger tandem_log. Put it back (ALTER TABLE ${table} ENABLE ALWAYS TRIGGER tandem_log); \`tandem verify\` then lists the rows that differ, and each is taken over once it is written again.`,
    });
  }
}
