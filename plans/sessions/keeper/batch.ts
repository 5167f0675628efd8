import { isDataError, SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';

/** How far a run has come: the last access, and the id, of the last session that it looked at. */
export interface Reached {
  /** As text: microseconds would not survive a `Date`. */
  readonly at: string | null;
  readonly id: string | null;
}

/** What one batch did: how many sessions it looked at, how many of them it moved, and how far it came. */
export interface Batch {
  readonly taken: number;
  readonly moved: number;
  readonly reached: Reached;
}

export const START: Reached = { at: null, id: null };

export interface BatchRow extends Reached {
  readonly taken: number;
  readonly moved: number;
}

/** The answer of `keeper.move_batch` or `keeper.purge_batch`. */
export function oneBatchOf({ rows }: { readonly rows: readonly BatchRow[] }): Batch {
  const { taken = 0, moved = 0, ...reached } = rows[0] ?? {};
  return { taken, moved, reached: { ...START, ...reached } };
}

/** A trigger or a foreign key of the application's refuses a session. */
export function isRefusal(error: unknown): boolean {
  const state = sqlStateOf(error);
  return isDataError(state) || state === SqlState.triggeredDataChange || state === SqlState.checkOption;
}
