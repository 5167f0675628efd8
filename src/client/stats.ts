import type { z } from 'zod';
import { type Inputs, parseInput, parseRows } from './inputs.ts';
import { type SessionStats, sessionStats } from './rows.ts';
import type { Run } from './run-as.ts';
import type { Tables } from './tables.ts';

/** Figures per status: the caller's own, as of now; as the service, those of one user or of all, as of the last refresh. */
export type Stats = (of?: z.input<Inputs['statsOf']>) => Promise<readonly SessionStats[]>;

export function statsOf(run: Run, tables: Tables, inputs: Inputs): Stats {
  return async (of = {}) => {
    const { user_id } = parseInput(inputs.statsOf, of);
    const rows = await run(({ userId }) =>
      userId === null
        ? {
            text: `SELECT ${tables.statsColumns} FROM ${tables.stats} WHERE $1::uuid IS NULL OR user_id = $1 ORDER BY user_id, status`,
            values: [user_id ?? null],
          }
        : {
            // The view shows the caller's own rows only, and has no column that says so.
            text: `SELECT $1::uuid AS user_id, ${tables.ownStatsColumns} FROM ${tables.ownStats} WHERE $2::uuid IS NULL OR $2 = $1 ORDER BY status`,
            values: [userId, user_id ?? null],
          },
    );
    return parseRows(sessionStats, rows);
  };
}
