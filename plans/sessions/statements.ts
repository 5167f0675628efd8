import { quoteName } from '../../src/db/identifier.ts';
import type { TableMove } from '../../src/move/table-move.ts';
import { embeddingReferencesSql } from './embedding-references.ts';
import type { SessionsNames } from './names.ts';
import { numberingIndexSql } from './numbering.ts';
import { planStatements } from './templates.ts';

/** How the run notes that it installed the extension. */
export const UNACCENT = 'extension unaccent';

/** What the search is made of, once the new tables have the live names: in this order. */
export const SEARCH_FILES = ['search-words', 'search-readings', 'search-candidates', 'search-corrections', 'search'];

/** Going back drops the extension only where it came with the run. */
const NOTE_UNACCENT = `INSERT INTO tandem.created_object (name) SELECT '${UNACCENT}'
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'unaccent') ON CONFLICT (name) DO NOTHING`;

/** The empty targets with their helpers. `carry` is what each has beyond the guide; `noted`: a run takes notes. */
export async function targetStatements(
  names: SessionsNames,
  moves: readonly TableMove[],
  carry: (move: TableMove) => Promise<string[]>,
  { noted }: { noted: boolean },
): Promise<string[]> {
  const sql = [
    ...planStatements('sessions-target', names, 'beside'),
    ...(noted ? [NOTE_UNACCENT] : []),
    ...planStatements('search-configurations', names, 'beside'),
    ...planStatements('messages-target', names, 'beside'),
  ];
  for (const move of moves) sql.push(...(await carry(move)));
  return sql;
}

/** Keys and indexes of a filled target. */
export function buildStatements(names: SessionsNames, move: TableMove): string[] {
  const numbering = move.settle.length > 0 ? [numberingIndexSql(names)] : [];
  return [...planStatements(`${move.name}-build`, names, 'beside'), ...move.extraIndexes, ...numbering];
}

export const isNumbered = (moves: readonly TableMove[]) => moves.some((move) => move.settle.length > 0);

/**
 * What needs the final names: triggers of the new shape, the policies of message_feedback, and the relationships for
 * PostgREST, which finds no foreign key from the moment of the swap on.
 */
export function liveStatements(names: SessionsNames, moves: readonly TableMove[]): string[] {
  return [
    ...(isNumbered(moves)
      ? [`DROP INDEX ${quoteName({ schema: names.messages.schema, name: 'tandem_unnumbered' })}`]
      : []),
    ...planStatements('live-triggers', names, 'live'),
    ...planStatements('security-feedback', names, 'live'),
    ...planStatements('embedding', names, 'live'),
    ...embeddingReferencesSql(names, moves, 'embedding-reference'),
  ];
}

/** Undoes them, still under the final names. */
export function unliveStatements(names: SessionsNames, moves: readonly TableMove[]): string[] {
  return [
    ...embeddingReferencesSql(names, moves, 'embedding-reference-revert'),
    ...planStatements('embedding-revert', names, 'live'),
    ...planStatements('live-triggers-revert', names, 'live'),
  ];
}
