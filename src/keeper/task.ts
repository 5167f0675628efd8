import type { Queryable } from '../db/connect.ts';

/** Something that the keeper does again and again. */
export interface Task {
  readonly name: string;
  /** Milliseconds from the end of one run to the beginning of the next, asked for after each. */
  everyMs(lastRunMs: number): number;
  /** One run; what it did, in a few words, or null where there was nothing to do. */
  run(context: TaskContext): Promise<string | null>;
}

export interface TaskContext {
  readonly signal: AbortSignal;
  /** To be awaited in each transaction that writes. @throws TD021 where another keeper has taken over */
  readonly fence: (client: Queryable) => Promise<void>;
}
