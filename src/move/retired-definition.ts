import type { Queryable } from '../db/connect.ts';
import { secondaryIndexes, userTriggers } from '../db/describe-dependents.ts';
import { columnDefinition, describeTable } from '../db/describe-table.ts';
import { asServerWrites, type QualifiedName, quoteIdent, quoteLiteral, quoteName } from '../db/identifier.ts';
import { carriedSql, indexOnTarget, triggerOnTarget } from './carry.ts';
import { orWithoutCasts, ownComments, ownPolicies, replicaIndex } from './dependents.ts';
import { renameIn } from './rename-in.ts';
import type { TableMove } from './table-move.ts';

/** Statements that make the sources again, empty, where the retired tables stand: to be filled between the two. */
export interface RetiredDefinition {
  readonly create: readonly string[];
  /** Keys, indexes, checks, privileges, policies, triggers: as a table has them that a cutover has retired. */
  readonly complete: readonly string[];
}

/**
 * Reads from the catalog what the sources are, while they are the live tables. Foreign keys are left out, as a retired
 * table has none: the move knows them. So are owned sequences, which are the live table's.
 */
export async function retiredDefinition(client: Queryable, moves: readonly TableMove[]): Promise<RetiredDefinition> {
  const create: string[] = [];
  const complete: string[] = [];
  for (const move of moves) {
    create.push(...(await tableSql(client, move)));
    complete.push(...(await completeSql(client, move)));
  }
  complete.push(...(await policiesSql(client, moves)));
  for (const { source, retired } of moves) complete.push(...(await ownComments(client, source, retired)));
  return { create, complete };
}

async function tableSql(client: Queryable, { source, retired }: TableMove): Promise<string[]> {
  const table = await describeTable(client, source);
  if (table === null) return [];
  // GENERATED ALWAYS comes back with the names: until then, the drain must be able to update the column.
  const columns = table.columns.map((c) => columnDefinition(c.identity === 'a' ? { ...c, identity: 'd' } : c));
  const { rows: sequences } = await client.query<{ column: string; name: string }>(
    `SELECT a.attname AS column, s.relname AS name FROM pg_catalog.pg_attribute a
       JOIN pg_catalog.pg_class s ON s.oid = pg_catalog.pg_get_serial_sequence($1::text, a.attname)::regclass
      WHERE a.attrelid = $1::regclass AND a.attidentity <> '' ORDER BY a.attnum`,
    [quoteName(source)],
  );
  return [
    `CREATE TABLE ${quoteName(retired)} (${columns.join(', ')})`,
    ...(await notNullNamesSql(client, source, retired)),
    ...sequences.map(
      ({ column, name }) => `DO $tandem$ BEGIN
        EXECUTE pg_catalog.format('ALTER SEQUENCE %s RENAME TO %I',
          pg_catalog.pg_get_serial_sequence(${quoteLiteral(quoteName(retired))}, ${quoteLiteral(column)}), ${quoteLiteral(name)}); END $tandem$`,
    ),
  ];
}

/** From version 18 on, NOT NULL is a constraint with a name, of which the table's is a part. */
async function notNullNamesSql(client: Queryable, source: QualifiedName, retired: QualifiedName): Promise<string[]> {
  const { rows } = await client.query<{ name: string; column: string }>(
    `SELECT c.conname AS name, a.attname AS column FROM pg_catalog.pg_constraint c
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
      WHERE c.conrelid = $1::regclass AND c.contype = 'n' ORDER BY a.attnum`,
    [quoteName(source)],
  );
  return rows.map(
    ({ name, column }) => `DO $tandem$ BEGIN
      EXECUTE (SELECT pg_catalog.format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', c.conrelid::regclass, c.conname, ${quoteLiteral(name)})
                 FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
                WHERE c.conrelid = ${quoteLiteral(quoteName(retired))}::regclass AND c.contype = 'n' AND a.attname = ${quoteLiteral(column)}); END $tandem$`,
  );
}

async function completeSql(client: Queryable, { source, retired }: TableMove): Promise<string[]> {
  const add = (name: string, definition: string) =>
    `ALTER TABLE ${quoteName(retired)} ADD CONSTRAINT ${quoteIdent(name)} ${definition}`;
  const { rows: keys } = await client.query<{ name: string; definition: string }>(
    `SELECT conname AS name, pg_catalog.pg_get_constraintdef(oid) AS definition
       FROM pg_catalog.pg_constraint WHERE conrelid = $1::regclass AND contype = 'p'`,
    [quoteName(source)],
  );
  const indexes = await secondaryIndexes(client, source);
  const triggers = await userTriggers(client, source);
  return [
    ...keys.map(({ name, definition }) => add(name, definition)),
    ...indexes.map(({ name, definition, constraint }) =>
      constraint === null ? indexOnTarget(definition, source, retired) : add(name, constraint),
    ),
    ...(await carriedSql(client, source, retired, { retyped: [], exceptRoles: [] })),
    ...(await replicaIndex(client, source, retired)),
    ...triggers.flatMap(({ name, definition }) => [
      triggerOnTarget(definition, source, retired),
      `ALTER TABLE ${quoteName(retired)} DISABLE TRIGGER ${quoteIdent(name)}`,
    ]),
  ];
}

/**
 * Under the tables' own names, with which the server writes the columns of a policy that has a subquery; and of one that
 * reads another of the tables, on that one's retired version.
 */
async function policiesSql(client: Queryable, moves: readonly TableMove[]): Promise<string[]> {
  const named = ({ source, retired }: TableMove): QualifiedName => ({ schema: retired.schema, name: source.name });
  const names = moves.map((move) => ({ from: asServerWrites(move.source), to: quoteName(named(move)) }));
  const policies: string[] = [];
  for (const move of moves)
    for (const sql of await ownPolicies(client, move.source, named(move)))
      policies.push(orWithoutCasts(renameIn(sql, names)));
  if (policies.length === 0) return [];
  const rename = (from: QualifiedName, to: QualifiedName) =>
    from.name === to.name ? [] : [`ALTER TABLE ${quoteName(from)} RENAME TO ${quoteIdent(to.name)}`];
  return [
    ...moves.flatMap((move) => rename(move.retired, named(move))),
    ...policies,
    ...moves.flatMap((move) => rename(named(move), move.retired)),
  ];
}
