import { type Reading, tablesIn } from './changed-columns.ts';
import type { Description } from './describe-statement.ts';
import { applyEdits, type Edit } from './edits.ts';
import { type Explanation, explain } from './explain.ts';
import { copyMeaning } from './judge-copy.ts';
import { type KeptRefusal, keptRefusal } from './kept-preparation.ts';
import { otherMeanings } from './other-meaning.ts';
import { type Lookup, redirect } from './redirect.ts';
import { type Origin, type Problem, placeOf, type StatementReport, verdictOf } from './result.ts';
import type { Refusal, RehearsalSession } from './session.ts';
import type { Statement } from './syntax.ts';

/** A statement as it was found, and what is needed for the server to read it. */
export interface Subject {
  readonly origin: Origin;
  readonly statement: Statement;
  /** Characters before the statement as people know it: the `SELECT ` before an expression of a function. */
  readonly hidden: number;
  /** Makes it readable, on both shapes: variables become parameters. */
  readonly edits: readonly Edit[];
  /** Types of its parameters on either shape, 0 where they are to be inferred. */
  readonly types: { readonly today: readonly number[]; readonly after: readonly number[] };
  readonly variableChange: Reading['variableChange'];
  /** Applications prepare it once, and execute it for as long as a connection lasts. */
  readonly kept: boolean;
}

export interface Judgement {
  readonly report: StatementReport;
  /** What the statement takes and gives, today and afterwards; null where that is not known. */
  readonly today: Description | null;
  readonly after: Description | null;
}

export interface Judge {
  readonly session: RehearsalSession;
  readonly lookup: Lookup;
  readonly serverVersion: number;
  /** Targets with rows and statistics: the costs of plans can be compared. */
  readonly comparesCosts: boolean;
}

/** A plan this many times as expensive is named … */
const WORSE = 10;
/** … from this total cost on: below, it is a matter of a few pages. */
const COST_FLOOR = 1000;
/** What the rewriting for the rehearsal may cause by itself: two tables under one alias. */
const DUPLICATE_ALIAS = '42712';
const MENDS_TRIED = 8;

export const noVariables: Reading['variableChange'] = () => null;

/** What would become of a statement: parsed and planned on today's tables and on the new ones, and executed on neither. */
export async function judge(judge: Judge, subject: Subject): Promise<Judgement> {
  const { session } = judge;
  const { statement, edits, types } = subject;
  const redirection = redirect(statement, judge.lookup);
  const notUnderstood = (message: string, sqlstate: string | null): Judgement => ({
    report: reportOf(subject, [], { sqlstate, message }),
    today: null,
    after: null,
  });
  if (redirection.obstacle !== null) return notUnderstood(redirection.obstacle, null);
  const reading: Reading = { statement, references: redirection.references, variableChange: subject.variableChange };
  if (statement.root.type === 'CopyStmt') {
    const [table] = tablesIn(reading);
    const meaning = table ? copyMeaning(statement, table, judge.serverVersion) : null;
    const problems = meaning ? [await problem(judge, subject, reading, meaning)] : [];
    return { report: reportOf(subject, problems, null), today: null, after: null };
  }

  const today = await session.parse(applyEdits(statement.text, edits).text, types.today);
  if (!today.ok) return notUnderstood(today.refusal.message, today.refusal.sqlstate);
  const rewritten = applyEdits(statement.text, [...edits, ...redirection.edits]);
  const after = await session.parse(rewritten.text, types.after);
  if (!after.ok && after.refusal.sqlstate === DUPLICATE_ALIAS) {
    return notUnderstood('it has two tables of one name', after.refusal.sqlstate);
  }
  if (!after.ok) {
    const broken = await breaks(judge, subject, reading, after.refusal, originalIndex(rewritten, after.refusal));
    return { report: reportOf(subject, [broken], null), today: today.description, after: null };
  }

  const problems: Problem[] = [];
  const plannedToday = await session.plan(applyEdits(statement.text, edits).text, today.description.parameters);
  if (!plannedToday.ok) return notUnderstood(plannedToday.refusal.message, plannedToday.refusal.sqlstate);
  const plannedAfter = await session.plan(rewritten.text, after.description.parameters);
  if (!plannedAfter.ok) {
    const { refusal } = plannedAfter;
    problems.push(await breaks(judge, subject, reading, refusal, originalIndex(rewritten, refusal)));
  }
  for (const meaning of otherMeanings(reading)) problems.push(await problem(judge, subject, reading, meaning));
  if (subject.kept && !problems.some((p) => p.verdict === 'breaks')) {
    const kept = await session.parse(rewritten.text, today.description.parameters);
    const refused = keptRefusal(reading, today.description, kept);
    if (refused) problems.push(await problem(judge, subject, reading, asKept(subject, reading, rewritten, refused)));
  }
  if (judge.comparesCosts && plannedAfter.ok) problems.push(...slower(plannedToday.cost, plannedAfter.cost));
  return { report: reportOf(subject, problems, null), today: today.description, after: after.description };
}

export function reportOf(
  subject: Pick<Subject, 'origin' | 'statement' | 'hidden'>,
  problems: readonly Problem[],
  obstacle: StatementReport['obstacle'],
): StatementReport {
  return {
    origin: subject.origin,
    sql: subject.statement.text.slice(subject.hidden),
    verdict: obstacle === null ? verdictOf(problems) : 'not understood',
    obstacle,
    problems,
  };
}

type Rewritten = ReturnType<typeof applyEdits>;

function originalIndex(rewritten: Rewritten, refusal: Refusal): number | null {
  return refusal.index === null ? null : rewritten.toOriginal(refusal.index);
}

async function breaks(
  judge: Judge,
  subject: Subject,
  reading: Reading,
  refusal: Refusal,
  index: number | null,
): Promise<Problem> {
  const view = viewAt(reading, index);
  const explanation: Explanation = view
    ? {
        reason: `The view ${view}, which it reads, does not stand on the new shape.`,
        mend: 'Mend the view.',
        proposals: [],
        index: null,
      }
    : asPrinted(subject.origin, explain(reading, refusal, index));
  return problem(judge, subject, reading, {
    verdict: 'breaks',
    sqlstate: refusal.sqlstate,
    message: liveNames(reading, refusal.message),
    ...explanation,
    index: explanation.index ?? index,
  });
}

/** A view, a policy or a function with a parsed body is made again by the cutover: its mend is its owner's. */
function asPrinted(origin: Origin, explanation: Explanation): Explanation {
  if (origin.kind !== 'definition') return explanation;
  return {
    ...explanation,
    reason: `${explanation.reason} The cutover makes it again from the text that the server keeps.`,
    mend: 'Drop it before the cutover and create it again after it; or write `status::varchar::text`, which holds today and afterwards.',
    proposals: [],
  };
}

/** The server speaks of the targets by the names that they have today. */
function liveNames(reading: Reading, message: string): string {
  return tablesIn(reading).reduce(
    (text, { move }) => text.replaceAll(`"${move.target.name}"`, `"${move.source.name}"`),
    message,
  );
}

function viewAt(reading: Reading, index: number | null): string | null {
  const at = reading.references.find(({ node, standing }) => standing.kind === 'view' && node.location === index);
  return at?.standing.kind === 'view' ? `${at.standing.name.schema}.${at.standing.name.name}` : null;
}

interface Found extends Omit<Problem, 'place' | 'mended'> {
  readonly index: number | null;
  readonly proposals: Explanation['proposals'];
}

async function problem(judge: Judge, subject: Subject, reading: Reading, found: Found): Promise<Problem> {
  const { index, proposals, ...rest } = found;
  const { hidden, statement } = subject;
  return {
    verdict: rest.verdict,
    sqlstate: rest.sqlstate,
    message: rest.message,
    place: placeOf(statement.text.slice(hidden), index === null ? null : index - hidden),
    reason: rest.reason,
    mend: rest.mend,
    mended: await mended(judge, subject, reading, found),
  };
}

/**
 * Tries the proposals on the new shape, and goes on with what is still refused, until the whole statement is taken; then
 * tries that on today's. What is shown has been tried.
 */
async function mended(judge: Judge, subject: Subject, reading: Reading, found: Found): Promise<Problem['mended']> {
  const { statement, edits, types } = subject;
  const redirection = redirect(statement, judge.lookup).edits;
  const tryAfter = async (mends: readonly Edit[]) => {
    const text = applyEdits(statement.text, [...edits, ...redirection, ...mends]);
    const parsed = await judge.session.parse(text.text, types.after);
    if (!parsed.ok) return { refusal: parsed.refusal, index: originalIndex(text, parsed.refusal) };
    const planned = await judge.session.plan(text.text, parsed.description.parameters);
    return planned.ok ? null : { refusal: planned.refusal, index: null };
  };
  let mends: readonly Edit[] = [];
  let { proposals, index } = found;
  for (let tries = 0; tries < MENDS_TRIED; tries++) {
    let progress: { mends: readonly Edit[]; next: Awaited<ReturnType<typeof tryAfter>> } | null = null;
    for (const proposal of proposals) {
      if (proposal.length === 0) continue;
      const attempt = [...mends, ...proposal];
      const next = await tryAfter(attempt);
      if (next !== null && next.index === index) continue;
      progress = { mends: attempt, next };
      break;
    }
    if (progress === null) return null;
    mends = progress.mends;
    if (progress.next === null) {
      const today = await judge.session.parse(applyEdits(statement.text, [...edits, ...mends]).text, types.today);
      const planned = today.ok
        ? await judge.session.plan(applyEdits(statement.text, [...edits, ...mends]).text, today.description.parameters)
        : null;
      return { sql: applyEdits(statement.text, mends).text.slice(subject.hidden), holdsToday: planned?.ok ?? false };
    }
    ({ proposals } = explain(reading, progress.next.refusal, progress.next.index));
    index = progress.next.index;
  }
  return null;
}

function asKept({ origin }: Subject, reading: Reading, rewritten: Rewritten, refused: KeptRefusal): Found {
  const constant =
    origin.kind === 'pg_stat_statements' && refused.index !== null
      ? ' A $n that stands for a constant, as pg_stat_statements writes it, is no parameter and does no harm.'
      : '';
  return {
    ...refused,
    message: liveNames(reading, refused.message),
    reason: `${refused.reason}${constant}`,
    index: refused.index === null ? null : rewritten.toOriginal(refused.index),
  };
}

function slower(today: number, after: number): Problem[] {
  if (after < COST_FLOOR || after < WORSE * today) return [];
  return [
    {
      verdict: 'slower',
      sqlstate: null,
      message: `the planner’s cost grows from ${Math.round(today).toLocaleString('en')} to ${Math.round(after).toLocaleString('en')}`,
      place: null,
      reason: 'The new shape has no index that serves it as well, or it reads every partition.',
      mend: 'Name the partition key in WHERE where it is known, or create an index on the target before the cutover; EXPLAIN shows which part it is.',
      mended: null,
    },
  ];
}
