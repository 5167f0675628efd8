import { type Binding, bindVariables, type Scope } from './bind-variables.ts';
import type { TypeChange } from './changed-columns.ts';
import { applyEdits } from './edits.ts';
import { type Judge, type Judgement, judge, reportOf, type Subject } from './judge.ts';
import type { Landscape } from './landscape.ts';
import type { FunctionSource } from './read-functions.ts';
import { redirect } from './redirect.ts';
import { type Origin, type Problem, placeOf, type StatementReport, verdictOf } from './result.ts';
import type { SqlParser } from './sql-parser.ts';
import { namesIn, type Statement, type SyntaxNode } from './syntax.ts';
import { addedColumns, type MovedTable } from './tables.ts';
import type { TypePair, Variable } from './variables.ts';

/** A function whose body is being rehearsed. */
export interface FunctionWork {
  readonly judge: Judge;
  readonly parser: SqlParser;
  readonly landscape: Landscape;
  readonly source: FunctionSource;
  /** Where a name in a statement is a variable's and a column's: the function fails, or the column is meant. */
  readonly onConflict: 'fails' | 'column' | 'variable';
}

export type Judged = Omit<Judgement, 'report'> & { readonly report: StatementReport | null };

/** What `$1`, `$2`, … are: in plpgsql, OUT arguments count. */
function argumentTypes({ language, allTypes, argumentTypes }: FunctionSource): TypePair[] {
  return ((language === 'plpgsql' ? allTypes : null) ?? argumentTypes).map((oid) => ({ today: oid, after: oid }));
}

/** Null where the piece does not concern the moved tables; its types are told all the same. */
export async function rehearsePiece(
  work: FunctionWork,
  statement: Statement,
  hidden: number,
  line: number | null,
  variables: ReadonlyMap<string, Variable>,
  parameters: readonly TypePair[] | null = null,
): Promise<Judged | null> {
  const { judge: on } = work;
  const scope: Scope = {
    variables,
    arguments: parameters ?? argumentTypes(work.source),
    variablesFirst: work.onConflict === 'variable',
  };
  const references = redirect(statement, on.lookup).references;
  const binding = await bindVariables(on.session, statement, scope);
  if (!binding.ok) {
    const { sqlstate, message } = binding.refusal;
    return references.length === 0 ? null : withoutRehearsal(work, statement, hidden, line, message, sqlstate);
  }
  const changing = binding.bound.filter((name) => name.type.today !== name.type.after);
  const rows = scope.arguments.some((type) => type.today !== type.after);
  if (references.length === 0 && changing.length === 0 && !rows) {
    const attempt = await on.session.parse(
      applyEdits(
        statement.text,
        binding.bound.map((b) => b.edit),
      ).text,
      binding.types.today,
    );
    const description = attempt.ok ? attempt.description : null;
    return { report: null, today: description, after: description };
  }
  const subject: Subject = {
    origin: originOf(work.source, line),
    statement,
    hidden,
    edits: binding.bound.map((b) => b.edit),
    types: binding.types,
    variableChange: (node) => variableChange(work.landscape.tables, binding, node),
    kept: false,
  };
  const judged = await judge(on, subject);
  const hiding = work.onConflict === 'variable' ? [] : await hidingColumns(work, subject, binding.bound);
  if (hiding.length === 0 || judged.report.obstacle !== null) return judged;
  const problems = [...judged.report.problems, ...hiding];
  return { ...judged, report: { ...judged.report, problems, verdict: verdictOf(problems) } };
}

function originOf(source: FunctionSource, line: number | null): Origin {
  // BEGIN ATOMIC is kept parsed, and made again at cutover from what the server prints.
  if (source.atomic) return { kind: 'definition', name: `function ${source.name}` };
  return { kind: 'function', name: source.name, line };
}

/** Counted, with the reason why it was not rehearsed. */
export function withoutRehearsal(
  { source }: FunctionWork,
  statement: Statement,
  hidden: number,
  line: number | null,
  message: string,
  sqlstate: string | null = null,
): Judged {
  return {
    report: reportOf({ origin: originOf(source, line), statement, hidden }, [], { sqlstate, message }),
    today: null,
    after: null,
  };
}

/** For the reasons: what the variable was and will be, by the column that its type is taken from. */
function variableChange(
  tables: readonly MovedTable[],
  binding: Extract<Binding, { ok: true }>,
  node: SyntaxNode,
): Pick<TypeChange, 'from' | 'to'> | null {
  const type = binding.bound.find((bound) => bound.node === node)?.type;
  if (type === undefined || type.today === type.after) return null;
  const from = tables.flatMap((table) => table.today.columns).find((column) => column.typeOid === type.today);
  const to = tables.flatMap((table) => table.after.columns).find((column) => column.typeOid === type.after);
  return from && to ? { from, to } : null;
}

/** A new column of a moved table takes the name of a variable: the function fails, or means the column from then on. */
async function hidingColumns(
  work: FunctionWork,
  subject: Subject,
  bound: Extract<Binding, { ok: true }>['bound'],
): Promise<Problem[]> {
  const { judge: on } = work;
  const redirection = redirect(subject.statement, on.lookup);
  const tables = redirection.references.flatMap(({ standing }) => (standing.kind === 'table' ? [standing.table] : []));
  const problems: Problem[] = [];
  for (const name of bound) {
    const [single, ...more] = name.names;
    const table = tables.find((candidate) => addedColumns(candidate).includes(single ?? ''));
    if (!table || more.length > 0 || namesIn(name.node, 'fields').length > 1 || single === undefined) continue;
    const others = bound.filter((b) => b.edit.start !== name.edit.start).map((b) => b.edit);
    const edited = applyEdits(subject.statement.text, [...others, ...redirection.edits]);
    const attempt = await on.session.parse(edited.text, subject.types.after);
    // Refused in this place: there is no such column here, and the variable is meant as before.
    if (
      !attempt.ok &&
      attempt.refusal.index !== null &&
      edited.toOriginal(attempt.refusal.index) === name.node.location
    )
      continue;
    const fails = work.onConflict === 'fails';
    problems.push({
      verdict: fails ? 'breaks' : 'changes',
      sqlstate: fails ? '42702' : null,
      message: fails ? `column reference "${single}" is ambiguous` : `${single} means the column`,
      place: placeOf(subject.statement.text.slice(subject.hidden), (name.node.location ?? 0) - subject.hidden),
      reason: `The new ${table.move.source.schema}.${table.move.source.name} has a column \`${single}\`, and the function has a variable of that name.${fails ? ' It fails when it is called.' : ' From then on the column is meant.'}`,
      mend: `Say which is meant: \`${work.source.bareName}.${single}\` is the variable, which holds today and afterwards.`,
      mended: null,
    });
  }
  return problems;
}
