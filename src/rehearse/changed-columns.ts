import type { Edit } from './edits.ts';
import type { Reference } from './redirect.ts';
import {
  childIn,
  childrenIn,
  endOfName,
  namesIn,
  type Statement,
  type SyntaxNode,
  subtree,
  text,
  tokenAt,
} from './syntax.ts';
import { type MovedTable, type RetypedColumn, retypedColumns, type ShapeColumn } from './tables.ts';

/** A column, or a variable bound to one, whose type changes at cutover. */
export interface TypeChange {
  /** As the statement says it. */
  readonly name: string;
  readonly from: ShapeColumn;
  readonly to: ShapeColumn;
}

/** A statement with what it says of moved tables. */
export interface Reading {
  readonly statement: Statement;
  readonly references: readonly Reference[];
  /** What a ColumnRef means that is a function's variable, and changes its type: `NEW.status`. */
  readonly variableChange: (node: SyntaxNode) => Pick<TypeChange, 'from' | 'to'> | null;
}

/** The moved tables that it names, each once. */
export function tablesIn({ references }: Reading): MovedTable[] {
  return [...new Set(references.flatMap(({ standing }) => (standing.kind === 'table' ? [standing.table] : [])))];
}

export function retypedIn(reading: Reading): RetypedColumn[] {
  return tablesIn(reading).flatMap(retypedColumns);
}

/**
 * The change of the column that a ColumnRef means; null where it means none that changes. Columns that come through a
 * sub-select or a view are recognised by their name.
 */
export function changeOf(reading: Reading, node: SyntaxNode): TypeChange | null {
  if (node.type !== 'ColumnRef') return null;
  const names = namesIn(node, 'fields');
  const [column, qualifier] = [names.at(-1), names.at(-2)];
  const name = writtenName(reading.statement, node);
  const variable = reading.variableChange(node);
  if (variable !== null) return { name, ...variable };
  const candidates = retypedIn(reading).filter((retyped) => retyped.name === column);
  const own = reading.references.find((reference) => reference.alias === qualifier);
  if (own?.standing.kind === 'table') {
    const { table } = own.standing;
    const found = candidates.find((candidate) => candidate.table === table);
    return found ? { name, from: found.from, to: found.to } : null;
  }
  const [candidate] = candidates;
  if (candidate === undefined || (own === undefined && qualifier !== undefined && isOtherTable(reading, qualifier))) {
    return null;
  }
  return { name, from: candidate.from, to: candidate.to };
}

function writtenName({ text: sql, tokens }: Statement, column: SyntaxNode): string {
  const end = endOfName(tokens, tokenAt(tokens, column.location), namesIn(column, 'fields').length);
  return column.location === null || end === null ? '' : sql.slice(column.location, end.end);
}

function isOtherTable(reading: Reading, alias: string): boolean {
  const own = new Set(reading.references.map((reference) => reference.node));
  return reading.statement.nodes.some(
    (node) =>
      node.type === 'RangeVar' &&
      !own.has(node) &&
      (text(childIn(node, 'alias'), 'aliasname') ?? text(node, 'relname')) === alias,
  );
}

/** Nodes whose value is the value of one of their parts, and the fields of those parts. */
const PASSING: Readonly<Record<string, readonly string[]>> = {
  A_Expr: ['lexpr', 'rexpr'],
  RowExpr: ['args'],
  List: ['items'],
  A_ArrayExpr: ['elements'],
  CollateClause: ['arg'],
  CoalesceExpr: ['args'],
  MinMaxExpr: ['args'],
  CaseExpr: ['args', 'defresult'],
  CaseWhen: ['result'],
  SubLink: ['testexpr', 'subselect'],
  SelectStmt: ['targetList', 'larg', 'rarg', 'valuesLists'],
  ResTarget: ['val'],
  FuncCall: ['args'],
};

/** The changing columns whose values a node compares, combines or returns, and not those that it merely mentions. */
export function changedWithin(reading: Reading, node: SyntaxNode): { node: SyntaxNode; change: TypeChange }[] {
  const change = changeOf(reading, node);
  if (change !== null) return [{ node, change }];
  const inner = (PASSING[node.type] ?? []).flatMap((field) => childrenIn(node, field));
  return inner.flatMap((child) => changedWithin(reading, child));
}

/** As `changedWithin`, and where that finds none, whatever column is mentioned. */
export function changedAround(reading: Reading, node: SyntaxNode): { node: SyntaxNode; change: TypeChange }[] {
  const within = changedWithin(reading, node);
  if (within.length > 0) return within;
  return subtree(node).flatMap((below) => {
    const change = changeOf(reading, below);
    return change === null ? [] : [{ node: below, change }];
  });
}

/** `status` → `status::text`; null where the column is not where it was looked for, or the cast is written already. */
export function castEdit(statement: Statement, column: SyntaxNode): Edit | null {
  const first = tokenAt(statement.tokens, column.location);
  const last = endOfName(statement.tokens, first, namesIn(column, 'fields').length);
  if (first === -1 || last === null || column.parent?.type === 'TypeCast') return null;
  return { start: last.end, end: last.end, text: '::text' };
}
