import type { Pool } from 'pg';
import type { TableMove } from '../move/table-move.ts';
import type { Emit } from './events.ts';
import { createPacer } from './pacer.ts';
import { type Run, setAttachments, setMoves, setPhase } from './run-state.ts';
import type { RunOptions, StepContext } from './step.ts';

/** What the steps of a run work with. `moves` are those that the run has come to know, as it completes them. */
export function stepContext(pool: Pool, run: Run, options: RunOptions, emit: Emit, signal: AbortSignal): StepContext {
  let moves: readonly TableMove[] = run.settings.moves;
  const pacer = createPacer({ pool, emit, signal });
  return {
    pool,
    get moves() {
      return moves;
    },
    options,
    emit,
    signal,
    pace: () => pacer.wait(),
    setPhase: async (phase, client) => {
      await setPhase(client ?? pool, run, phase);
      // In somebody else's transaction it is not true before the commit, which they tell.
      if (client === undefined) emit({ event: 'phase', phase });
    },
    setMoves: async (completed) => {
      await setMoves(pool, run, completed);
      moves = completed;
    },
    recordAttachments: (attachments, client) => setAttachments(client ?? pool, run, attachments),
    recordCutover: async (lockMs, attempts) => {
      await pool.query('UPDATE tandem.run SET cutover_lock_ms = $2, cutover_attempts = $3 WHERE id = $1', [
        run.id,
        lockMs,
        attempts,
      ]);
    },
  };
}
