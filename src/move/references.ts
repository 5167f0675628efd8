import type { Queryable } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import type { TableMove } from './table-move.ts';

/**
 * What tables are made of, and what hangs on them by their OID, as opaque marks: views, triggers and their state, policies,
 * foreign keys; and the versions of the catalog's rows for the tables, their columns, constraints and indexes.
 */
export type References = ReadonlySet<string>;

/** One look at the catalog, cheap enough for the cutover's locks. */
export async function readReferences(client: Queryable, tables: readonly QualifiedName[]): Promise<References> {
  const { rows } = await client.query<{ mark: string }>(
    `WITH moved AS (SELECT t::regclass::oid AS oid FROM unnest($1::text[]) AS t)
     SELECT DISTINCT pg_catalog.concat_ws(' ', d.classid, d.objid) AS mark FROM pg_catalog.pg_depend d
      WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid IN (SELECT oid FROM moved)
     UNION ALL
     SELECT pg_catalog.concat_ws(' ', 'type', d.classid, d.objid) FROM pg_catalog.pg_type t
       JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray)
      WHERE t.typrelid IN (SELECT oid FROM moved)
     UNION ALL
     SELECT pg_catalog.concat_ws(' ', 'trigger', t.oid, t.tgenabled) FROM pg_catalog.pg_trigger t
      WHERE t.tgrelid IN (SELECT oid FROM moved) AND NOT t.tgisinternal
     UNION ALL
     SELECT pg_catalog.concat_ws(' ', 'table', c.oid, c.xmin) FROM pg_catalog.pg_class c WHERE c.oid IN (SELECT oid FROM moved)
     UNION ALL
     SELECT pg_catalog.concat_ws(' ', 'column', a.attrelid, a.attnum, a.xmin) FROM pg_catalog.pg_attribute a
      WHERE a.attrelid IN (SELECT oid FROM moved)
     UNION ALL
     SELECT pg_catalog.concat_ws(' ', 'own', c.oid, c.xmin) FROM pg_catalog.pg_constraint c WHERE c.conrelid IN (SELECT oid FROM moved)
     UNION ALL
     SELECT pg_catalog.concat_ws(' ', 'own', i.indexrelid, i.xmin) FROM pg_catalog.pg_index i WHERE i.indrelid IN (SELECT oid FROM moved)`,
    [tables.map(quoteName)],
  );
  return new Set(rows.map((row) => row.mark));
}

/** The swap's statements were made for other tables than there are now: they are to be made anew. */
export class TablesChanged extends Error {
  /** The rows were written anew, with values that no log has seen: they are to be compared again, too. */
  readonly rewritten: boolean;

  constructor(message: string, rewritten: boolean) {
    super(message);
    this.rewritten = rewritten;
  }
}

/**
 * What the swap itself has dropped by now is not missed; constraints and indexes of the tables are none of that.
 *
 * @throws TablesChanged where somebody has altered the tables since, or put something on them
 */
export async function assertUnaltered(
  client: Queryable,
  tables: readonly QualifiedName[],
  before: References,
): Promise<void> {
  const now = await readReferences(client, tables);
  const isMissed = (mark: string) => mark.startsWith('own ') && !now.has(mark);
  if ([...now].every((mark) => before.has(mark)) && ![...before].some(isMissed)) return;
  throw new TablesChanged(`${tables.map(displayName).join(' or ')} was altered a moment ago.`, false);
}

/** Remembers the files of the sources; to be read before their rows are compared. */
export async function readFilenodes(client: Queryable, moves: readonly TableMove[]): Promise<Map<string, string>> {
  const filenodes = new Map<string, string>();
  for (const move of moves) {
    const { rows } = await client.query<{ filenode: string }>(
      'SELECT pg_catalog.pg_relation_filenode($1::regclass)::text AS filenode',
      [quoteName(move.source)],
    );
    filenodes.set(move.name, rows[0]?.filenode ?? '');
  }
  return filenodes;
}

export async function recordCompared(client: Queryable, filenodes: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, filenode] of filenodes)
    await client.query('UPDATE tandem.moved_table SET compared_filenode = $2::oid WHERE name = $1', [name, filenode]);
}

/**
 * ALTER TABLE … TYPE … USING writes a table anew and fires no trigger. Its file tells; whether its values are others (they
 * are not, after VACUUM FULL), only a comparison does.
 *
 * @throws TablesChanged for a source that was written anew since its rows were compared
 */
export async function assertNotRewritten(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT t.name FROM unnest($1::text[], $2::text[]) AS m (name, source) JOIN tandem.moved_table t ON t.name = m.name
      WHERE t.compared_filenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(m.source::regclass)`,
    [moves.map((move) => move.name), moves.map((move) => quoteName(move.source))],
  );
  const rewritten = moves.find((move) => move.name === rows[0]?.name);
  if (rewritten)
    throw new TablesChanged(`${displayName(rewritten.source)} was rewritten since its rows were compared.`, true);
}
