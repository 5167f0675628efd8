import type { Queryable } from '../db/connect.ts';
import { incomingForeignKeys, outgoingForeignKeys } from '../db/describe-dependents.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import type { ForeignKey, TableMove } from '../move/table-move.ts';
import { TandemError } from './errors.ts';

/**
 * The moves with their foreign keys as they are called by now. A foreign key follows a table or a column that is given
 * another name; what a run has written down of it does not. A key of another table that is gone with its table or its columns
 * is left out: there is nothing left to refer with.
 */
export async function withFollowedReferences(client: Queryable, moves: readonly TableMove[]): Promise<TableMove[]> {
  const moved = new Set(moves.map((move) => quoteName(move.source)));
  const result: TableMove[] = [];
  for (const move of moves) {
    const own = await outgoingForeignKeys(client, move.source);
    const follow = (key: ForeignKey): ForeignKey => {
      const now = own.find(({ name }) => name === key.name);
      const follows = now !== undefined && !moved.has(quoteName(now.references)) && sameLength(now, key);
      return follows ? { ...key, references: now.references, referencedColumns: now.referencedColumns } : key;
    };
    const outside = (key: ForeignKey) => !moved.has(quoteName(key.references));
    result.push({
      ...move,
      sourceForeignKeys: move.sourceForeignKeys.map((key) => (outside(key) ? follow(key) : key)),
      targetForeignKeys: move.targetForeignKeys.map((key) => (outside(key) ? follow(key) : key)),
      incoming: await followedIncoming(client, move),
    });
  }
  return result;
}

async function followedIncoming(client: Queryable, move: TableMove): Promise<TableMove['incoming']> {
  const present = await incomingForeignKeys(client, move.identity.table);
  const unknown = present.filter((key) => !move.incoming.some(({ after }) => isSame(key, after)));
  const incoming: TableMove['incoming'] = [];
  for (const { before, after } of move.incoming) {
    const stands = present.find((key) => isSame(key, after)) ?? ((await hasColumns(client, after)) ? after : undefined);
    const renamed = unknown.find((key) => key.name === after.name && key.columns.join() === after.columns.join());
    const now = stands ?? renamed;
    if (now === undefined || !sameLength(now, before)) continue;
    const { table, columns } = now;
    incoming.push({ before: { ...before, table, columns }, after: { ...after, table, columns } });
  }
  return incoming;
}

const sameLength = (a: ForeignKey, b: ForeignKey) => a.columns.length === b.columns.length;

const isSame = (key: ForeignKey, known: ForeignKey) =>
  key.name === known.name && quoteName(key.table) === quoteName(known.table);

// By the catalog alone: the name of a table in a schema that is closed to the role does not resolve.
const OID = `(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2)`;

async function hasColumns(client: Queryable, { table, columns }: ForeignKey): Promise<boolean> {
  const { rows } = await client.query<{ there: number }>(
    `SELECT count(*)::int AS there FROM pg_catalog.pg_attribute
      WHERE attrelid = ${OID} AND attname = ANY ($3::text[]) AND NOT attisdropped`,
    [table.schema, table.name, columns],
  );
  return rows[0]?.there === new Set(columns).size;
}

interface LostReference {
  readonly key: ForeignKey;
  /** `auth.users`, `auth.users (id)`. */
  readonly what: string;
}

/** Foreign keys of the tables to go back to that the server would refuse: what they refer to is gone, or no key any more. */
export async function lostReferences(client: Queryable, moves: readonly TableMove[]): Promise<LostReference[]> {
  const moved = new Set(moves.map((move) => quoteName(move.source)));
  const lost: LostReference[] = [];
  for (const key of moves.flatMap((move) => move.sourceForeignKeys)) {
    if (moved.has(quoteName(key.references))) continue;
    const state = await referable(client, key.references, key.referencedColumns);
    if (state === 'referable') continue;
    const columns = state === 'gone' ? '' : ` (${key.referencedColumns.join(', ')})`;
    lost.push({ key, what: `${displayName(key.references)}${columns}` });
  }
  return lost;
}

async function referable(
  client: Queryable,
  table: QualifiedName,
  columns: readonly string[],
): Promise<'referable' | 'gone' | 'no key'> {
  const { rows } = await client.query<{ there: boolean; unique: boolean }>(
    `SELECT ${OID} IS NOT NULL AS there, EXISTS (
       SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = ${OID} AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND (SELECT pg_catalog.array_agg(a.attname::text ORDER BY a.attname) FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
            = (SELECT pg_catalog.array_agg(c ORDER BY c::name) FROM unnest($3::text[]) AS c)) AS unique`,
    [table.schema, table.name, columns],
  );
  if (rows[0]?.there !== true) return 'gone';
  return rows[0].unique ? 'referable' : 'no key';
}

/**
 * Beforehand, so that nothing is taken back yet where the swap would be refused.
 *
 * @throws TD027 with what is gone
 */
export async function assertReferencesStand(client: Queryable, moves: readonly TableMove[]): Promise<void> {
  const lost = await lostReferences(client, moves);
  if (lost.length === 0) return;
  const what = [...new Set(lost.map((l) => l.what))].join(', ');
  throw new TandemError('TD027', `The tables to go back to refer to what is not there any more: ${what}.`, {
    hint: 'Make it again, with the columns and the primary key that it had; or, where it is gone for good, run `tandem verify --accept`, and the same command again: the foreign keys stay away then.',
    detail: lost.map(({ key }) => `${displayName(key.table)}: foreign key ${key.name}`).join('\n'),
  });
}
