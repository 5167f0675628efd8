import { type Reading, tablesIn } from './changed-columns.ts';
import type { Description, ResultColumn } from './describe-statement.ts';
import type { Attempt } from './session.ts';
import { addedColumns } from './tables.ts';

/** Why a statement is refused that was prepared before the cutover, where a new one like it is taken. */
export interface KeptRefusal {
  readonly verdict: 'reconnect';
  readonly sqlstate: string;
  readonly message: string;
  /** Offset in the text that was sent. */
  readonly index: number | null;
  readonly reason: string;
  readonly mend: string;
  readonly proposals: readonly [];
}

/**
 * A prepared statement keeps the types of its parameters, and the form of its result. `kept`: the server's answer on the
 * new shape to the statement with its parameters' types of today.
 */
export function keptRefusal(reading: Reading, today: Description, kept: Attempt): KeptRefusal | null {
  const common = { verdict: 'reconnect', proposals: [] } as const;
  if (!kept.ok) {
    return {
      ...common,
      ...kept.refusal,
      reason: 'Prepared before the cutover, its parameters keep the types that they had; prepared anew, it holds.',
      mend: 'Let the application open new connections after the cutover, or DEALLOCATE what it has prepared.',
    };
  }
  const change = resultChange(today.columns, kept.description.columns);
  if (change === null) return null;
  const added = tablesIn(reading).flatMap(addedColumns);
  const hasStar = reading.statement.nodes.some((node) => node.type === 'A_Star');
  return {
    ...common,
    sqlstate: '0A000',
    message: 'cached plan must not change result type',
    index: null,
    reason: `Prepared before the cutover, it is bound to its result, which changes: ${change}.${hasStar && added.length > 0 ? ` The star also brings ${added.join(', ')}.` : ''}`,
    mend: 'Let the application open new connections after the cutover. To be rid of it for good, list the columns and cast those that change (`status::text`).',
  };
}

function resultChange(before: readonly ResultColumn[], after: readonly ResultColumn[]): string | null {
  if (before.length !== after.length) return `${before.length} columns become ${after.length}`;
  const differing = before.filter((column, i) => {
    const now = after[i];
    return column.name !== now?.name || column.typeOid !== now.typeOid || column.typeModifier !== now.typeModifier;
  });
  return differing.length === 0 ? null : `the type of ${differing.map((column) => column.name).join(', ')}`;
}
