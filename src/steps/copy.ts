import { inTransaction } from '../db/connect.ts';
import { relationExists } from '../db/describe-table.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import type { Step } from '../engine/step.ts';
import { copyTable, insertSql } from '../move/copy.ts';
import { forward } from '../move/direction.ts';
import { quarantineUnfitRows } from '../move/quarantine.ts';

/** Copies every source into its target by block ranges, one table after the other, each with all workers. */
export function copyStep({ guide, check }: { guide: string; check: NonNullable<Step['check']> }): Step {
  return {
    name: 'copy',
    guide,
    title: 'Copy the rows',
    phase: 'copying',
    beforeCutoverOnly: true,
    // Only before a run begins: what comes later is set aside, and does not keep a stopped run from going on.
    check,
    plan: async ({ moves }) =>
      moves.map((move) => ({
        sql: insertSql(forward(move)),
        lock: `ACCESS SHARE on ${displayName(move.source)}, for each batch`,
        cost: `one sequential read of ${displayName(move.source)}`,
      })),
    apply: async ({ pool, moves, options, emit, signal, pace }) => {
      let total = 0;
      for (const move of moves) {
        const { rows, restarts } = await copyTable({
          pool,
          direction: forward(move),
          workers: options.workers,
          signal,
          pace,
          onProgress: (progress) => emit({ event: 'progress', step: 'copy', ...progress }),
        });
        total += rows;
        if (restarts > 0) {
          emit({
            event: 'note',
            message: `${displayName(move.source)} was rewritten while it was copied; the copy of it began again ${restarts} times.`,
          });
        }
      }
      for (const move of moves) {
        const unfit = await quarantineUnfitRows(pool, forward(move));
        if (unfit > 0)
          emit({
            event: 'note',
            message: `${unfit} rows of ${displayName(move.source)} do not fit and are in quarantine.`,
          });
      }
      return `${total.toLocaleString('en')} rows`;
    },
    verify: async () => [],
    revert: async ({ pool, moves }) => {
      await inTransaction(pool, async (client) => {
        for (const move of moves) {
          if (await relationExists(client, move.target)) await client.query(`TRUNCATE ${quoteName(move.target)}`);
        }
        await client.query(
          `UPDATE tandem.moved_table SET copy_filenode = NULL, copy_blocks = 0, copy_done = false, copied_rows = 0, rows_estimate = 0;
           DELETE FROM tandem.copied_range; DELETE FROM tandem.quarantine`,
        );
      });
    },
  };
}
