/** One thing that Tandem must reach. */
export interface Goal {
  readonly what: string;
  readonly measured: number;
  readonly limit: number;
  readonly unit: '×' | 'ms' | 'MB' | '%' | 'queries';
  /** The numbers behind it, in words. */
  readonly detail: string;
}

/** Something worth knowing that has no limit. */
export interface Figure {
  readonly what: string;
  readonly measured: number;
  readonly unit: string;
}

export interface Section {
  readonly goals: readonly Goal[];
  readonly figures: readonly Figure[];
}

/** A value that was not measured (NaN) reaches nothing. */
export function isReached(goal: Goal): boolean {
  return goal.measured <= goal.limit;
}

/** A table of the goals, and the figures below it. */
export function renderReport({ goals, figures }: Section): string {
  const rows = goals.map((goal) => [
    isReached(goal) ? 'ok' : 'MISSED',
    goal.what,
    `${round(goal.measured)} ${goal.unit}`,
    `≤ ${round(goal.limit)} ${goal.unit}`,
    goal.detail,
  ]);
  const others = figures.map((figure) => ['', figure.what, `${round(figure.measured)} ${figure.unit}`]);
  return `${columns([['', 'what', 'measured', 'goal', ''], ...rows])}\n\n${columns(others)}`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function round(value: number): string {
  if (Number.isNaN(value)) return 'not measured';
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
}
