/** What would become of a statement at cutover, the worst first. */
export const verdicts = ['breaks', 'changes', 'reconnect', 'slower', 'not understood', 'holds'] as const;
/**
 * `breaks`: refused by the server. `changes`: taken, but does something else. `reconnect`: holds, but not for
 * connections that prepared it before the cutover. `slower`: holds, and is planned at ten times the cost.
 */
export type Verdict = (typeof verdicts)[number];

export type Origin =
  | { readonly kind: 'file'; readonly file: string; readonly number: number }
  | { readonly kind: 'pg_stat_statements'; readonly calls: number; readonly roles: readonly string[] }
  | { readonly kind: 'function'; readonly name: string; readonly line: number | null }
  /** A view or a policy that the cutover makes again from the server's own text. */
  | { readonly kind: 'definition'; readonly name: string };

export interface Problem {
  readonly verdict: 'breaks' | 'changes' | 'reconnect' | 'slower';
  /** The server's answer on the new shape; null where it takes the statement. */
  readonly sqlstate: string | null;
  readonly message: string;
  /** Where in the statement: offset, line and column, from 1; null where no place is known. */
  readonly place: Place | null;
  /** Why, in plain words. */
  readonly reason: string;
  readonly mend: string;
  /** The statement mended, as it was tried on the new shape and on today's; null where there is no such proposal. */
  readonly mended: { readonly sql: string; readonly holdsToday: boolean } | null;
}

export interface Place {
  readonly position: number;
  readonly line: number;
  readonly column: number;
}

export interface StatementReport {
  readonly origin: Origin;
  readonly sql: string;
  readonly verdict: Verdict;
  /** Why it could not be rehearsed; null where it could. */
  readonly obstacle: { readonly sqlstate: string | null; readonly message: string } | null;
  readonly problems: readonly Problem[];
}

export interface Rehearsal {
  /** Of this document's form. */
  readonly version: 1;
  /** No statement would break, nor do something else. */
  readonly ok: boolean;
  /** `run`: those of the run that is under way; `made`: empty ones, made for the rehearsal and rolled back. */
  readonly targets: 'run' | 'made';
  readonly tables: readonly { readonly source: string; readonly target: string }[];
  readonly counts: Readonly<Record<Verdict, number>> & { readonly rehearsed: number };
  /** What was looked through, in sentences, with what was left out of it. */
  readonly sources: readonly string[];
  readonly statements: readonly StatementReport[];
}

/** The worst of a statement's problems. */
export function verdictOf(problems: readonly Problem[]): Verdict {
  return verdicts.find((verdict) => problems.some((problem) => problem.verdict === verdict)) ?? 'holds';
}

/** Offset → line and column, counted in characters from 1. */
export function placeOf(sql: string, index: number | null): Place | null {
  if (index === null || index < 0 || index > sql.length) return null;
  const before = sql.slice(0, index);
  const line = before.split('\n');
  return { position: [...before].length + 1, line: line.length, column: [...(line.at(-1) ?? '')].length + 1 };
}
