import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteName } from '../db/identifier.ts';

const functionRow = z.object({
  /** `public.list_sessions(text)`. */
  name: z.string(),
  bareName: z.string(),
  language: z.enum(['sql', 'plpgsql']),
  /** The body as it was written, or, of BEGIN ATOMIC, as the server prints it. */
  body: z.string(),
  atomic: z.boolean(),
  definition: z.string(),
  owner: z.number(),
  searchPath: z.string().nullable(),
  argumentNames: z.array(z.string()).nullable(),
  argumentTypes: z.array(z.number()),
  /** Names, modes and types of all arguments, where some are not plain IN. */
  allTypes: z.array(z.number()).nullable(),
  modes: z.array(z.string()).nullable(),
  /** OIDs of the tables on which it is a trigger. */
  triggerOn: z.array(z.number()),
});
export type FunctionSource = z.infer<typeof functionRow>;

/**
 * The functions of users, in sql or plpgsql, that mention one of the names, are triggers of one of the tables, or have a
 * parsed body that reads one. search_path must be empty: what the server prints is then qualified.
 */
export async function readFunctions(
  client: Queryable,
  tables: readonly QualifiedName[],
  names: readonly string[],
): Promise<FunctionSource[]> {
  const { rows } = await client.query(
    `WITH moved AS (SELECT t::regclass::oid AS oid FROM pg_catalog.unnest($1::text[]) AS t)
     SELECT p.oid::regprocedure::text AS name, p.proname AS "bareName", l.lanname AS language,
            CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_catalog.pg_get_function_sqlbody(p.oid) END AS body,
            p.prosqlbody IS NOT NULL AS atomic, pg_catalog.pg_get_functiondef(p.oid) AS definition, p.proowner::int8::float8 AS owner,
            (SELECT pg_catalog.substr(c.setting, pg_catalog.length('search_path=') + 1)
               FROM pg_catalog.unnest(p.proconfig) AS c (setting) WHERE c.setting LIKE 'search\\_path=%') AS "searchPath",
            p.proargnames AS "argumentNames", p.proargmodes::text[] AS modes,
            ARRAY(SELECT a::int8::float8 FROM pg_catalog.unnest(p.proargtypes::oid[]) AS a) AS "argumentTypes",
            CASE WHEN p.proallargtypes IS NOT NULL
                 THEN ARRAY(SELECT a::int8::float8 FROM pg_catalog.unnest(p.proallargtypes) AS a) END AS "allTypes",
            ARRAY(SELECT DISTINCT t.tgrelid::int8::float8 FROM pg_catalog.pg_trigger t WHERE t.tgfoid = p.oid AND NOT t.tgisinternal) AS "triggerOn"
       FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE l.lanname IN ('sql', 'plpgsql') AND p.prokind IN ('f', 'p')
        AND n.nspname NOT IN ('information_schema', 'tandem') AND n.nspname !~ '^pg_'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
        -- What keeps the targets is the plan's own.
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
                          JOIN pg_catalog.pg_namespace k ON k.oid = c.relnamespace WHERE t.tgfoid = p.oid AND k.nspname = 'tandem')
        AND (p.prosrc ILIKE ANY ($2::text[])
             OR EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN moved ON moved.oid = t.tgrelid
                         WHERE t.tgfoid = p.oid AND NOT t.tgisinternal AND t.tgname NOT LIKE 'tandem\\_%')
             OR EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN moved ON moved.oid = d.refobjid
                         WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid))
      ORDER BY 1`,
    [tables.map(quoteName), names.map((name) => `%${name.replaceAll(/[\\%_]/g, '\\$&')}%`)],
  );
  return z.array(functionRow).parse(rows);
}
