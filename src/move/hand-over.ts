import { type QualifiedName, quoteIdent, quoteLiteral, quoteName } from '../db/identifier.ts';
import type { TableMove } from './table-move.ts';

/** The new table's column that stands for a column of the source. */
function newColumn(move: TableMove, column: string): string {
  return move.columns.find((c) => c.source === column)?.target ?? column;
}

/**
 * An identity column's sequence cannot change hands: the other table's own one goes on from where this one stands, as
 * far as it can count. Run under the locks, before the names are swapped.
 */
export function handOverIdentitySql(move: TableMove, direction: 'forward' | 'back'): string[] {
  return move.identityColumns.map((column) => {
    const [from, to] =
      direction === 'forward'
        ? [sequenceOf(move.source, column), sequenceOf(move.target, newColumn(move, column))]
        : [sequenceOf(move.source, newColumn(move, column)), sequenceOf(move.retired, column)];
    return `SELECT pg_catalog.setval(q.seqrelid::regclass, greatest(q.seqmin, least(q.seqmax, l.value)), true)
      FROM (SELECT pg_catalog.pg_sequence_last_value(${from}::regclass) AS value) l
      JOIN pg_catalog.pg_sequence q ON q.seqrelid = ${to}::regclass WHERE l.value IS NOT NULL`;
  });
}

/**
 * Run after the names were swapped: the sequence that now stands behind the live table's identity column takes the name
 * that the other one had there. Applications that ask a sequence by its name find it.
 */
export function renameIdentitySql(move: TableMove): string[] {
  return move.identityColumns.map((column) => {
    const live = sequenceOf(move.source, newColumn(move, column));
    const retired = sequenceOf(move.retired, column);
    return `DO $tandem$ DECLARE name_then name; name_now name; BEGIN
        SELECT c.relname INTO name_then FROM pg_catalog.pg_class c WHERE c.oid = ${retired}::regclass;
        SELECT c.relname INTO name_now FROM pg_catalog.pg_class c WHERE c.oid = ${live}::regclass;
        IF name_now <> name_then THEN
          EXECUTE pg_catalog.format('ALTER SEQUENCE %s RENAME TO %I', ${live}, name_then);
        END IF;
      END $tandem$`;
  });
}

/**
 * Run after the names were swapped. While a table is being filled its identity columns are BY DEFAULT: a drain updates
 * them, which ALWAYS forbids. The live table's are ALWAYS again where they were.
 */
export function identityKindSql(move: TableMove, direction: 'forward' | 'back'): string[] {
  const set = (table: QualifiedName, column: string, kind: string) =>
    `ALTER TABLE ${quoteName(table)} ALTER COLUMN ${quoteIdent(column)} SET GENERATED ${kind}`;
  return move.alwaysIdentity.flatMap((column) =>
    direction === 'forward'
      ? [set(move.source, newColumn(move, column), 'ALWAYS'), set(move.retired, column, 'BY DEFAULT')]
      : [set(move.source, column, 'ALWAYS'), set(move.target, newColumn(move, column), 'BY DEFAULT')],
  );
}

/** Run before the names are swapped: a sequence that is owned would go with the table that leaves. */
export function disownSequencesSql(move: TableMove): string[] {
  return move.ownedSequences.map(({ sequence }) => `ALTER SEQUENCE ${quoteName(sequence)} OWNED BY NONE`);
}

/** Run after the names were swapped: the live table's column, as it is called there now, owns the sequence. */
export function ownSequencesSql(move: TableMove, direction: 'forward' | 'back'): string[] {
  return move.ownedSequences.map(({ sequence, column }) => {
    const owner = direction === 'forward' ? newColumn(move, column) : column;
    return `ALTER SEQUENCE ${quoteName(sequence)} OWNED BY ${quoteName(move.source)}.${quoteIdent(owner)}`;
  });
}

function sequenceOf(table: QualifiedName, column: string): string {
  return `pg_catalog.pg_get_serial_sequence(${quoteLiteral(quoteName(table))}, ${quoteLiteral(column)})`;
}
