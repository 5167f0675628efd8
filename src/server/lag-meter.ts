import type { Queryable } from '../db/connect.ts';
import { quoteName } from '../db/identifier.ts';
import { isOpen, maybeLatestRun } from '../engine/run-state.ts';
import { changeLogName } from '../move/direction.ts';

interface Sample {
  readonly at: number;
  readonly newest: number;
}

const KEPT_MS = 15 * 60_000;

/**
 * How old the oldest entry of each change log is, in seconds, by the moves' names. An entry does not say when it was
 * written: it is as old as the first look that saw its number handed out, and at least as old as the first look of all.
 */
export function createLagMeter(now: () => number = Date.now) {
  const seen = new Map<string, Sample[]>();
  return async (client: Queryable): Promise<Record<string, number>> => {
    const run = await maybeLatestRun(client);
    if (!isOpen(run)) {
      seen.clear();
      return {};
    }
    const lags: Record<string, number> = {};
    for (const move of run.settings.moves) {
      const log = quoteName(changeLogName(move));
      const { rows: there } = await client.query<{ there: boolean }>(
        'SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there',
        [log],
      );
      if (there[0]?.there !== true) continue;
      const { rows } = await client.query<{ oldest: number | null; newest: number | null }>(
        `SELECT min(seq)::float8 AS oldest, max(seq)::float8 AS newest FROM ${log}`,
      );
      const { oldest, newest } = rows[0] ?? { oldest: null, newest: null };
      const samples = (seen.get(move.name) ?? []).filter(({ at }) => at > now() - KEPT_MS);
      if (newest !== null && newest !== samples.at(-1)?.newest) samples.push({ at: now(), newest });
      seen.set(move.name, samples);
      const first = oldest === null ? undefined : samples.find((sample) => sample.newest >= oldest);
      lags[move.name] = first === undefined ? 0 : (now() - first.at) / 1000;
    }
    return lags;
  };
}
