import { displayName } from '../db/identifier.ts';
import type { OtherMeaning } from './other-meaning.ts';
import { childIn, childrenIn, endOfName, type Statement, text, tokenAt } from './syntax.ts';
import type { MovedTable } from './tables.ts';
import { writtenName } from './written-name.ts';

/** Before this version, COPY … TO does not read a partitioned table. */
const COPIES_PARTITIONED = 190_000;

/** COPY is neither prepared nor planned: what becomes of it follows from the columns. */
export function copyMeaning(statement: Statement, table: MovedTable, serverVersion: number): OtherMeaning | null {
  const copy = statement.root;
  const relation = childIn(copy, 'relation');
  const first = tokenAt(statement.tokens, relation?.location ?? null);
  const end = endOfName(statement.tokens, first, relation && text(relation, 'schemaname') !== null ? 2 : 1);
  const [before, after] = [table.today, table.after].map((shape) =>
    shape.columns.filter((c) => !c.generated).map((c) => c.name),
  );
  if (relation === null || before === undefined || after === undefined) return null;
  const name = displayName(table.move.source);
  const listed = childrenIn(copy, 'attlist').length > 0;
  const list = ` (${before.map(writtenName).join(', ')})`;
  const named = end && !listed ? [[{ start: end.end, end: end.end, text: list }]] : [];
  if (copy.values.is_from !== true && table.after.partitioned && serverVersion < COPIES_PARTITIONED) {
    return {
      verdict: 'breaks',
      sqlstate: '42809',
      message: `cannot copy from partitioned table "${table.move.source.name}"`,
      index: relation.location,
      reason: `${name} will be partitioned, and COPY … TO reads no partitioned table before PostgreSQL 19.`,
      mend: 'COPY (SELECT … FROM …) TO, which holds today and afterwards.',
      proposals: [],
    };
  }
  if (listed || before.join() === after.join()) return null;
  const missing = copy.values.is_from === true && after.length > before.length;
  return {
    verdict: missing ? 'breaks' : 'changes',
    sqlstate: missing ? '22P04' : null,
    message: missing ? `missing data for column "${after[before.length]}"` : `it has the columns ${after.join(', ')}`,
    index: relation.location,
    reason: `Without a list of columns, COPY takes all of them in their order, and the new ${name} has ${after.join(', ')}.`,
    mend: 'Name the columns, which holds today and afterwards.',
    proposals: named,
  };
}
