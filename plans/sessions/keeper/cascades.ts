import { z } from 'zod';
import type { Queryable } from '../../../src/db/connect.ts';
import { displayName, quoteName } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';

const table = z.object({
  oid: z.number(),
  schema: z.string(),
  name: z.string(),
  /** A foreign key covers no tables that inherit from its own; partitions are its own. */
  partitioned: z.boolean(),
  /** The table itself and its partitions. */
  members: z.array(z.number()),
});
export type CascadeTable = z.infer<typeof table>;

const cascade = z.object({
  parent: table,
  child: table,
  /** Quoted, and compared by the operator that the server itself takes. */
  pairs: z.array(z.object({ parent: z.string(), child: z.string(), operator: z.string() })),
});
/** A foreign key whose row goes with the row that it refers to. */
export type Cascade = z.infer<typeof cascade>;

/** The tables that a purge deletes from by itself, and the registry, whose row goes with the session's. */
export interface Purged {
  readonly sessions: number;
  readonly messages: number;
  readonly feedback: number;
  readonly registry: number;
}

export async function purgedOids(client: Queryable, names: SessionsNames): Promise<Purged> {
  const { rows } = await client.query<Record<keyof Purged, number>>(
    `SELECT $1::regclass::oid::int8::float8 AS sessions, $2::regclass::oid::int8::float8 AS messages,
            $3::regclass::oid::int8::float8 AS feedback, $4::regclass::oid::int8::float8 AS registry`,
    [
      quoteName(names.sessions),
      quoteName(names.messages),
      quoteName({ schema: names.sessions.schema, name: 'message_feedback' }),
      quoteName(names.registry),
    ],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('A SELECT without FROM has one row.');
  return row;
}

/**
 * What goes with a purged session beside its messages and their feedback: every foreign key with ON DELETE CASCADE that
 * leads, over however many tables, to them. Empty where there is none but the plan's own.
 */
export async function readCascades(client: Queryable, names: SessionsNames): Promise<Cascade[]> {
  const purged = await purgedOids(client, names);
  const { rows } = await client.query(CASCADES, [Object.values(purged)]);
  const all = z.array(cascade).parse(rows);
  const isPlanned = ({ parent, child }: Cascade) =>
    (child.oid === purged.messages && parent.oid === purged.registry) ||
    (child.oid === purged.feedback && parent.oid === purged.messages);
  return all.filter((key) => !isPlanned(key)).length === 0 ? [] : all;
}

const TABLE = (oid: string) => `(
    SELECT pg_catalog.json_build_object('oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'partitioned', c.relkind = 'p',
             'members', (SELECT pg_catalog.json_agg(m.oid::int8) FROM (
                SELECT c.oid UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree(c.oid)) m (oid)))
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ${oid})`;

/** $1: the tables to begin with. A key that the server does not keep (PostgreSQL 18) deletes nothing. */
const REACHED = `
  WITH RECURSIVE keys AS (
    SELECT * FROM pg_catalog.pg_constraint k
     WHERE k.contype = 'f' AND k.conparentid = 0 AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true)
  ), reached (oid) AS (
    SELECT r.oid FROM pg_catalog.unnest($1::oid[]) r (oid)
    UNION
    SELECT more.oid FROM reached r, LATERAL (
      SELECT relid::oid FROM pg_catalog.pg_partition_tree(r.oid)
      UNION ALL SELECT k.conrelid FROM keys k WHERE k.confrelid = r.oid AND k.confdeltype = 'c') more (oid)
  )`;

const CASCADES = `${REACHED}
  SELECT ${TABLE('k.confrelid')} AS parent, ${TABLE('k.conrelid')} AS child,
         (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                   'parent', pg_catalog.quote_ident(p.attname), 'child', pg_catalog.quote_ident(c.attname),
                   'operator', pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname)) ORDER BY pair.n)
            FROM unnest(k.confkey, k.conkey, k.conpfeqop) WITH ORDINALITY pair (parent, child, operator, n)
            JOIN pg_catalog.pg_attribute p ON p.attrelid = k.confrelid AND p.attnum = pair.parent
            JOIN pg_catalog.pg_attribute c ON c.attrelid = k.conrelid AND c.attnum = pair.child
            JOIN pg_catalog.pg_operator o ON o.oid = pair.operator
            JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace) AS pairs
    FROM keys k WHERE k.confdeltype = 'c' AND k.confrelid IN (SELECT oid FROM reached)
   ORDER BY k.oid`;

/** What becomes of rows of the application's own tables when a session is purged, by the names of the tables. */
export interface PurgeReach {
  /** They go as well. */
  readonly deleted: readonly string[];
  /** They stay, and lose what they refer to. */
  readonly cleared: readonly string[];
  /** They keep the session from being purged. */
  readonly refusing: readonly string[];
  /** Of those that go: the role may not read or lock all rows, and so may not write them to a file. */
  readonly unreadable: readonly string[];
}

export async function purgeReach(client: Queryable, names: SessionsNames): Promise<PurgeReach> {
  const own = Object.values(await purgedOids(client, names));
  const { rows } = await client.query<{ schema: string; name: string; action: string; readable: boolean }>(
    `${REACHED}
     SELECT n.nspname AS schema, c.relname AS name, k.confdeltype AS action,
            pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
              AND NOT pg_catalog.row_security_active(c.oid) AS readable
       FROM keys k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE k.confrelid IN (SELECT oid FROM reached)
        AND k.conrelid NOT IN (SELECT relid FROM pg_catalog.unnest($1::oid[]) o (oid), pg_catalog.pg_partition_tree(o.oid)
                               UNION SELECT pg_catalog.unnest($1::oid[]))`,
    [own],
  );
  const named = (which: (row: (typeof rows)[number]) => boolean) =>
    [...new Set(rows.filter(which).map((row) => displayName(row)))].toSorted();
  const deleted = named(({ action }) => action === 'c');
  return {
    deleted,
    cleared: named(({ action }) => action === 'n' || action === 'd'),
    refusing: named((row) => (row.action === 'a' || row.action === 'r') && !deleted.includes(displayName(row))),
    unreadable: named(({ action, readable }) => action === 'c' && !readable),
  };
}
