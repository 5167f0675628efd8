import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';

const ownedSequence = z.object({
  sequence: z.string(),
  sequence_schema: z.string(),
  sequence_oid: z.number(),
  ascending: z.boolean(),
  min: z.string(),
  max: z.string(),
  schema: z.string(),
  table: z.string(),
  column: z.string(),
});

/**
 * Moves the sequences behind the tables' serial and identity columns past the values that the rows have, so that the
 * next insert takes a value that is free. None is moved backwards. A value that lies outside of the sequence's own
 * bounds, which it can never reach, does not count.
 *
 * Not undone by a rollback, as nothing is that a sequence does: call it last.
 */
export async function advanceOwnedSequences(db: Queryable, oids: readonly number[]): Promise<void> {
  const { rows } = await db.query(OWNED_SEQUENCES, [oids]);
  for (const owned of z.array(ownedSequence).parse(rows)) {
    const sequence = quoteName({ schema: owned.sequence_schema, name: owned.sequence });
    const column = quoteIdent(owned.column);
    const [edge, beyond] = owned.ascending ? ['max', '>'] : ['min', '<'];
    await db.query(
      `SELECT pg_catalog.setval($1::oid::regclass, e.edge)
         FROM (SELECT ${edge}(${column})::int8 AS edge FROM ${quoteName({ schema: owned.schema, name: owned.table })}
                WHERE ${column} BETWEEN $2::int8 AND $3::int8) e, ${sequence} s
        WHERE e.edge ${beyond} s.last_value OR (e.edge = s.last_value AND NOT s.is_called)`,
      [owned.sequence_oid, owned.min, owned.max],
    );
  }
}

const OWNED_SEQUENCES = `
  SELECT s.relname AS sequence, sn.nspname AS sequence_schema, s.oid::int8::float8 AS sequence_oid,
         q.seqincrement > 0 AS ascending, q.seqmin::text AS min, q.seqmax::text AS max,
         n.nspname AS schema, c.relname AS table, a.attname AS column
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_catalog.pg_class c ON c.oid = d.refobjid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.deptype IN ('a', 'i') AND d.refobjid = ANY ($1::oid[])
     AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)`;
