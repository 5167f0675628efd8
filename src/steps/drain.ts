import { displayName } from '../db/identifier.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { forward } from '../move/direction.ts';
import { drainUntil } from '../move/drain.ts';
import { drainSql } from '../move/drain-sql.ts';
import { requeueQuarantine } from '../move/quarantine.ts';

/** Brings the targets up to date with the writes made since the copy began. */
export function drainStep(guide: string): Step {
  return {
    name: 'drain',
    guide,
    title: 'Catch up with the writes made meanwhile',
    phase: 'draining',
    beforeCutoverOnly: true,
    repeats: true,
    plan: async ({ moves }) =>
      moves.map((move) => ({
        sql: drainSql(forward(move, moves)),
        lock: `ACCESS SHARE on ${displayName(move.source)}, for each batch`,
        cost: 'index probes by key',
      })),
    apply: async (context) => {
      // Judged again by today's mapping: a value that was mapped since fits now.
      for (const move of context.moves) await requeueQuarantine(context.pool, forward(move));
      const taken = await catchUp(context);
      return `${taken.toLocaleString('en')} changes`;
    },
    verify: async () => [],
    revert: 'nothing to revert',
  };
}

/** Drains all tables, until what comes in between two batches is little. Returns the number of entries taken. */
export async function catchUp({
  pool,
  moves,
  emit,
  signal,
  pace,
}: Pick<StepContext, 'pool' | 'moves' | 'emit' | 'signal' | 'pace'>): Promise<number> {
  let taken = 0;
  for (const move of moves) {
    const direction = forward(move, moves);
    const counts = await drainUntil(pool, direction, {
      rest: 200,
      signal,
      pace,
      onBatch: (batch) => emit({ event: 'drained', table: displayName(move.source), ...batch }),
    });
    taken += counts.taken;
    for (const statement of move.settle) await pool.query(statement);
  }
  return taken;
}
