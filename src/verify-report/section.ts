import { isConnectionLoss, sqlStateOf } from '../db/sqlstate.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportSection } from '../engine/report.ts';

export type SectionHead = Pick<ReportSection, 'key' | 'title' | 'guide' | 'columns'>;
export type SectionBody = Pick<ReportSection, 'rows' | 'findings'> & Partial<Pick<ReportSection, 'details'>>;

/** The statement ran out of time, its locks were not to be had, or the role may not ask: nothing was found out. */
const NOT_LOOKED_AT = new Set(['57014', '55P03', '42501']);

/** What an error of the server means for what was being looked at: a finding. Whatever else was thrown is thrown on. */
export function errorAsFinding(error: unknown, subject: string): Finding {
  const state = sqlStateOf(error);
  if (state === null || isConnectionLoss(error) || !(error instanceof Error)) throw error;
  if (NOT_LOOKED_AT.has(state))
    return { severity: 'warning', subject, message: `could not be looked at: ${error.message}` };
  return { severity: 'blocks', subject, message: `cannot be read: ${error.message}` };
}

/** Makes a section, with what the server refused on the way as a finding of it: the sections after it are still made. */
export async function makeSection(head: SectionHead, work: () => Promise<SectionBody>): Promise<ReportSection> {
  const startedAt = performance.now();
  let body: SectionBody;
  try {
    body = await work();
  } catch (error) {
    body = { rows: [], findings: [errorAsFinding(error, head.title)] };
  }
  return { details: [], ...head, ...body, elapsedMs: Math.round(performance.now() - startedAt) };
}

/** The verdict on a row: the worst of its findings. */
export function verdictOf(findings: readonly Finding[]): 'ok' | Finding['severity'] {
  for (const severity of ['blocks', 'warning', 'note'] as const)
    if (findings.some((f) => f.severity === severity)) return severity;
  return 'ok';
}

export const VERDICT = { key: 'verdict', title: '', kind: 'verdict' } as const;
