import pc from 'picocolors';
import type { DemoReport } from './demo-report.ts';
import { count, ms, seconds } from './format.ts';
import { phases } from './latency.ts';
import { renderStrip } from './strip.ts';

const LABEL_WIDTH = 16;
const SHOWN = 5;

/**
 * The report of a demo for a terminal: several lines, no line break at the end. Colours follow the terminal and
 * NO_COLOR. For a program, the `DemoReport` itself is the JSON form.
 */
export function renderReport(report: DemoReport): string {
  const { migration, traffic, verification, ledger } = report;
  const stall = traffic.longestStall;
  const lines = [
    pc.bold(`Tandem demo, PostgreSQL ${report.serverVersion}`),
    '',
    row(
      'loaded',
      `${count(report.sessions)} sessions, ${count(report.messages)} messages in ${seconds(report.loadMs)}`,
    ),
    row(
      'moved',
      `${count(migration.rows)} rows in ${seconds(migration.elapsedMs)}, ${count(migration.rowsPerSecond)} rows/s`,
    ),
    row('locks held', `${ms(migration.cutoverLockMs)} at cutover`),
    row('longest wait', stall ? `${ms(stall.ms)} (${stall.statement}, ${stall.phase})` : 'none'),
    row('clients', `${report.clients} wrote all along, ${count(traffic.statements)} statements`),
    '',
    ...latencyTable(report),
    '',
    ...renderStrip(report).map((line) => `  ${line}`),
    '',
    outcome('statements refused', sum(traffic.errors), errorList(traffic.errors)),
    outcome('contradictory answers', traffic.contradictions, traffic.samples),
    outcome('rows that differ', verification.differences, verification.ok ? [] : ['verification is not green']),
    outcome('writes lost', ledger.differences.length, ledger.differences),
    pc.dim(
      `  ${count(ledger.checkedSessions)} sessions and ${count(ledger.checkedMessages)} messages compared with what the clients were told`,
    ),
    ...(traffic.uncertain > 0
      ? [pc.dim(`  ${count(traffic.uncertain)} statements were cut off unanswered; either outcome was accepted`)]
      : []),
    '',
    report.ok
      ? pc.green(pc.bold(`  Nothing lost. ${seconds(report.totalMs)} in all.`))
      : pc.red(pc.bold('  Not everything is right; see above.')),
  ];
  return lines.join('\n');
}

function latencyTable({ traffic }: DemoReport): string[] {
  const header = ['', 'statements', 'per second', 'p50', 'p99', 'max'];
  const body = phases.map((phase) => {
    const { count: statements, perSecond, p50, p99, max } = traffic.latency[phase];
    return [phase, count(statements), count(perSecond), ms(p50), ms(p99), ms(max)];
  });
  const widths = header.map((_, column) => Math.max(...[header, ...body].map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`;
  return [pc.dim(line(header)), ...body.map(line)];
}

function row(label: string, value: string): string {
  return `  ${pc.dim(label.padEnd(LABEL_WIDTH))}${value}`;
}

/** A number that must be 0, and what is behind it where it is not. */
function outcome(label: string, found: number, details: readonly string[]): string {
  const good = found === 0 && details.length === 0;
  const shown = details.slice(0, SHOWN).map((detail) => `\n      ${detail}`);
  const more = details.length > SHOWN ? `\n      and ${count(details.length - SHOWN)} more` : '';
  return `  ${good ? pc.green('✔') : pc.red('✘')} ${label.padEnd(LABEL_WIDTH + 8)}${count(found)}${shown.join('')}${more}`;
}

function errorList(errors: Readonly<Record<string, number>>): string[] {
  const byTimes = Object.entries(errors).sort(([, a], [, b]) => b - a);
  return byTimes.map(([sqlState, times]) => `${sqlState}: ${count(times)}`);
}

function sum(errors: Readonly<Record<string, number>>): number {
  return Object.values(errors).reduce((total, times) => total + times, 0);
}
