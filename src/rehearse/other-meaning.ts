import { displayName } from '../db/identifier.ts';
import { castEdit, changeOf, type Reading, type TypeChange } from './changed-columns.ts';
import type { Edit } from './edits.ts';
import type { Reference } from './redirect.ts';
import {
  ancestors,
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
import type { MovedTable } from './tables.ts';
import { writtenName } from './written-name.ts';

/** Something that the server takes when it parses and plans, and that does not do afterwards what it does today. */
export interface OtherMeaning {
  readonly verdict: 'breaks' | 'changes';
  /** With which it is refused when it is executed; null where it is not. */
  readonly sqlstate: string | null;
  readonly message: string;
  readonly index: number | null;
  readonly reason: string;
  readonly mend: string;
  readonly proposals: readonly (readonly Edit[])[];
}

interface TableReference extends Reference {
  readonly table: MovedTable;
}

/** What no parser refuses. Each rule says what was seen to happen on the new shape. */
export function otherMeanings(reading: Reading): OtherMeaning[] {
  const references = reading.references.flatMap((reference) =>
    reference.standing.kind === 'table' && reference.node.type === 'RangeVar'
      ? [{ ...reference, table: reference.standing.table }]
      : [],
  );
  return [
    ...references.flatMap((reference) => readsOnlyTheParent(reading.statement, reference)),
    ...references.flatMap((reference) => insertsByPosition(reading.statement, reference)),
    ...references.flatMap((reference) => returnsSystemColumn(reference)),
    ...references.flatMap((reference) => ignoresConflicts(reference)),
    ...sortsByLabel(reading),
  ];
}

/** ONLY leaves the partitions out, and that is where the rows are. */
function readsOnlyTheParent({ tokens }: Statement, { node, table }: TableReference): OtherMeaning[] {
  if (node.values.inh === true || !table.after.partitioned) return [];
  const first = tokenAt(tokens, node.location);
  const only = [tokens[first - 1], tokens[first - 2]].find((token) => token?.text.toUpperCase() === 'ONLY');
  const parenthesised = tokens[first - 1]?.text === '(';
  return [
    {
      verdict: 'changes',
      sqlstate: null,
      message: `ONLY ${displayName(table.move.source)} has no rows`,
      index: only?.start ?? node.location,
      reason: `${displayName(table.move.source)} will be partitioned. ONLY leaves the partitions out, and all rows are in them: it finds none.`,
      mend: 'Leave ONLY out, which holds today and afterwards.',
      proposals:
        only && !parenthesised ? [[{ start: only.start, end: tokens[first]?.start ?? only.end, text: '' }]] : [],
    },
  ];
}

/** INSERT without a list of columns, where the new table has others in their places. */
function insertsByPosition({ tokens }: Statement, { node, table }: TableReference): OtherMeaning[] {
  const insert = node.parent;
  const query = insert === null ? null : childIn(insert, 'selectStmt');
  if (insert?.type !== 'InsertStmt' || query === null || childrenIn(insert, 'cols').length > 0) return [];
  const width = widthOf(query);
  // What a star gives of the table itself is in its new order, too.
  const sources = subtree(query).filter((below) => below.type === 'RangeVar');
  if (width === null && sources.length === 1 && isTable(sources[0], table)) return [];
  const given = width ?? table.today.columns.length;
  const before = table.today.columns.slice(0, given).map((column) => column.name);
  const place = before.findIndex((name, i) => table.after.columns[i]?.name !== name);
  if (place === -1) return [];
  const parts = 1 + Number(text(node, 'schemaname') !== null);
  const first = tokenAt(tokens, node.location);
  const alias = childIn(node, 'alias');
  const end = alias === null ? endOfName(tokens, first, parts) : (tokens[first + 2 * (parts - 1) + 2] ?? null);
  return [
    {
      verdict: 'changes',
      sqlstate: null,
      message: `value ${place + 1} is for ${before[place]}, and would go to ${table.after.columns[place]?.name ?? 'no column'}`,
      index: query.location ?? node.location,
      reason: `Without a list of columns, values go by position, and the new ${displayName(table.move.source)} has its columns in another order: ${table.after.columns.map((column) => column.name).join(', ')}.`,
      mend: 'Name the columns, which holds today and afterwards.',
      proposals: end ? [[{ start: end.end, end: end.end, text: ` (${before.map(writtenName).join(', ')})` }]] : [],
    },
  ];
}

function isTable(node: SyntaxNode | undefined, { move }: MovedTable): boolean {
  return node !== undefined && text(node, 'relname') === move.source.name;
}

/** How many columns a query gives; null where a star hides it. */
function widthOf(query: SyntaxNode): number | null {
  const [row] = childrenIn(query, 'valuesLists');
  if (row) return childrenIn(row, 'items').length;
  const [left] = childrenIn(query, 'larg');
  if (left) return widthOf(left);
  const targets = childrenIn(query, 'targetList');
  const star = targets.some((target) =>
    childrenIn(target, 'val').some((v) => v.type === 'ColumnRef' && namesIn(v, 'fields').at(-1) === '*'),
  );
  return star ? null : targets.length;
}

const UNKNOWN_AFTER_ROUTING = new Set(['xmax', 'xmin', 'cmax', 'cmin']);

/** A row that was routed to a partition has no system columns to return. The server says so when it executes. */
function returnsSystemColumn({ node, table }: TableReference): OtherMeaning[] {
  const write = node.parent;
  if (!table.after.partitioned || node.field !== 'relation' || !['InsertStmt', 'MergeStmt'].includes(write?.type ?? ''))
    return [];
  const returning = write === null ? null : childIn(write, 'returningClause');
  const column = returning === null ? undefined : systemColumnIn(returning);
  if (column === undefined) return [];
  const name = namesIn(column, 'fields').at(-1);
  return [
    {
      verdict: 'breaks',
      sqlstate: '0A000',
      message: 'cannot retrieve a system column in this context',
      index: column.location,
      reason: `${displayName(table.move.source)} will be partitioned, and a row that is inserted through the parent has no \`${name}\` to return. It parses, and fails when it is executed.`,
      mend:
        name === 'xmax'
          ? 'To tell an insert from an update, return a column that only one of them sets; on PostgreSQL 18, `RETURNING old.id IS NULL`.'
          : 'Leave the system column out.',
      proposals: [],
    },
  ];
}

function systemColumnIn(node: SyntaxNode): SyntaxNode | undefined {
  if (node.type === 'ColumnRef' && UNKNOWN_AFTER_ROUTING.has(namesIn(node, 'fields').at(-1) ?? '')) return node;
  for (const child of node.children) {
    const found = systemColumnIn(child);
    if (found) return found;
  }
  return undefined;
}

/** ON CONFLICT that names no columns takes the table's keys as they are, and the primary key gets wider. */
function ignoresConflicts({ node, table }: TableReference): OtherMeaning[] {
  const { move } = table;
  const clause = node.parent?.type === 'InsertStmt' ? childIn(node.parent, 'onConflictClause') : null;
  if (clause === null || move.targetKey.length === move.key.length) return [];
  const infer = childIn(clause, 'infer');
  if (infer !== null && text(infer, 'conname') === null) return [];
  const key = move.key.map((k) => k.target).join(', ');
  return [
    {
      verdict: 'changes',
      sqlstate: null,
      message: `a row of the same ${key} in another partition is no conflict any more`,
      index: infer?.location ?? clause.location,
      reason: `The primary key becomes (${move.targetKey.join(', ')}): only a row of the same partition is taken for a conflict. One of the same ${key} in another partition is refused (23503), where today it is passed over or updated.`,
      mend: `Where that can be, look for the row first: INSERT … SELECT … WHERE NOT EXISTS (SELECT FROM ${displayName(move.source)} WHERE …).`,
      proposals: [],
    },
  ];
}

const ORDERING = new Set(['<', '>', '<=', '>=']);
const EXTREMES = new Set(['min', 'max']);

/** An enum sorts by the order of its labels, text by its letters. */
function sortsByLabel(reading: Reading): OtherMeaning[] {
  const sorted = reading.statement.nodes.flatMap((node) => sortedColumns(node));
  const seen = new Set<SyntaxNode>();
  return sorted.flatMap((column) => {
    const change = changeOf(reading, column);
    if (change === null || !change.to.sortsUnlikeText || seen.has(column)) return [];
    seen.add(column);
    const cast = castEdit(reading.statement, column);
    return [otherOrder(change, column, cast)];
  });
}

function sortedColumns(node: SyntaxNode): SyntaxNode[] {
  if (node.type === 'SortBy') return childrenIn(node, 'node').flatMap((key) => [sortKey(node, key)]);
  if (node.type === 'A_Expr') {
    const kind = text(node, 'kind') ?? '';
    const ordering =
      kind.includes('BETWEEN') || (kind.startsWith('AEXPR_OP') && ORDERING.has(namesIn(node, 'name').at(-1) ?? ''));
    return ordering ? [...childrenIn(node, 'lexpr'), ...childrenIn(node, 'rexpr')] : [];
  }
  if (node.type === 'FuncCall' && EXTREMES.has(namesIn(node, 'funcname').at(-1) ?? '')) return childrenIn(node, 'args');
  return node.type === 'MinMaxExpr' ? childrenIn(node, 'args') : [];
}

/** What is sorted by: `ORDER BY 2` and `ORDER BY its_alias` mean a column of the SELECT list. */
function sortKey(sort: SyntaxNode, key: SyntaxNode): SyntaxNode {
  const select = ancestors(sort).find((up) => up.type === 'SelectStmt');
  if (!select || sort.field !== 'sortClause') return key;
  const targets = childrenIn(select, 'targetList');
  const value = (target: SyntaxNode | undefined) => (target ? childIn(target, 'val') : null);
  if (key.type === 'A_Const') return value(targets[Number(childIn(key, 'ival')?.values.ival ?? 0) - 1]) ?? key;
  const names = key.type === 'ColumnRef' ? namesIn(key, 'fields') : [];
  return (names.length === 1 ? value(targets.find((target) => text(target, 'name') === names[0])) : null) ?? key;
}

function otherOrder(change: TypeChange, column: SyntaxNode, cast: Edit | null): OtherMeaning {
  const alphabetical = [...(change.to.labels ?? [])].sort().join(', ');
  return {
    verdict: 'changes',
    sqlstate: null,
    message: `${change.name} sorts otherwise`,
    index: column.location,
    reason: `\`${change.name}\` will sort in the order of its labels (${change.to.labels?.join(', ')}); as text it sorts by its letters (${alphabetical}).`,
    mend: `If the letters are what is meant: \`${change.name}::text\`, which holds today and afterwards.`,
    proposals: cast === null ? [] : [[cast]],
  };
}
