import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import { applyEdits } from './edits.ts';
import { type Lookup, redirect, type Standing } from './redirect.ts';
import type { RehearsalSession } from './session.ts';
import type { SqlParser } from './sql-parser.ts';
import type { MovedTable } from './tables.ts';
import { type DependentView, dependentViews } from './views.ts';

/** What changes at cutover, and how names lead to it. */
export interface Landscape {
  readonly tables: readonly MovedTable[];
  readonly views: readonly DependentView[];
  /** Names that a statement has in it where it may concern the moved tables at all. */
  readonly names: readonly string[];
  /** Sets the session's search path, and tells what names mean along it. */
  lookupAlong(path: string): Promise<Lookup>;
}

/** search_path must be empty: what the server prints is then qualified. */
export async function readLandscape(
  session: RehearsalSession,
  parser: SqlParser,
  tables: readonly MovedTable[],
): Promise<Landscape> {
  const standings: { name: QualifiedName; standing: Standing }[] = tables.map((table) => ({
    name: table.move.source,
    standing: { kind: 'table', table },
  }));
  const qualified: Lookup = (schema, name) => {
    const found = standings.find((s) => s.name.name === name && s.name.schema === schema);
    return found?.standing ?? null;
  };
  const views = await dependentViews(
    session.client,
    tables.map((table) => table.move.source),
  );
  // Those that are read come before those that read them.
  for (const { name, definition } of views) {
    const statement = parser.parse(definition);
    const redirection = statement && redirect(statement, qualified);
    const query = redirection?.obstacle === null ? applyEdits(definition, redirection.edits).text : null;
    standings.push({ name, standing: { kind: 'view', name, query } });
  }

  const lookups = new Map<string, Lookup>();
  return {
    tables,
    views,
    names: [...new Set(standings.map((s) => s.name.name))],
    lookupAlong: async (path) => {
      await session.setSearchPath(path);
      const known = lookups.get(path);
      if (known) return known;
      const bare = new Map<string, Standing>();
      for (const { name, standing } of standings) {
        if (await meansThis(session.client, name)) bare.set(name.name, standing);
      }
      const lookup: Lookup = (schema, name) => (schema === null ? (bare.get(name) ?? null) : qualified(schema, name));
      lookups.set(path, lookup);
      return lookup;
    },
  };
}

/** True where the unqualified name leads to the table along the session's search path. */
async function meansThis(client: Queryable, name: QualifiedName): Promise<boolean> {
  const { rows } = await client.query<{ same: boolean }>(
    'SELECT pg_catalog.to_regclass($1) IS NOT DISTINCT FROM pg_catalog.to_regclass($2) AS same',
    [quoteIdent(name.name), quoteName(name)],
  );
  return rows[0]?.same === true;
}
