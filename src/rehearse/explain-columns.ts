import { displayName } from '../db/identifier.ts';
import { castEdit, changedWithin, type Reading, retypedIn } from './changed-columns.ts';
import type { Explanation } from './explain.ts';
import type { Refusal } from './session.ts';
import { ancestors, childrenIn, constantText, namesIn, type SyntaxNode, text } from './syntax.ts';
import { addedColumns, type ShapeColumn } from './tables.ts';
import { writtenName } from './written-name.ts';

const TOO_MANY_VALUES = new Set(['42601', '428C9']);

/** A constant that the enum does not have. */
export function invalidLabelExplanation(reading: Reading, at: readonly SyntaxNode[]): Explanation | null {
  const constant = at.find((node) => constantText(node) !== null);
  if (constant === undefined) return null;
  const value = `'${constantText(constant)}'`;
  const written = writtenColumn(reading, constant);
  if (written !== null) {
    return {
      reason: `${value} is none of the values that \`${written.name}\` takes: ${written.labels?.join(', ') ?? written.type}.`,
      mend: 'Write one of these.',
      proposals: [],
      index: null,
    };
  }
  for (const up of ancestors(constant)) {
    const changes = changedWithin(reading, up);
    // `(status, level) = ('active', 'x')`: each with the one in its place.
    const place = constant.parent?.type === 'RowExpr' ? childrenIn(constant.parent, 'args').indexOf(constant) : 0;
    const first = changes[place] ?? changes[0];
    if (first === undefined) continue;
    return {
      reason: `\`${first.change.name}\` will be ${first.change.to.type}, and ${value} is none of its values: ${first.change.to.labels?.join(', ') ?? 'they are not listed'}.`,
      mend: `No row can have it any more: take it out. Where it must stay, compare as text: \`${first.change.name}::text\`.`,
      proposals: [changes.flatMap((change) => castEdit(reading.statement, change.node) ?? [])],
      index: null,
    };
  }
  return null;
}

/** The column of a moved table that a constant is written to, by INSERT or UPDATE; null where it is not written. */
function writtenColumn(reading: Reading, constant: SyntaxNode): ShapeColumn | null {
  const columnNamed = (name: string | null) => retypedIn(reading).find((column) => column.name === name)?.to ?? null;
  const assignment = ancestors(constant).find((node) => node.type === 'ResTarget');
  if (assignment?.field === 'targetList' && assignment.parent?.type !== 'SelectStmt') {
    return constant.parent === assignment ? columnNamed(text(assignment, 'name')) : null;
  }
  const insert = ancestors(constant).find((node) => node.type === 'InsertStmt');
  const row = constant.parent?.type === 'ResTarget' ? constant.parent.parent : constant.parent;
  if (!insert || !row || (row.type !== 'List' && row.parent !== insert)) return null;
  const place =
    row.type === 'List'
      ? childrenIn(row, 'items').indexOf(constant)
      : childrenIn(row, 'targetList').indexOf(constant.parent ?? constant);
  return columnNamed(text(childrenIn(insert, 'cols')[place] ?? null, 'name'));
}

/** A column of the new shape has the name of another table's, or of a variable. */
export function ambiguousExplanation(reading: Reading, at: readonly SyntaxNode[]): Explanation | null {
  const column = at.find((node) => node.type === 'ColumnRef');
  const name = column === undefined ? undefined : namesIn(column, 'fields').at(-1);
  if (column === undefined || name === undefined || column.location === null) return null;
  const tables = reading.references.flatMap(({ standing, alias }) =>
    standing.kind === 'table' ? [{ alias, ...standing }] : [],
  );
  const newcomer = tables.find(({ table }) => addedColumns(table).includes(name));
  if (newcomer === undefined) return null;
  const meant = tables.find(({ table }) => table.today.columns.some((c) => c.name === name));
  return {
    reason: `The new ${displayName(newcomer.table.move.source)} has a column \`${name}\`, too: the name alone does not say any more which one is meant.`,
    mend: `Say whose it is${meant ? `: \`${meant.alias}.${name}\`` : ''}, which holds today and afterwards.`,
    proposals: meant ? [[{ start: column.location, end: column.location, text: `${writtenName(meant.alias)}.` }]] : [],
    index: null,
  };
}

/** `INSERT INTO messages SELECT * FROM …`: the new table has columns in places that values are given for. */
export function insertExplanation(reading: Reading, refusal: Refusal): Explanation | null {
  const insert = reading.statement.root.type === 'InsertStmt' ? reading.statement.root : null;
  const standing = reading.references.find((reference) => reference.node.parent === insert)?.standing;
  if (!insert || !TOO_MANY_VALUES.has(refusal.sqlstate)) return null;
  if (standing?.kind !== 'table') {
    return {
      reason: 'A row of the new shape has more columns than the table that it is put into.',
      mend: 'Name the columns, of the table and of the row, which holds today and afterwards.',
      proposals: [],
      index: null,
    };
  }
  const { table } = standing;
  return {
    reason: `The new ${displayName(table.move.source)} has the columns ${table.after.columns.map((column) => column.name).join(', ')}: those that are given here do not fit them one by one.`,
    mend: 'Name the columns, in INSERT and in SELECT, which holds today and afterwards.',
    proposals: [],
    index: reading.references.find((reference) => reference.node.parent === insert)?.node.location ?? null,
  };
}
