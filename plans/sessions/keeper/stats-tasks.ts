import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Task } from '../../../src/keeper/task.ts';
import type { SessionsNames } from '../names.ts';
import { recountStats } from './recount.ts';
import { refreshStats } from './refresh.ts';
import { readStatsPolicy } from './stats-policy.ts';

/** Keeps `session_stats` current, and looks whether it is right. Both ask the policy each time: it may have changed. */
export function statsTasks(pool: Pool, names: SessionsNames, settings: { readonly recountEveryMs: number }): Task[] {
  let policy = { refreshEverySeconds: 60, share: 0.05 };
  return [
    {
      name: 'refresh',
      // After a costly one the next waits longer: the share of the time that goes into it stays what it may be.
      everyMs: (lastRunMs) => Math.max(policy.refreshEverySeconds * 1000, lastRunMs / policy.share),
      run: async ({ signal, fence }) => {
        policy = await readStatsPolicy(pool);
        const { mode, rows, entries } = await refreshStats({ pool, names, signal, fence });
        return mode === 'skipped' ? null : `${rows} rows, ${entries} changes`;
      },
    },
    {
      name: 'recount',
      everyMs: () => settings.recountEveryMs,
      run: async ({ signal, fence }) => {
        const { share } = await readStatsPolicy(pool);
        // Pauses between the batches, so that it too takes no more than its share.
        const pace = (elapsedMs: number) =>
          sleep(elapsedMs / share - elapsedMs, undefined, { signal }).catch(() => undefined);
        const recount = await recountStats({ pool, signal, fence, pace });
        return (
          recount && `${recount.sessions} sessions counted anew, ${recount.drifted} had drifted and were put right`
        );
      },
    },
  ];
}
