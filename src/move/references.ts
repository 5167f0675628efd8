import type { Queryable } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import type { TableMove } from './table-move.ts';

/** What hangs on tables by their OID, as opaque marks: views, triggers and their state, policies, foreign keys, indexes. */
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
      WHERE t.tgrelid IN (SELECT oid FROM moved) AND NOT t.tgisinternal`,
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

/** @throws TablesChanged where something hangs on the tables now that did not hang there before */
export async function assertNothingNew(
  client: Queryable,
  tables: readonly QualifiedName[],
  before: References,
): Promise<void> {
  const now = await readReferences(client, tables);
  if ([...now].every((mark) => before.has(mark))) return;
  throw new TablesChanged(`Something was put on ${tables.map(displayName).join(' or ')} a moment ago.`, false);
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
  for (const move of moves) {
    const { rows } = await client.query<{ same: boolean }>(
      'SELECT compared_filenode = pg_catalog.pg_relation_filenode($2::regclass) AS same FROM tandem.moved_table WHERE name = $1',
      [move.name, quoteName(move.source)],
    );
    if (rows[0]?.same !== true)
      throw new TablesChanged(`${displayName(move.source)} was rewritten since its rows were compared.`, true);
  }
}
