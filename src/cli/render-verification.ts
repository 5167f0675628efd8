import type { VerifyResult } from '../engine/verify.ts';
import type { TableVerification } from '../move/verify-rows.ts';
import { colors as pc } from './colors.ts';
import { describeFinding } from './describe-event.ts';
import { formatCount, formatDuration } from './format.ts';

/** What `tandem verify --json` prints. `version` grows when a field changes its meaning. */
export function verificationDocument({ ok, phase, tables, findings }: VerifyResult) {
  return {
    version: 1,
    ok,
    phase,
    tables: tables.map(({ table, rows, leftOut, differences, truncated, partitions, elapsedMs }) => ({
      table,
      rows,
      /** Rows written a moment ago, which are left to the drain, and rows in quarantine. */
      left_out: leftOut,
      differences,
      /** More rows differ than are listed. */
      truncated,
      partitions,
      elapsed_ms: elapsedMs,
    })),
    findings,
  };
}

/** The verification for people: a line a table with its partitions, what does not hold, and the verdict. */
export function renderVerification({ ok, phase, tables, findings }: VerifyResult): string {
  const nothingToCompare = phase === 'finished' ? ['The old tables are gone: the shape alone was verified.'] : [];
  return [
    ...tables.flatMap(renderTable),
    ...nothingToCompare,
    ...findings.flatMap(describeFinding),
    ok ? pc.green('Everything holds.') : pc.red('Not everything holds.'),
  ].join('\n');
}

function renderTable({ table, rows, leftOut, differences, partitions, elapsedMs }: TableVerification): string[] {
  const verdict = differences.length === 0 ? pc.green('equal   ') : pc.red('differs ');
  const later = leftOut > 0 ? `, ${formatCount(leftOut)} just written and left to the drain` : '';
  const names = Object.keys(partitions);
  const width = Math.max(0, ...names.map((name) => name.length));
  return [
    `${verdict} ${table}: ${formatCount(rows)} rows, every column${later}${pc.dim(`  ${formatDuration(elapsedMs / 1000)}`)}`,
    ...Object.entries(partitions).map(([name, count]) =>
      pc.dim(`         ${name.padEnd(width)}  ${formatCount(count)} rows`),
    ),
  ];
}
