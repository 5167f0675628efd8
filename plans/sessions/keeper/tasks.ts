import type { Pool } from 'pg';
import { TandemError } from '../../../src/engine/errors.ts';
import { catchUpRetired } from '../../../src/engine/retired.ts';
import { maybeLatestRun } from '../../../src/engine/run-state.ts';
import { withRunnerLock } from '../../../src/engine/runner-lock.ts';
import type { Task } from '../../../src/keeper/task.ts';
import type { SessionsNames } from '../names.ts';
import { archiveDue } from './archive.ts';
import { statsTasks } from './stats-tasks.ts';

const HOUR_MS = 3_600_000;

export interface TaskSettings {
  readonly archiveEveryMs: number;
  /** How often is looked whether every session is to be counted anew. */
  readonly recountEveryMs: number;
  readonly retiredEveryMs: number;
  readonly wordsEveryMs: number;
}

export const defaultTaskSettings: TaskSettings = {
  archiveEveryMs: HOUR_MS,
  recountEveryMs: 600_000,
  retiredEveryMs: 10_000,
  wordsEveryMs: HOUR_MS,
};

/** What keeps the result of the plan healthy. */
export function keeperTasks(pool: Pool, names: SessionsNames, settings: TaskSettings): Task[] {
  return [
    {
      name: 'archive',
      everyMs: () => settings.archiveEveryMs,
      run: async ({ signal, fence }) => {
        const { archived, deleted, purged } = await archiveDue({ pool, names, signal, fence });
        if (archived + deleted + purged === 0) return null;
        return `${archived} archived, ${deleted} soft-deleted, ${purged} purged`;
      },
    },
    ...statsTasks(pool, names, settings),
    {
      // The words that a misspelt query is corrected to. Each run looks back over two, so that none falls between.
      name: 'search-words',
      everyMs: () => settings.wordsEveryMs,
      run: async () => {
        const { rows } = await pool.query<{ words: number }>(
          "SELECT private.refresh_search_words(now() - $1::float8 * interval '1 ms')::float8 AS words",
          [2 * settings.wordsEveryMs],
        );
        const words = rows[0]?.words ?? 0;
        return words === 0 ? null : `${words} words`;
      },
    },
    {
      // While a migration bakes, the retired tables follow the live ones: going back is then a matter of moments.
      name: 'retired',
      everyMs: () => settings.retiredEveryMs,
      run: async ({ signal }) => {
        const run = await maybeLatestRun(pool);
        if (run?.phase !== 'baking') return null;
        try {
          await withRunnerLock(pool, 'serve', () => catchUpRetired(pool, run, signal));
        } catch (error) {
          // A command is at work on the run, and brings them up to date itself.
          if (error instanceof TandemError && error.code === 'TD010') return null;
          throw error;
        }
        return 'up to date';
      },
    },
  ];
}
