import type { MigrateResult } from '../engine/migrate.ts';
import { colors as pc } from './colors.ts';
import { formatCount, formatDuration } from './format.ts';
import type { Outcome } from './reporter.ts';

/** What a migration came to, and what can be done next. */
export function migrationOutcome(result: MigrateResult, elapsedMs: number): Outcome {
  const lockMs = result.cutoverLockMs === null ? null : Math.round(result.cutoverLockMs * 10) / 10;
  const moved = `${formatCount(result.rows)} rows in ${formatDuration(elapsedMs / 1000)}`;
  return {
    summary:
      result.phase === 'baking'
        ? `${pc.green('Migrated')}: ${moved}${lockMs === null ? '' : `, locks held ${lockMs} ms`}. The old tables are kept up to date.\nNext: \`tandem verify\`, and \`tandem finish\` drops them; or \`tandem rollback\` returns to them.`
        : `${pc.green('Ready')}: ${moved}. All but the swap is done.\nNext: \`tandem migrate\` swaps the names, \`tandem rollback\` takes everything back.`,
    fields: {
      phase: result.phase,
      rows: result.rows,
      elapsed_ms: Math.round(elapsedMs),
      cutover_lock_ms: lockMs,
    },
  };
}
