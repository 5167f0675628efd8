import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { quoteIdent, quoteLiteral } from '../db/identifier.ts';

/** A column whose values are drilled as text, because the scratch server cannot have its type. */
export interface AsText {
  readonly type: string;
  readonly why: string;
}

/** Types that every server has, but whose values a scratch database may refuse. */
const REFUSED: readonly { readonly type: RegExp; readonly why: string }[] = [
  { type: /^reg[a-z]+(\[\])?$/, why: 'its values name objects that the scratch database does not have' },
  { type: /^xml(\[\])?$/, why: 'a server that was built without libxml takes none of its values' },
];

/**
 * Gives the scratch database the types that a backup's columns have: those that it knows already, copies of the source's
 * enums, domains and composites, extensions that the server brings along. Returns what each type is drilled as.
 */
export async function drillTypes(
  scratch: Queryable,
  source: Queryable | null,
  types: readonly string[],
): Promise<ReadonlyMap<string, { type: string; asText: AsText | null }>> {
  const result = new Map<string, { type: string; asText: AsText | null }>();
  for (const type of types) {
    const refused = REFUSED.find((known) => known.type.test(type));
    if (refused) {
      result.set(type, asText(type, refused.why));
      continue;
    }
    if (!(await isKnown(scratch, type)) && source !== null) await copyType(scratch, source, type);
    result.set(
      type,
      (await isKnown(scratch, type))
        ? { type, asText: null }
        : asText(type, source === null ? 'no source was there to copy it from' : 'it cannot be copied from the source'),
    );
  }
  return result;
}

function asText(type: string, why: string) {
  return { type: 'text', asText: { type, why } };
}

async function isKnown(client: Queryable, type: string): Promise<boolean> {
  // A name that cannot be one is an error before 16, and NULL from then on.
  await client.query('SAVEPOINT known');
  try {
    const { rows } = await client.query<{ there: boolean }>('SELECT pg_catalog.to_regtype($1) IS NOT NULL AS there', [
      type,
    ]);
    return rows[0]?.there === true;
  } catch {
    await client.query('ROLLBACK TO SAVEPOINT known');
    return false;
  } finally {
    await client.query('RELEASE SAVEPOINT known');
  }
}

const typeRow = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.string(),
  element: z.string().nullable(),
  base: z.string().nullable(),
  extension: z.string().nullable(),
  labels: z.array(z.string()),
  attributes: z.array(z.object({ name: z.string(), type: z.string() })),
});

/** Copies one type and what it is made of; leaves it out where it cannot. */
async function copyType(scratch: Queryable, source: Queryable, type: string, depth = 0): Promise<void> {
  if (depth > 8) return;
  const { rows } = await source.query(
    `SELECT n.nspname AS schema, t.typname AS name, t.typtype AS kind,
            CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN pg_catalog.format_type(t.typelem, NULL) END AS element,
            CASE WHEN t.typbasetype <> 0 THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END AS base,
            (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
              WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e') AS extension,
            ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
            coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', a.attname, 'type',
                               pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
                        FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '[]') AS attributes
       FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
      WHERE t.oid = pg_catalog.to_regtype($1)`,
    [type],
  );
  const found = typeRow.optional().parse(rows[0]);
  if (!found) return;
  for (const part of [found.element, found.base, ...found.attributes.map((a) => a.type)]) {
    if (part !== null && !(await isKnown(scratch, part))) await copyType(scratch, source, part, depth + 1);
  }
  const statement = createStatement(found);
  if (statement === null) return;
  await scratch.query('SAVEPOINT type');
  try {
    await scratch.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdent(found.schema)}`);
    await scratch.query(statement);
  } catch {
    // An extension that this server does not have, a type that this role may not make: its values are drilled as text.
    await scratch.query('ROLLBACK TO SAVEPOINT type');
  }
  await scratch.query('RELEASE SAVEPOINT type');
}

function createStatement({ schema, name, kind, base, extension, labels, attributes }: z.infer<typeof typeRow>) {
  const full = `${quoteIdent(schema)}.${quoteIdent(name)}`;
  if (extension !== null) return `CREATE EXTENSION ${quoteIdent(extension)} SCHEMA ${quoteIdent(schema)}`;
  if (kind === 'e') return `CREATE TYPE ${full} AS ENUM (${labels.map(quoteLiteral).join(', ')})`;
  // Without its checks: they may call functions that the scratch database does not have.
  if (kind === 'd' && base !== null) return `CREATE DOMAIN ${full} AS ${base}`;
  if (kind === 'c')
    return `CREATE TYPE ${full} AS (${attributes.map((a) => `${quoteIdent(a.name)} ${a.type}`).join(', ')})`;
  return null;
}
