import { displayName, quoteName } from '../db/identifier.ts';
import type { Reading } from './changed-columns.ts';
import type { Explanation } from './explain.ts';
import { childIn, childrenIn, text, tokenAt } from './syntax.ts';
import { writtenName } from './written-name.ts';

/** ON CONFLICT names columns that no unique index of the new shape has. */
export function conflictExplanation(reading: Reading): Explanation | null {
  const infer = reading.statement.nodes.find((node) => node.type === 'InferClause');
  const insert = infer?.parent?.parent;
  const standing = reading.references.find((reference) => reference.node.parent === insert)?.standing;
  if (!infer || standing?.kind !== 'table') return null;
  const { move } = standing.table;
  const columns = childrenIn(infer, 'indexElems').map((element) => text(element, 'name'));
  const isKey = move.key.length === columns.length && move.key.every((key) => columns.includes(key.target));
  if (!isKey || move.targetKey.length === move.key.length) {
    return {
      reason: `The new ${displayName(move.source)} has no unique index on just these columns.`,
      mend: 'Name the columns of a unique index that both shapes have, or write an UPDATE and, where it finds nothing, an INSERT.',
      proposals: [],
      index: infer.location,
    };
  }
  const key = move.targetKey.map(writtenName).join(', ');
  const plainKey = `(${move.targetKey.join(', ')})`;
  const open = tokenAt(reading.statement.tokens, infer.location);
  const close = reading.statement.tokens.findIndex((token, i) => i > open && token.text === ')');
  const [begin, end] = [reading.statement.tokens[open], reading.statement.tokens[close]];
  const elsewhere = quoteName(move.identity.table) !== quoteName(move.source);
  return {
    reason:
      `${displayName(move.source)} will be partitioned, and every unique key of a partitioned table holds the partition key: ` +
      `the primary key becomes ${plainKey}, and nothing says that (${columns.join(', ')}) alone is unique.`,
    mend:
      `After the cutover, \`ON CONFLICT ${plainKey}\`. A row of the same ${columns.join(', ')} in another partition is no conflict then` +
      (elsewhere ? `, but is refused by ${displayName(move.identity.table)} (23503)` : '') +
      '. To hold on both shapes: UPDATE first, and INSERT where it found nothing.',
    proposals:
      begin && end && childIn(infer, 'whereClause') === null
        ? [[{ start: begin.start, end: end.end, text: `(${key})` }]]
        : [],
    index: infer.location,
  };
}
