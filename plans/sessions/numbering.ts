import { quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { SessionsNames } from './names.ts';

/**
 * Numbers the messages of flat tables that have no sequence number: by creation time, after those that have one. New
 * rows arrive with 0 and are found by a partial index, so that the statement costs what is new; it runs after the
 * drain, when every row of the copy stands in the target, and then for the few that come later.
 */
export function numberingSql(names: SessionsNames): string[] {
  const target = quoteName(names.messagesTarget);
  const c = (column: string) => quoteIdent(names.messagesColumns[column] ?? column);
  return [
    `UPDATE ${target} t SET ${c('sequence_number')} = n.number
       FROM (SELECT z.${c('id')} AS id,
                    (SELECT coalesce(max(m.${c('sequence_number')}), 0) FROM ${target} m WHERE m.${c('session_id')} = z.${c('session_id')})
                    + row_number() OVER (PARTITION BY z.${c('session_id')} ORDER BY z.${c('created_at')}, z.${c('id')}) AS number
               FROM ${target} z WHERE z.${c('sequence_number')} = 0) n
      WHERE t.${c('id')} = n.id AND t.${c('sequence_number')} = 0`,
  ];
}

/** The index that makes it cheap, for as long as the move lasts. */
export function numberingIndexSql(names: SessionsNames): string {
  const c = (column: string) => quoteIdent(names.messagesColumns[column] ?? column);
  return `CREATE INDEX IF NOT EXISTS tandem_unnumbered ON ${quoteName(names.messagesTarget)} (${c('session_id')}) WHERE ${c('sequence_number')} = 0`;
}
