import type { Colors } from 'picocolors/types.js';
import type { Origin, Problem, Rehearsal, StatementReport, Verdict } from './result.ts';

/** Where the text of a line begins. */
const INDENT = ' '.repeat(11);
const LABEL = 7;
const WIDEST = 110;
/** A statement of so many lines is shown whole; of a longer one, the lines above the caret. */
const WHOLE = 10;
const LINES_ABOVE = 3;
const ELLIPSIS = '…';

/** In the order in which they are shown; what holds is not. */
const HEADINGS: readonly (readonly [Verdict, string])[] = [
  ['breaks', 'Refused by the new shape:'],
  ['changes', 'Taken, but not with the meaning of today:'],
  ['slower', 'Planned at ten times the cost, or more:'],
  ['reconnect', 'Refused only on connections that prepared them before the cutover:'],
  ['not understood', 'Not rehearsed:'],
];

/** The rehearsal as a person reads it: each statement with a caret, why it is refused, and how it is mended. */
export function renderRehearsal(rehearsal: Rehearsal, pc: Colors, columns: number): string {
  const width = Math.min(Math.max(columns, 60), WIDEST);
  const lines: string[] = [];
  for (const [verdict, heading] of HEADINGS) {
    const reports = rehearsal.statements.filter((report) => report.verdict === verdict);
    if (reports.length === 0) continue;
    lines.push(pc.bold(heading), '');
    for (const report of reports) lines.push(...renderStatement(report, pc, width), '');
  }
  lines.push(...rehearsal.sources.map((source) => pc.dim(source)), ...summary(rehearsal, pc, width));
  return lines.join('\n');
}

function summary({ counts, ok, targets }: Rehearsal, pc: Colors, width: number): string[] {
  const of = `of ${counts.rehearsed} ${counts.rehearsed === 1 ? 'statement' : 'statements'}`;
  const made =
    targets === 'made'
      ? wrapped(
          'Rehearsed on empty tables, made for it and rolled back: costs are compared once a run has filled them.',
          width,
          '',
        )
      : [];
  if (!ok) {
    return [
      ...made,
      pc.red(`${counts.breaks} ${of} would break at cutover, and ${counts.changes} would mean something else.`),
    ];
  }
  const reconnect =
    counts.reconnect > 0
      ? ` ${counts.reconnect} ${counts.reconnect === 1 ? 'needs' : 'need'} connections made after it.`
      : '';
  return [...made, pc.green(`None ${of} would break at cutover.${reconnect}`)];
}

const COLOURS: Readonly<Record<Verdict, (pc: Colors) => (text: string) => string>> = {
  breaks: (pc) => pc.red,
  changes: (pc) => pc.red,
  slower: (pc) => pc.yellow,
  reconnect: (pc) => pc.yellow,
  'not understood': (pc) => pc.dim,
  holds: (pc) => pc.green,
};

function renderStatement(report: StatementReport, pc: Colors, width: number): string[] {
  const [first] = report.problems;
  const label = COLOURS[report.verdict](pc)((report.verdict === 'not understood' ? '?' : report.verdict).padEnd(9));
  const lines = withCaret(report.sql, first?.place ?? null, width - INDENT.length, pc);
  const from = field('from', describeOrigin(report.origin), width, pc.dim);
  const known = report.obstacle;
  return [
    ...lines.map((line, i) => (i === 0 ? `${label}  ${line}` : `${INDENT}${line}`)),
    ...from,
    ...(known ? field('why', `${known.sqlstate ? `${known.sqlstate} ` : ''}${known.message}`, width, pc.dim) : []),
    ...report.problems.flatMap((problem) => renderProblem(problem, pc, width)),
  ];
}

function renderProblem(problem: Problem, pc: Colors, width: number): string[] {
  const { sqlstate, message, reason, mend, mended } = problem;
  const tried = mended?.holdsToday ? 'holds today and afterwards' : 'holds afterwards, not today';
  return [
    ...field(sqlstate ?? 'then', message, width, COLOURS[problem.verdict](pc)),
    ...field('why', reason, width, pc.dim),
    ...field('mend', mend, width, pc.cyan),
    ...(mended === null ? [] : field('tried', `${oneLine(mended.sql)} (${tried})`, width, pc.green)),
  ];
}

export function describeOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'file':
      return `${origin.file}, statement ${origin.number}`;
    case 'pg_stat_statements':
      return `pg_stat_statements, ${origin.calls.toLocaleString('en')} ${origin.calls === 1 ? 'call' : 'calls'} by ${origin.roles.join(', ')}`;
    case 'function':
      return `function ${origin.name}${origin.line === null ? '' : `, line ${origin.line} of its body`}`;
    case 'definition':
      return origin.name;
  }
}

function field(label: string, text: string, width: number, colour: (text: string) => string): string[] {
  const lines = wrapped(text, width - INDENT.length - LABEL, '');
  return lines.map((line, i) => `${INDENT}${i === 0 ? colour(label.padEnd(LABEL)) : ' '.repeat(LABEL)}${line}`);
}

/** Breaks at spaces; a word that is too long stays whole, so that it can be copied. */
function wrapped(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, indent + line];
}

/** The statement's lines around the place, and a caret below it; without a place, its beginning. */
function withCaret(sql: string, place: Problem['place'], width: number, pc: Colors): string[] {
  const lines = sql.split('\n');
  if (place === null) {
    const shown = lines.slice(0, lines.length <= WHOLE ? WHOLE : LINES_ABOVE).map((line) => cut(line, 0, width).text);
    return lines.length > shown.length ? [...shown, ELLIPSIS] : shown;
  }
  const at = place.line - 1;
  const whole = lines.length <= WHOLE;
  const from = whole ? 0 : Math.max(0, at - LINES_ABOVE);
  const above = lines.slice(from, at).map((line) => cut(line, 0, width).text);
  const { text, shift } = cut(lines[at] ?? '', place.column - 1, width);
  const caret = `${' '.repeat(Math.max(0, place.column - 1 - shift))}${pc.red('^')}`;
  const below = whole ? lines.slice(at + 1).map((line) => cut(line, 0, width).text) : [ELLIPSIS];
  return [...(from > 0 ? [ELLIPSIS] : []), ...above, text, caret, ...(at < lines.length - 1 ? below : [])];
}

/** A line no wider than `width`, of which the column is in sight; `shift`: columns that went on the left. */
function cut(line: string, column: number, width: number): { text: string; shift: number } {
  const characters = [...line.replaceAll('\t', ' ')];
  if (characters.length <= width) return { text: characters.join(''), shift: 0 };
  const inner = width - 2 * ELLIPSIS.length;
  const start = Math.max(0, Math.min(column - Math.floor(inner / 2), characters.length - inner));
  const text = characters.slice(start, start + inner).join('');
  const [left, right] = [start > 0 ? ELLIPSIS : '', start + inner < characters.length ? ELLIPSIS : ''];
  return { text: `${left}${text}${right}`, shift: start - left.length };
}

function oneLine(sql: string): string {
  return sql.includes('--') ? sql : sql.replaceAll(/\s*\n\s*/g, ' ');
}
