import { z } from 'zod';
import { readAttachments } from './attachments.ts';
import type { Queryable } from './connect.ts';
import { type QualifiedName, quoteName } from './identifier.ts';

const rowSchema = z.object({ what: z.string(), owner: z.string(), mayAct: z.boolean(), schema: z.string().nullable() });

/** Something that is made again with a move, and that the connecting role may not make. */
export interface OutOfReach {
  /** `view public.active_sessions`, `publication realtime`. */
  readonly what: string;
  readonly owner: string;
  /** The schema in which the connecting role may not create; null where it cannot act as the owner. */
  readonly schema: string | null;
}

/**
 * Views, functions, publications, and tables with policies that mention the given ones: to make them again takes their
 * owner's rights, and CREATE on the schema of a view.
 */
export async function outOfReach(client: Queryable, tables: readonly QualifiedName[]): Promise<OutOfReach[]> {
  const hanging = await readAttachments(client, tables);
  const of = (kinds: readonly string[]) => [
    ...new Set(hanging.flatMap((a) => (kinds.includes(a.kind) ? [a.what.replace(/^(?:materialized )?\w+ /, '')] : []))),
  ];
  const { rows } = await client.query(
    `SELECT w.what, pg_catalog.pg_get_userbyid(w.owner) AS owner, pg_catalog.pg_has_role(w.owner, 'USAGE') AS "mayAct",
            CASE WHEN NOT pg_catalog.has_schema_privilege(w.creates_in, 'CREATE') THEN w.creates_in::regnamespace::text END AS schema
       FROM (
         SELECT CASE c.relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || c.oid::regclass AS what, c.relowner AS owner, c.relnamespace AS creates_in
           FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::text[]::regclass[])
         UNION ALL
         SELECT 'function ' || p.oid::regprocedure, p.proowner, NULL FROM pg_catalog.pg_proc p WHERE p.oid = ANY ($2::text[]::regprocedure[])
         UNION ALL
         SELECT pg_catalog.format('publication %I', p.pubname), p.pubowner, NULL FROM pg_catalog.pg_publication p
          WHERE pg_catalog.quote_ident(p.pubname) = ANY ($3::text[])
         UNION ALL
         SELECT 'table ' || c.oid::regclass, c.relowner, NULL FROM pg_catalog.pg_class c
          WHERE c.oid = ANY ($4::text[]::regclass[]) AND c.oid <> ALL ($5::text[]::regclass[])
       ) w
      WHERE NOT pg_catalog.pg_has_role(w.owner, 'USAGE') OR NOT pg_catalog.has_schema_privilege(w.creates_in, 'CREATE')
      ORDER BY 1`,
    [
      of(['view', 'materialized view']),
      of(['function']),
      of(['publication']),
      [...new Set(hanging.flatMap((a) => (a.kind === 'policy' && a.on !== null ? [a.on] : [])))],
      tables.map(quoteName),
    ],
  );
  return z
    .array(rowSchema)
    .parse(rows)
    .map(({ what, owner, mayAct, schema }) => ({ what, owner, schema: mayAct ? schema : null }));
}
