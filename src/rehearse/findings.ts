import type { Finding } from '../engine/events.ts';
import { describeOrigin } from './report.ts';
import type { Rehearsal, StatementReport } from './result.ts';

/** So many statements are named one by one; the rest is a number. */
const NAMED = 10;
const SHOWN_SQL = 120;

/** What a run says of a rehearsal: the statements that would break, and in one sentence each what else there is. */
export function rehearsalFindings(rehearsal: Rehearsal, severity: 'warning' | 'blocks'): Finding[] {
  const { counts, statements } = rehearsal;
  const of = (...verdicts: StatementReport['verdict'][]) =>
    statements.filter((report) => verdicts.includes(report.verdict));
  const broken = of('breaks', 'changes');
  const findings: Finding[] = broken.slice(0, NAMED).map((report) => ({ severity, ...finding(report) }));
  if (broken.length > NAMED) {
    findings.push({
      severity,
      subject: 'application',
      message: `${broken.length - NAMED} more statements would break at cutover, or mean something else`,
      hint: '`tandem rehearse` lists them all.',
    });
  }
  findings.push(
    ...of('slower')
      .slice(0, NAMED)
      .map((report) => ({ severity: 'warning' as const, ...finding(report) })),
  );
  if (counts.reconnect > 0) {
    findings.push({
      severity: 'note',
      subject: 'application',
      message: `${counts.reconnect} statements are refused after the cutover on connections that prepared them before it`,
      hint: 'Let the application open new connections then. `tandem rehearse` lists the statements.',
    });
  }
  return findings;
}

function finding(report: StatementReport): Omit<Finding, 'severity'> {
  const [problem] = report.problems;
  const sql = report.sql.replaceAll(/\s+/g, ' ').trim();
  return {
    subject: describeOrigin(report.origin),
    message: `${sql.length > SHOWN_SQL ? `${sql.slice(0, SHOWN_SQL)}…` : sql}: ${problem?.reason ?? report.verdict}`,
    ...(problem ? { hint: problem.mend } : {}),
  };
}
