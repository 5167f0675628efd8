import type { Finding } from '../engine/events.ts';
import type { ColumnKind, ReportColumn, ReportRow, ReportSection } from '../engine/report.ts';
import type { VerifyResult } from '../engine/verify.ts';
import { formatCell, isFilled } from './format-cell.ts';
import { Html, html } from './html-text.ts';
import { PAGE_STYLE } from './page-style.ts';

/** What the page says of itself. */
export interface PageHead {
  /** `host:port/database`, without user and password. */
  readonly database: string;
  readonly plan: string;
  readonly toolVersion: string;
  readonly now: Date;
}

/** The verification as one page that needs nothing but itself: no script, no font, no address. */
export function renderPage(result: VerifyResult, head: PageHead): string {
  const sections = [compared(result), ...(result.report ?? [])];
  const verdict = result.ok ? 'Everything holds.' : 'Not everything holds.';
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${verdict} ${head.database}</title>
<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
<h1>Verification of ${head.database}</h1>
<p class="soft">${head.plan}</p>
<dl>
<dt>Made</dt><dd><time datetime="${head.now.toISOString()}">${head.now.toISOString().slice(0, 16).replace('T', ' ')} UTC</time></dd>
<dt>Phase</dt><dd>${PHASES[result.phase] ?? result.phase}</dd>
<dt>By</dt><dd>Tandem ${head.toolVersion}</dd>
</dl>
<p class="verdict ${result.ok ? 'ok' : 'blocks'}">${verdict}</p>
${findingList(result.findings)}
${sections.map(renderSection)}
</body>
</html>
`;
  return page.markup;
}

const PHASES: Readonly<Record<string, string>> = {
  draining: 'before the cutover',
  ready: 'before the cutover',
  baking: 'baking: the new tables serve, the retired ones are kept up to date',
  finished: 'finished: the retired tables are gone, and only the shape can be verified',
};

/** The comparison of rows, as a section like the others. */
function compared({ tables, phase }: VerifyResult): ReportSection {
  return {
    key: 'rows',
    title: 'Every column of every row',
    guide: phase === 'finished' ? 'the old tables are gone: nothing is left to compare with' : 'Data Integrity',
    columns: [
      { key: 'table', title: 'Table', kind: 'code' },
      { key: 'rows', title: 'Rows compared', kind: 'count' },
      { key: 'left_out', title: 'Just written, left to the drain', kind: 'count' },
      { key: 'differences', title: 'Differences', kind: 'count' },
      { key: 'took', title: 'Took', kind: 'milliseconds' },
      { key: 'verdict', title: '', kind: 'verdict' },
    ],
    rows: tables.map((table) => ({
      table: table.table,
      rows: table.rows,
      left_out: table.leftOut,
      differences: table.differences.length,
      took: table.elapsedMs,
      verdict: table.differences.length === 0 ? 'ok' : 'blocks',
    })),
    details: [],
    findings: [],
    elapsedMs: tables.reduce((sum, table) => sum + table.elapsedMs, 0),
  };
}

function findingList(findings: readonly Finding[]): Html {
  const order = ['blocks', 'warning', 'note'] as const;
  const sorted = findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
  return html`<ul>
${sorted.map(
  ({ severity, subject, message, hint }) =>
    html`<li class="${severity}"><b>${severity}</b> <span><code>${subject}</code>: ${message}${hint === undefined ? null : html`<br><small>${hint}</small>`}</span></li>
`,
)}</ul>`;
}

const NUMBERS: readonly ColumnKind[] = ['count', 'bytes', 'milliseconds'];

function renderSection({ title, guide, columns, rows, details }: ReportSection): Html {
  const shown = columns.filter(({ key, kind }) => kind === 'verdict' || isFilled(rows, key));
  const scales = scalesOf(shown, rows);
  const table = html`<div class="wide"><table>
<thead><tr>${shown.map(({ title: name, kind }) => html`<th class="${NUMBERS.includes(kind) ? 'number' : ''}">${name}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (
    row,
  ) => html`<tr${row['partition'] == null ? null : new Html(' class="part"')}>${shown.map((column) => renderCell(column, row, scales))}</tr>
`,
)}</tbody></table></div>`;
  return html`<h2>${title}</h2>
<p><small>${guide}</small></p>
${rows.length === 0 ? html`<p class="soft">Nothing to tell.</p>` : table}
${
  details.length === 0
    ? null
    : html`<details><summary>Statements and plans</summary>
${details.map(
  ({ title: name, text }) => html`<p><b>${name}</b></p><pre>${text}</pre>
`,
)}</details>`
}
`;
}

interface Scale {
  readonly most: number;
  /** The first column of a scale is drawn in colour, and what it is compared with in grey. */
  readonly first: string;
}

function scalesOf(columns: readonly ReportColumn[], rows: readonly ReportRow[]): Map<string, Scale> {
  const scales = new Map<string, Scale>();
  for (const { key, scale } of columns) {
    if (scale === undefined) continue;
    const most = Math.max(0, ...rows.map((row) => (typeof row[key] === 'number' ? row[key] : 0)));
    const known = scales.get(scale);
    scales.set(scale, { most: Math.max(most, known?.most ?? 0), first: known?.first ?? key });
  }
  return scales;
}

function renderCell(column: ReportColumn, row: ReportRow, scales: ReadonlyMap<string, Scale>): Html {
  const { key, kind, title } = column;
  const value = row[key];
  if (kind === 'verdict')
    return html`<td class="${String(value ?? 'ok')}" data-title="Verdict">${value == null ? '' : String(value)}</td>`;
  const text = formatCell(kind, value);
  const scale = column.scale === undefined ? undefined : scales.get(column.scale);
  const bar = scale && typeof value === 'number' ? drawBar(value / scale.most, scale.first === key) : null;
  const number = NUMBERS.includes(kind) ? 'number' : '';
  const empty = value === null || value === undefined ? ' empty' : '';
  return html`<td class="${number + empty}" data-title="${title}">${kind === 'code' ? html`<code>${text}</code>` : text}${bar}</td>`;
}

/** A bar as long as its share of the widest; never invisible where there is something. */
function drawBar(share: number, isFirst: boolean): Html {
  const width = Number.isFinite(share) && share > 0 ? Math.max(1, Math.round(share * 100)) : 0;
  return html`<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="${isFirst ? 'bar' : 'old'}" width="${width}" height="4"/></svg>`;
}
