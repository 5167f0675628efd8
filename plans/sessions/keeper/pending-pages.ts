import type { Queryable } from '../../../src/db/connect.ts';
import { quoteIdent } from '../../../src/db/identifier.ts';
import { SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';
import type { SessionsNames } from '../names.ts';

/**
 * Pages of the text index that wait to be merged. With `fastupdate = off`, as the plan makes it, there are none; else only
 * the extension pgstattuple can tell, and null says that it cannot.
 */
export async function pendingPages(client: Queryable, names: SessionsNames): Promise<number | null> {
  const index = `${quoteIdent(names.messages.schema)}.messages_content_search_idx`;
  const { rows } = await client.query<{ fast: boolean; extension: string | null }>(
    `SELECT NOT coalesce(c.reloptions @> '{fastupdate=off}', false) AS fast,
            (SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e
               JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgstattuple') AS extension
       FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`,
    [index],
  );
  const [found] = rows;
  if (found === undefined || !found.fast) return 0;
  if (found.extension === null) return null;
  try {
    const pages = await client.query<{ pages: number }>(
      `SELECT pending_pages::float8 AS pages FROM ${found.extension}.pgstatginindex($1::regclass)`,
      [index],
    );
    return pages.rows[0]?.pages ?? null;
  } catch (error) {
    // It wants pg_stat_scan_tables.
    if (sqlStateOf(error) === SqlState.insufficientPrivilege) return null;
    throw error;
  }
}
