import { isTextCast, textCastsIn, withoutCast } from './casts.ts';
import { castEdit, changedAround, changedWithin, changeOf, type Reading, type TypeChange } from './changed-columns.ts';
import type { Edit } from './edits.ts';
import { ambiguousExplanation, insertExplanation, invalidLabelExplanation } from './explain-columns.ts';
import { conflictExplanation } from './explain-conflict.ts';
import type { Refusal } from './session.ts';
import { ancestors, childrenIn, namesIn, type SyntaxNode, text } from './syntax.ts';
import { describeType } from './tables.ts';

/** A refusal for people. */
export interface Explanation {
  /** Why the new shape refuses it. */
  readonly reason: string;
  readonly mend: string;
  /** Ways to mend the statement's text, the best first; each is tried before it is shown. */
  readonly proposals: readonly (readonly Edit[])[];
  /** Where it is, if better known than by the server. */
  readonly index: number | null;
}

/** SQLSTATEs of what a change of shape makes of statements. */
const UNDEFINED_FUNCTION = '42883';
const DATATYPE_MISMATCH = '42804';
const INVALID_TEXT = '22P02';
const NO_CONFLICT_TARGET = '42P10';
const AMBIGUOUS_COLUMN = '42702';
const CANNOT_COERCE = '42846';
const COMBINING = new Set(['CoalesceExpr', 'CaseExpr', 'MinMaxExpr']);

/** `index`: the place of the refusal in the statement as it was written. */
export function explain(reading: Reading, refusal: Refusal, index: number | null): Explanation {
  const at = reading.statement.nodes.filter((node) => index !== null && node.location === index);
  const found =
    (refusal.sqlstate === UNDEFINED_FUNCTION &&
      (operatorExplanation(reading, at) ?? functionExplanation(reading, at))) ||
    (refusal.sqlstate === DATATYPE_MISMATCH && (mixExplanation(reading, at) ?? assignmentExplanation(reading, at))) ||
    (refusal.sqlstate === INVALID_TEXT && invalidLabelExplanation(reading, at)) ||
    (refusal.sqlstate === NO_CONFLICT_TARGET && conflictExplanation(reading)) ||
    (refusal.sqlstate === AMBIGUOUS_COLUMN && ambiguousExplanation(reading, at)) ||
    (refusal.sqlstate === CANNOT_COERCE && coercionExplanation(reading, at)) ||
    insertExplanation(reading, refusal);
  if (found) return found;
  const changes = at.flatMap((node) => changedAround(reading, node));
  return {
    reason: changes[0] ? willBe(changes[0].change) : `On the new shape the server answers: ${refusal.message}.`,
    mend: refusal.hint ?? 'Write it so that it holds on both shapes, and rehearse again.',
    proposals: [
      castsOf(
        reading,
        changes.map((change) => change.node),
      ),
    ],
    index,
  };
}

/** `status` will be session_status, an enum of active, archived, deleted; today it is text. */
export function willBe(change: TypeChange): string {
  return `\`${change.name}\` will be ${describeType(change.to)}; today it is ${change.from.type}.`;
}

export function castsOf(reading: Reading, columns: readonly SyntaxNode[]): Edit[] {
  return columns.flatMap((column) => castEdit(reading.statement, column) ?? []);
}

function operatorExplanation(reading: Reading, at: readonly SyntaxNode[]): Explanation | null {
  const node = at.find((candidate) => candidate.type === 'A_Expr' || candidate.type === 'SubLink');
  if (node === undefined) return null;
  const changes = changedAround(reading, node);
  const [first] = changes;
  if (first === undefined) return null;
  const casts = textCastsIn(node);
  const dropped = casts.flatMap((cast) => withoutCast(reading.statement, cast) ?? []);
  const column = first.change.name;
  const operator = namesIn(node, 'name').at(-1) ?? '=';
  const pattern = ['AEXPR_LIKE', 'AEXPR_ILIKE', 'AEXPR_SIMILAR'].includes(text(node, 'kind') ?? '');
  const why = pattern
    ? 'Patterns are for text.'
    : casts.length > 0
      ? `The cast says that the other side is text, and there is no operator ${operator} between the two.`
      : `The other side is text, and there is no operator ${operator} between the two.`;
  const both = `Compare as text, \`${column}::text\`, which holds today and afterwards, but reads every partition and uses no index on the column`;
  return {
    reason: `${willBe(first.change)} ${why}`,
    mend:
      dropped.length > 0
        ? 'Leave the cast out: the server then takes the type from the column, today and afterwards. A driver that names parameter types itself must leave this one unspecified.'
        : pattern
          ? `${both}; or list the values: \`${column} IN (…)\`.`
          : `${both}; or, after the cutover, cast the other side to the column’s type.`,
    proposals: [
      dropped,
      castsOf(
        reading,
        changes.map((change) => change.node),
      ),
    ],
    index: null,
  };
}

function functionExplanation(reading: Reading, at: readonly SyntaxNode[]): Explanation | null {
  const node = at.find((candidate) => candidate.type === 'FuncCall');
  const changes = node === undefined ? [] : changedAround(reading, node);
  const [first] = changes;
  if (node === undefined || first === undefined) return null;
  return {
    reason: `${willBe(first.change)} There is no function ${namesIn(node, 'funcname').at(-1)} for that type.`,
    mend: `Hand it over as text: \`${first.change.name}::text\`, which holds today and afterwards.`,
    proposals: [
      castsOf(
        reading,
        changes.map((change) => change.node),
      ),
    ],
    index: null,
  };
}

/** COALESCE, CASE, GREATEST, UNION and the like, which want one type of all their values. */
function mixExplanation(reading: Reading, at: readonly SyntaxNode[]): Explanation | null {
  for (const node of at) {
    const around = [node, ...ancestors(node)];
    const combining = around.find((up) => COMBINING.has(up.type));
    const select = around.findLast(
      (up) => up.type === 'SelectStmt' && (text(up, 'op') ?? 'SETOP_NONE') !== 'SETOP_NONE',
    );
    const changes =
      combining !== undefined
        ? changedWithin(reading, combining)
        : select
          ? changedInSameColumn(reading, node, select)
          : [];
    const [first] = changes;
    if (first === undefined) continue;
    return {
      reason: `${willBe(first.change)} ${combining ? 'COALESCE, CASE and the like' : 'UNION and the like'} want one type of all their values, and the others are text.`,
      mend: `Make it text in this place: \`${first.change.name}::text\`, which holds today and afterwards.`,
      proposals: [
        castsOf(
          reading,
          changes.map((change) => change.node),
        ),
      ],
      index: null,
    };
  }
  return null;
}

/** The changing columns that stand in the same place of each SELECT of a set operation. */
function changedInSameColumn(reading: Reading, node: SyntaxNode, operation: SyntaxNode) {
  const target = [node, ...ancestors(node)].find((up) => up.type === 'ResTarget');
  const place = target?.parent ? childrenIn(target.parent, 'targetList').indexOf(target) : -1;
  const leaves = (select: SyntaxNode): SyntaxNode[] => {
    const parts = [...childrenIn(select, 'larg'), ...childrenIn(select, 'rarg')];
    return parts.length === 0 ? [select] : parts.flatMap(leaves);
  };
  return leaves(operation).flatMap((leaf) => {
    const column = childrenIn(leaf, 'targetList')[place];
    return column === undefined ? [] : changedWithin(reading, column);
  });
}

/** Written to a column that text is converted for, and nothing else. */
function assignmentExplanation(reading: Reading, at: readonly SyntaxNode[]): Explanation | null {
  const cast = at.flatMap((node) => [node, ...ancestors(node).slice(0, 1)]).find(isTextCast);
  if (cast === undefined) return null;
  const dropped = withoutCast(reading.statement, cast);
  return {
    reason: 'The column will be an enum. What is written to it is converted from text, and from no other type.',
    mend: 'Leave the cast out, or cast to text.',
    proposals: dropped === null ? [] : [[dropped]],
    index: null,
  };
}

function coercionExplanation(reading: Reading, at: readonly SyntaxNode[]): Explanation | null {
  const cast = at.find((node) => node.type === 'TypeCast');
  const column = cast?.children.find((child) => changeOf(reading, child) !== null);
  const change = column === undefined ? null : changeOf(reading, column);
  if (!cast || !column || change === null || cast.location === null) return null;
  return {
    reason: `${willBe(change)} It cannot be cast like that.`,
    mend: `Go by way of text: \`${change.name}::text::…\`, which holds today and afterwards.`,
    proposals: reading.statement.text.startsWith('::', cast.location)
      ? [[{ start: cast.location, end: cast.location, text: '::text' }]]
      : [],
    index: null,
  };
}
