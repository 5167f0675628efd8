import { displayName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import { maybeLatestRun } from '../engine/run-state.ts';
import type { StepContext } from '../engine/step.ts';
import { differencesAsFindings, verifyRows } from '../move/verify-rows.ts';

/**
 * After the swap back, and before anything of the new tables is dropped: every column of every row that the two have in
 * common, but for what was written since.
 *
 * @throws TD030 with the rows
 */
export async function assertReturnedWhole({ pool, moves, emit }: StepContext): Promise<void> {
  const run = await maybeLatestRun(pool);
  const wasCutOver = run !== null && (run.cutover_at !== null || run.settings.restored !== null);
  if (!wasCutOver) return;
  const results = await verifyRows(pool, moves, 'swapped back');
  for (const { table, rows, leftOut, differences, elapsedMs } of results)
    emit({ event: 'verified', table, rows, left_out: leftOut, differences: differences.length, elapsed_ms: elapsedMs });
  const findings = differencesAsFindings(results);
  if (findings.length === 0) return;
  const beside = moves.map((move) => displayName(move.target)).join(' and ');
  throw new TandemError('TD030', 'The tables that are live again do not have every row; nothing was dropped.', {
    hint: `What they lack stands in ${beside}: copy it from there into the live tables, and run the same command again.`,
    detail: findings.map((f) => `${f.subject}: ${f.message}`).join('\n'),
  });
}
