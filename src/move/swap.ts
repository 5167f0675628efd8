import { type QualifiedName, quoteIdent, quoteLiteral, quoteName } from '../db/identifier.ts';
import { attachChangeLogSql, detachChangeLogSql, retypeChangeLogSql } from './change-log.ts';
import { orWithoutCasts } from './dependents.ts';
import { disownSequencesSql, identityKindSql, ownSequencesSql, renameIdentitySql } from './hand-over.ts';
import type { ForeignKey, TableMove } from './table-move.ts';

/** Passed through by tables that change places: names of indexes and constraints collide nowhere on the way. */
const PASSAGE = 'tandem_passage';
const ENTERING = 'tandem_entering';

/** A table that leaves the live name, and the one that takes it; partitions go with their parent. */
interface Exchange {
  leaving: QualifiedName;
  leavingPartitions: readonly string[];
  leavingTo: QualifiedName;
  entering: QualifiedName;
  enteringPartitions: readonly string[];
  live: QualifiedName;
}

/**
 * The tables to lock, in the one documented order: tables that reference come before tables that they reference, so
 * that an application's own foreign-key checks run in the same order and never wait in a circle with Tandem.
 */
export function lockOrder(moves: readonly TableMove[]): QualifiedName[] {
  const names = new Map<string, QualifiedName>();
  const before = new Map<string, Set<string>>();
  const edge = (key: ForeignKey) => {
    const [from, to] = [quoteName(key.table), quoteName(key.references)];
    if (from === to || !names.has(from) || !names.has(to)) return;
    before.set(to, (before.get(to) ?? new Set()).add(from));
  };
  const add = (name: QualifiedName) => names.set(quoteName(name), name);
  for (const move of moves) {
    for (const { before: key } of move.incoming) add(key.table);
    add(move.source);
  }
  // Both shapes' keys: the order is the same before and after the cutover.
  for (const move of moves)
    for (const key of [...move.sourceForeignKeys, ...move.targetForeignKeys, ...move.incoming.map((i) => i.before)])
      edge(key);
  const ordered: QualifiedName[] = [];
  const visiting = new Set<string>();
  const visit = (id: string) => {
    const name = names.get(id);
    if (!name || visiting.has(id)) return;
    visiting.add(id);
    for (const earlier of [...(before.get(id) ?? [])].sort()) visit(earlier);
    ordered.push(name);
  };
  for (const id of [...names.keys()].sort()) visit(id);
  return ordered;
}

/** `ALTER TABLE … ADD CONSTRAINT … FOREIGN KEY … NOT VALID`: instant; existing rows are checked afterwards. */
export function addForeignKeySql(key: ForeignKey, table: QualifiedName, options: { notValid: boolean }): string {
  const list = (names: readonly string[]) => names.map(quoteIdent).join(', ');
  return `ALTER TABLE ${quoteName(table)} ADD CONSTRAINT ${quoteIdent(key.name)} FOREIGN KEY (${list(key.columns)})
    REFERENCES ${quoteName(key.references)} (${list(key.referencedColumns)}) ${key.rules} ${options.notValid ? 'NOT VALID' : ''}`
    .trim()
    .concat(key.comment === null ? '' : `;\n${foreignKeyCommentSql(key, table)}`);
}

function foreignKeyCommentSql({ name, comment }: ForeignKey, table: QualifiedName): string {
  return `COMMENT ON CONSTRAINT ${quoteIdent(name)} ON ${quoteName(table)} IS ${quoteLiteral(comment ?? '')}`;
}

export function dropConstraintSql(table: QualifiedName, name: string): string {
  return `ALTER TABLE ${quoteName(table)} DROP CONSTRAINT IF EXISTS ${quoteIdent(name)}`;
}

export interface SwapInput {
  readonly moves: readonly TableMove[];
  /** Names of the target's partitions (unqualified), by move; empty for a plain table. */
  readonly partitions: ReadonlyMap<string, readonly string[]>;
  /** Partitions that hold rows, by the quoted name of each partitioned table outside that refers to a moved one. */
  readonly leaves?: ReadonlyMap<string, readonly QualifiedName[]>;
  /** Statements of the plan that need the final names (triggers of the new shape, policies of other tables). */
  readonly live: readonly string[];
  /** false where nobody writes meanwhile, and no log is kept. */
  readonly changeLog?: boolean;
  /** What refers to the live tables by OID: dropped before the locks are taken, made again at the very end. */
  readonly dependents?: { readonly drop: readonly string[]; readonly create: readonly string[] };
}

/**
 * The statements of the cutover, run under the locks. All of them are changes of the catalog: none reads a row of a
 * moved table. The foreign keys come back NOT VALID and are validated later without blocking writers.
 */
export function cutoverSql(input: SwapInput): string[] {
  const { moves, partitions, leaves, live, dependents, changeLog = true } = input;
  const partitionNames = (move: TableMove, schema: string) =>
    (partitions.get(move.name) ?? []).map((name) => ({ schema, name }));
  const sql: string[] = [];
  for (const move of moves) {
    for (const { before } of move.incoming) sql.push(...dropIncomingSql(before, leaves));
    for (const key of move.sourceForeignKeys) sql.push(dropConstraintSql(key.table, key.name));
    if (changeLog) sql.push(...detachChangeLogSql(move.source));
    sql.push(...disownSequencesSql(move));
    for (const trigger of move.userTriggers)
      sql.push(`ALTER TABLE ${quoteName(move.source)} DISABLE TRIGGER ${quoteIdent(trigger.name)}`);
  }
  sql.push(
    ...exchangeSql(
      moves.map((move) => ({
        leaving: move.source,
        leavingPartitions: [],
        leavingTo: move.retired,
        entering: move.target,
        enteringPartitions: partitions.get(move.name) ?? [],
        live: move.source,
      })),
    ),
  );
  for (const move of moves) {
    sql.push(...ownSequencesSql(move, 'forward'), ...renameIdentitySql(move), ...identityKindSql(move, 'forward'));
    for (const key of move.targetForeignKeys) {
      // A partitioned table takes NOT VALID only from version 18 on: its partitions do on every one.
      const tables = partitionNames(move, move.source.schema);
      for (const table of tables.length > 0 ? tables : [move.source])
        sql.push(addForeignKeySql(key, table, { notValid: true }));
    }
    for (const { after } of move.incoming) sql.push(...addIncomingSql(after, leaves));
    for (const trigger of move.userTriggers)
      sql.push(orWithoutCasts(trigger.definition), ...triggerStateSql(move.source, trigger));
    if (changeLog) {
      sql.push(...retypeChangeLogSql(move));
      sql.push(...attachChangeLogSql(move, move.source, 'target', partitionNames(move, move.source.schema)));
    }
  }
  return [...sql, ...live, ...(dependents?.create ?? [])];
}

/** The way back: the retired tables take their names again, with their foreign keys, triggers and sequences. */
export function rollbackSql({ moves, partitions, leaves, live, dependents }: SwapInput): string[] {
  const partitionNames = (move: TableMove, schema: string) =>
    (partitions.get(move.name) ?? []).map((name) => ({ schema, name }));
  const sql: string[] = [...live];
  for (const move of moves) {
    const tables = partitionNames(move, move.source.schema);
    for (const { after } of move.incoming) sql.push(...dropIncomingSql(after, leaves));
    for (const key of move.targetForeignKeys) {
      // Once adopted by the parent, a partition's constraint goes with the parent's.
      for (const table of [move.source, ...tables]) sql.push(dropConstraintSql(table, key.name));
    }
    sql.push(...detachChangeLogSql(move.source, tables));
    for (const trigger of move.userTriggers)
      sql.push(`DROP TRIGGER IF EXISTS ${quoteIdent(trigger.name)} ON ${quoteName(move.source)}`);
    sql.push(...disownSequencesSql(move));
  }
  sql.push(
    ...exchangeSql(
      moves.map((move) => ({
        leaving: move.source,
        leavingPartitions: partitions.get(move.name) ?? [],
        leavingTo: move.target,
        entering: move.retired,
        enteringPartitions: [],
        live: move.source,
      })),
    ),
  );
  for (const move of moves) {
    sql.push(...ownSequencesSql(move, 'back'), ...identityKindSql(move, 'back'));
    for (const key of move.sourceForeignKeys) sql.push(addForeignKeySql(key, move.source, { notValid: true }));
    for (const { before } of move.incoming) sql.push(...addIncomingSql(before, leaves));
    for (const trigger of move.userTriggers) sql.push(...triggerStateSql(move.source, trigger));
  }
  return [...sql, ...(dependents?.create ?? [])];
}

/**
 * The key of a table outside, NOT VALID. A partitioned one takes that only from version 18 on: each of its partitions
 * does on every one, and the parent adopts them once they are valid.
 */
function addIncomingSql(key: ForeignKey, leaves: SwapInput['leaves']): string[] {
  const parts = key.validated ? leaves?.get(quoteName(key.table)) : undefined;
  if (parts === undefined) return [addForeignKeySql(key, key.table, { notValid: true })];
  // Nothing is read where there is no partition.
  if (parts.length === 0) return [addForeignKeySql(key, key.table, { notValid: false })];
  return parts.map((part) => addForeignKeySql({ ...key, comment: null }, part, { notValid: true }));
}

/** The parent's, with what it adopted; and what it did not come to adopt. */
function dropIncomingSql(key: ForeignKey, leaves: SwapInput['leaves']): string[] {
  const parts = leaves?.get(quoteName(key.table)) ?? [];
  return [dropConstraintSql(key.table, key.name), ...parts.map((part) => dropFromPartitionSql(key, part))];
}

/** Something else of that name on a partition is somebody's own. */
function dropFromPartitionSql({ name, references }: ForeignKey, partition: QualifiedName): string {
  return `DO $tandem$ BEGIN
      IF EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = ${quoteLiteral(quoteName(partition))}::regclass
                    AND conname = ${quoteLiteral(name)} AND contype = 'f' AND confrelid = ${quoteLiteral(quoteName(references))}::regclass) THEN
        EXECUTE ${quoteLiteral(dropConstraintSql(partition, name))};
      END IF; END $tandem$`;
}

/** Moves by SET SCHEMA, through a passage: indexes and constraints keep their names on both sides. */
function exchangeSql(exchanges: readonly Exchange[]): string[] {
  const setSchema = (from: string, name: string, to: string) =>
    from === to ? [] : [`ALTER TABLE ${quoteName({ schema: from, name })} SET SCHEMA ${quoteIdent(to)}`];
  const rename = (schema: string, from: string, to: string) =>
    from === to ? [] : [`ALTER TABLE ${quoteName({ schema, name: from })} RENAME TO ${quoteIdent(to)}`];
  const out = exchanges.flatMap((e) => [
    ...setSchema(e.leaving.schema, e.leaving.name, PASSAGE),
    ...e.leavingPartitions.flatMap((name) => setSchema(e.leaving.schema, name, PASSAGE)),
    ...rename(PASSAGE, e.leaving.name, e.leavingTo.name),
  ]);
  // Under a name that nobody has: of the one that it has beside, somebody may have a table there. The last name is given
  // there, so that the server finds a free one for the type of its arrays, too.
  const enter = exchanges.flatMap((e, i) => [
    ...rename(e.entering.schema, e.entering.name, `${ENTERING}_${i}`),
    ...setSchema(e.entering.schema, `${ENTERING}_${i}`, e.live.schema),
    ...e.enteringPartitions.flatMap((name) => setSchema(e.entering.schema, name, e.live.schema)),
    ...rename(e.live.schema, `${ENTERING}_${i}`, e.live.name),
  ]);
  const settle = exchanges.flatMap((e) => [
    ...setSchema(PASSAGE, e.leavingTo.name, e.leavingTo.schema),
    ...e.leavingPartitions.flatMap((name) => setSchema(PASSAGE, name, e.leavingTo.schema)),
  ]);
  return [`CREATE SCHEMA ${PASSAGE}`, ...out, ...enter, ...settle, `DROP SCHEMA ${PASSAGE}`];
}

function triggerStateSql(table: QualifiedName, trigger: TableMove['userTriggers'][number]): string[] {
  const how = { O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA', D: 'DISABLE' }[trigger.enabled];
  return [`ALTER TABLE ${quoteName(table)} ${how} TRIGGER ${quoteIdent(trigger.name)}`];
}
