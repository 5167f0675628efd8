import type { Client, Queryable } from '../db/connect.ts';
import { type QualifiedName, quoteIdent, quoteLiteral, quoteName } from '../db/identifier.ts';
import { changeLogName } from './direction.ts';
import { hasOneSpelling } from './key-types.ts';
import type { TableMove } from './table-move.ts';

export const LOG_TRIGGER = 'tandem_log';
const TRUNCATE_TRIGGER = 'tandem_log_truncate';

// Entries live for seconds: the table is vacuumed by count, not by share, so that a drain never reads a dead past; and it
// is not truncated then, which would make the application wait.
const LOG_TAIL =
  ') WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off)';

/** Keys of the rows written since the copy began. An entry without key stands for a TRUNCATE. */
export function createChangeLogSql(move: TableMove): string[] {
  const name = changeLogName(move);
  const log = quoteName(name);
  const head = `CREATE TABLE IF NOT EXISTS ${log} (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, `;
  return [
    move.key.every((k) => hasOneSpelling(k.type))
      ? `${head}${move.key.map((k, i) => `k${i + 1} ${k.type}`).join(', ')}${LOG_TAIL}`
      : createFromCatalogSql(move, head),
    // Asked under the cutover's lock: is there a TRUNCATE among the entries?
    `CREATE INDEX IF NOT EXISTS ${quoteIdent(`${name.name}_truncated`)} ON ${log} (seq) WHERE k1 IS NULL`,
    `REVOKE ALL ON ${log} FROM PUBLIC`,
  ];
}

function createFromCatalogSql(move: TableMove, head: string): string {
  const columns = keyColumnsSql(
    move.source,
    move.key.map((k) => k.source),
    "'k' || place || ' ' || type",
  );
  return `DO ${dollarQuoted(`
     BEGIN EXECUTE ${quoteLiteral(head)} || (${columns}) || ${quoteLiteral(LOG_TAIL)}; END `)}`;
}

/**
 * SQL for what `expression` makes of `place` (1, 2, …) and `type` of a table's key columns, joined by commas. The type
 * has what tells keys apart, and nothing that could refuse an entry: of a domain its base type (a domain may forbid the
 * NULL of a TRUNCATE), and of collations only those by which different texts may be equal.
 */
function keyColumnsSql(table: QualifiedName, columns: readonly string[], expression: string): string {
  return `WITH RECURSIVE key_column AS (
         SELECT k.place, a.atttypid AS oid, a.atttypmod AS modifier, a.attcollation AS collation
           FROM unnest(ARRAY[${columns.map(quoteLiteral).join(', ')}]) WITH ORDINALITY AS k (name, place)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = ${quoteLiteral(quoteName(table))}::regclass AND a.attname = k.name
         UNION ALL
         SELECT k.place, t.typbasetype, t.typtypmod, k.collation
           FROM key_column k JOIN pg_catalog.pg_type t ON t.oid = k.oid AND t.typtype = 'd')
       SELECT pg_catalog.string_agg(${expression}, ', ' ORDER BY place) FROM (
         SELECT k.place, pg_catalog.concat_ws(' ', pg_catalog.format_type(k.oid, k.modifier),
                  'COLLATE ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.collname)) AS type
           FROM key_column k
           JOIN pg_catalog.pg_type t ON t.oid = k.oid AND t.typtype <> 'd'
           LEFT JOIN pg_catalog.pg_collation c ON c.oid = k.collation AND NOT c.collisdeterministic
           LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace) typed`;
}

/** `$tandem$ … $tandem$`, with a tag that does not occur between the two: names may hold anything. */
function dollarQuoted(body: string): string {
  let tag = 'tandem';
  while (body.includes(`$${tag}`)) tag += '_';
  return `$${tag}$${body}$${tag}$`;
}

/**
 * The trigger functions. The writer needs no right on Tandem's schema (definer), cannot be caught by an object of the
 * same name, temporary or not (search_path), and pays one append a row. `side` says which names the key's columns have there.
 */
export function changeLogFunctionSql(move: TableMove, side: 'source' | 'target'): string[] {
  const log = quoteName(changeLogName(move));
  const columns = move.key.map((_, i) => `k${i + 1}`).join(', ');
  const values = (row: string) => move.key.map((k) => `${row}.${quoteIdent(k[side])}`).join(', ');
  return [
    `CREATE OR REPLACE FUNCTION ${logFunction(move, side)}() RETURNS trigger LANGUAGE plpgsql
       SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ${dollarQuoted(`
     BEGIN
       IF TG_OP = 'TRUNCATE' THEN
         INSERT INTO ${log} DEFAULT VALUES;
       ELSIF TG_OP = 'INSERT' THEN
         INSERT INTO ${log} (${columns}) VALUES (${values('NEW')});
       ELSE
         INSERT INTO ${log} (${columns}) VALUES (${values('OLD')});
         IF TG_OP = 'UPDATE' AND pg_catalog.record_image_ne(ROW(${values('NEW')}), ROW(${values('OLD')})) THEN
           INSERT INTO ${log} (${columns}) VALUES (${values('NEW')});
         END IF;
       END IF;
       RETURN NULL;
     END `)}`,
    `REVOKE ALL ON FUNCTION ${logFunction(move, side)}() FROM PUBLIC`,
  ];
}

/**
 * Puts the log on a table. CREATE TRIGGER (SHARE ROW EXCLUSIVE) waits out the writers in flight, so every change that a
 * snapshot taken after the commit cannot see is in the log. ALWAYS: replication roles are logged too.
 */
export function attachChangeLogSql(
  move: TableMove,
  table: QualifiedName,
  side: 'source' | 'target',
  partitions: readonly QualifiedName[] = [],
): string[] {
  const fn = logFunction(move, side);
  // The row trigger is cloned to every partition; TRUNCATE of a partition by its own name fires only a trigger on it.
  return [
    `CREATE OR REPLACE TRIGGER ${LOG_TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON ${quoteName(table)}
       FOR EACH ROW EXECUTE FUNCTION ${fn}()`,
    ...[table, ...partitions].flatMap((name) => [
      `CREATE OR REPLACE TRIGGER ${TRUNCATE_TRIGGER} AFTER TRUNCATE ON ${quoteName(name)}
         FOR EACH STATEMENT EXECUTE FUNCTION ${fn}()`,
      `ALTER TABLE ${quoteName(name)} ENABLE ALWAYS TRIGGER ${LOG_TRIGGER}`,
      `ALTER TABLE ${quoteName(name)} ENABLE ALWAYS TRIGGER ${TRUNCATE_TRIGGER}`,
    ]),
  ];
}

/**
 * A key that has another type in the new table must find room in the log, or the application's own statement would fail.
 * Under the cutover's lock, with the names swapped, the log is empty: the change is instant.
 */
export function retypeChangeLogSql(move: TableMove): string[] {
  if (move.key.every((k) => k.type === k.targetType)) return [];
  const log = quoteName(changeLogName(move));
  const columns = keyColumnsSql(
    move.source,
    move.key.map((k) => k.target),
    "'ALTER COLUMN k' || place || ' TYPE ' || type || ' USING NULL'",
  );
  return [
    `TRUNCATE ${log}`,
    `DO ${dollarQuoted(`BEGIN EXECUTE ${quoteLiteral(`ALTER TABLE ${log} `)} || (${columns}); END `)}`,
  ];
}

export function detachChangeLogSql(table: QualifiedName, partitions: readonly QualifiedName[] = []): string[] {
  return [
    `DROP TRIGGER IF EXISTS ${LOG_TRIGGER} ON ${quoteName(table)}`,
    ...[table, ...partitions].map((name) => `DROP TRIGGER IF EXISTS ${TRUNCATE_TRIGGER} ON ${quoteName(name)}`),
  ];
}

/** In force for every write: somebody may have switched it off on one partition only. */
export async function hasChangeLog(client: Queryable, table: QualifiedName): Promise<boolean> {
  const { rows } = await client.query<{ logged: boolean }>(
    `SELECT pg_catalog.bool_and(EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = t.oid AND g.tgname = $2 AND g.tgenabled = 'A')
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = t.oid AND g.tgname = $3 AND g.tgenabled <> 'A')) AS logged
       FROM (SELECT pg_catalog.to_regclass($1) AS oid UNION SELECT p.relid FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) p) t`,
    [quoteName(table), LOG_TRIGGER, TRUNCATE_TRIGGER],
  );
  return rows[0]?.logged === true;
}

/** Entries not yet drained, counted up to `limit` so that a large backlog costs no full read. */
export async function backlog(client: Queryable, move: TableMove, limit = 1_000_000): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM (SELECT FROM ${quoteName(changeLogName(move))} ORDER BY seq LIMIT $1) l`,
    [limit],
  );
  return rows[0]?.n ?? 0;
}

export async function hasTruncateEntry(client: Client, move: Pick<TableMove, 'name'>): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM ${quoteName(changeLogName(move))} WHERE k1 IS NULL ORDER BY seq LIMIT 1`,
  );
  return rowCount !== null && rowCount > 0;
}

function logFunction(move: TableMove, side: 'source' | 'target'): string {
  return quoteName({ schema: 'tandem', name: `log_${move.name}_${side}` });
}
