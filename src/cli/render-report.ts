import type { ColumnKind, ReportRow, ReportSection } from '../engine/report.ts';
import { formatCell, isFilled } from '../verify-report/format-cell.ts';
import { colors as pc } from './colors.ts';

const RIGHT: readonly ColumnKind[] = ['count', 'bytes', 'milliseconds'];
const VERDICTS: Readonly<Record<string, (text: string) => string>> = {
  ok: pc.green,
  note: pc.dim,
  warning: pc.yellow,
  blocks: pc.red,
};
/** A query or a plan may be long; the page and `--json` have all of it. */
const WIDEST = 60;

/** What `tandem verify --json` prints under `report`; findings of all sections stand under `findings` as well. */
export function reportDocument(report: readonly ReportSection[] | null) {
  if (report === null) return null;
  return report.map(({ key, title, guide, rows, details, findings, elapsedMs }) => ({
    section: key,
    title,
    guide,
    rows,
    details,
    findings,
    elapsed_ms: elapsedMs,
  }));
}

/** Each section as a table under its heading. Findings are told with all others, below. */
export function renderReport(report: readonly ReportSection[] | null): string[] {
  return (report ?? []).flatMap((section) => [
    `${pc.bold(section.title)}  ${pc.dim(`${section.guide} · ${formatCell('milliseconds', section.elapsedMs)}`)}`,
    ...renderRows({ ...section, rows: withoutRepeats(section.rows) }),
    '',
  ]);
}

/** Neighbours that differ in nothing but the table, as one row with all of them. */
function withoutRepeats(rows: readonly ReportRow[]): ReportRow[] {
  const merged: ReportRow[] = [];
  const rest = (row: ReportRow) => JSON.stringify({ ...row, table: null });
  for (const row of rows) {
    const last = merged.at(-1);
    if (last && rest(last) === rest(row)) merged[merged.length - 1] = { ...last, table: `${last.table}, ${row.table}` };
    else merged.push(row);
  }
  return merged;
}

function renderRows({ columns, rows }: ReportSection): string[] {
  if (rows.length === 0) return [pc.dim('  nothing to tell')];
  const shown = columns.filter(({ key, kind }) => kind !== 'verdict' && isFilled(rows, key));
  const cell = (text: string) => (text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text);
  const cells = rows.map((row) => shown.map(({ key, kind }) => cell(formatCell(kind, row[key]))));
  const titles = shown.map(({ title }) => title);
  const widths = titles.map((title, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, at) => {
        const width = widths[at] ?? 0;
        return RIGHT.includes(shown[at]?.kind ?? 'text') ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [
    pc.dim(`  ${' '.repeat(7)}  ${line(titles)}`),
    ...cells.map((texts, at) => {
      const verdict = String(rows[at]?.['verdict'] ?? 'ok');
      return `  ${(VERDICTS[verdict] ?? pc.dim)(verdict.padEnd(7))}  ${line(texts)}`;
    }),
  ];
}
