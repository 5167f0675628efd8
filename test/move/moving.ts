import type { Pool } from 'pg';
import { inTransaction } from '../../src/db/connect.ts';
import {
  incomingForeignKeys,
  outgoingForeignKeys,
  ownedSequences,
  userTriggers,
} from '../../src/db/describe-dependents.ts';
import { describeTable, partitionNames } from '../../src/db/describe-table.ts';
import { type QualifiedName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import type { TandemEvent } from '../../src/engine/events.ts';
import { createState } from '../../src/engine/run-state.ts';
import { attachChangeLogSql, backlog, changeLogFunctionSql, createChangeLogSql } from '../../src/move/change-log.ts';
import { type CopyOptions, copyTable } from '../../src/move/copy.ts';
import { type CutoverLimits, type CutoverOptions, cutover } from '../../src/move/cutover.ts';
import type { CompareOptions } from '../../src/move/digest.ts';
import { backward, forward } from '../../src/move/direction.ts';
import { drainUntil } from '../../src/move/drain.ts';
import type { DrainCounts } from '../../src/move/drain-sql.ts';
import { deleteLoggedKeys } from '../../src/move/logged-keys.ts';
import { quarantineUnfitRows } from '../../src/move/quarantine.ts';
import type { ColumnMove, ForeignKey, TableMove } from '../../src/move/table-move.ts';
import { type TableVerification, verifyRows } from '../../src/move/verify-rows.ts';

/** Generous where a busy machine may be slow, quick where a test waits for an attempt to fail. */
export const limits: CutoverLimits = {
  lockTimeoutMs: 100,
  attempts: 40,
  maxPauseMs: 50,
  maxBacklog: 500,
  maxLockMs: 10_000,
};

/** A column that is the same in both shapes, unless told otherwise. */
export function sameColumn(name: string, type: string, other: Partial<ColumnMove> = {}): ColumnMove {
  const value = `s.${quoteIdent(name)}`;
  return {
    target: name,
    source: name,
    forward: value,
    backward: value,
    fits: null,
    once: false,
    carried: false,
    lossy: false,
    type,
    sourceType: type,
    ...other,
  };
}

/** A column that only the target has. */
export function newColumn(name: string, type: string, forward: string | null, other: Partial<ColumnMove> = {}) {
  return sameColumn(name, type, { source: null, sourceType: null, backward: null, forward, ...other });
}

/** Text to an enum and back, by label; what is no label does not fit. */
export function enumColumn(name: string, type: string, labels: readonly string[]): ColumnMove {
  const value = `s.${quoteIdent(name)}`;
  const fits = `${value} IN (${labels.map((label) => `'${label}'`).join(', ')})`;
  return sameColumn(name, type, {
    forward: `CASE WHEN ${fits} THEN ${value}::${type} END`,
    backward: `${value}::text`,
    fits,
    sourceType: 'text',
  });
}

export interface MoveInput {
  readonly name?: string;
  readonly source: QualifiedName;
  readonly columns: readonly ColumnMove[];
  /** Without schema: it stands in `tandem`. */
  readonly target?: string;
  readonly targetKey?: readonly string[];
  /** The type that a key's column has in the target, where it is another one. */
  readonly targetTypes?: Readonly<Record<string, string>>;
  readonly other?: Partial<TableMove>;
}

/** Writes the move of a live table, with what the catalog says of its key, foreign keys, triggers and sequences. */
export async function writeMove(pool: Pool, input: MoveInput): Promise<TableMove> {
  const source = await describeTable(pool, input.source);
  if (!source) throw new Error(`There is no table ${quoteName(input.source)}.`);
  const name = input.name ?? 'things';
  const target = { schema: 'tandem', name: input.target ?? `${name}_target` };
  const key = source.primaryKey.map(({ column, equals }) => {
    const type = source.columns.find((c) => c.name === column)?.type ?? '';
    const moved = input.columns.find((c) => c.source === column)?.target ?? column;
    return { source: column, target: moved, type, targetType: input.targetTypes?.[column] ?? type, equals };
  });
  const targetKey = input.targetKey ?? key.map((k) => k.target);
  const foreignKeys = await outgoingForeignKeys(pool, input.source);
  return {
    name,
    source: input.source,
    target,
    retired: { schema: 'tandem', name: `${name}_retired` },
    key,
    targetKey: [...targetKey],
    columns: [...input.columns],
    joins: '',
    identity: { table: input.source, columns: key.map((k) => k.target) },
    settle: [],
    insertOrder: [],
    dependents: [],
    sourceForeignKeys: foreignKeys,
    targetForeignKeys: foreignKeys,
    incoming: [],
    userTriggers: await userTriggers(pool, input.source),
    ownedSequences: await ownedSequences(pool, input.source),
    identityColumns: source.columns.filter((c) => c.identity !== '').map((c) => c.name),
    alwaysIdentity: [],
    extraIndexes: [],
    ...input.other,
  };
}

/** Foreign keys that point at the source, and the same at what identifies the rows after cutover. */
export async function incomingOf(pool: Pool, move: TableMove): Promise<TableMove['incoming']> {
  const keys = await incomingForeignKeys(pool, move.source);
  const after = (key: ForeignKey): ForeignKey => ({
    ...key,
    references: move.identity.table,
    referencedColumns: key.referencedColumns.map(
      (column) => move.identity.columns[move.key.findIndex((k) => k.source === column)] ?? column,
    ),
  });
  return keys.map((key) => ({ before: key, after: after(key) }));
}

export interface Target {
  /** Creates the empty target, without key or index; the schema `tandem` is there. */
  readonly create: readonly string[];
  /** Builds its key first, then the rest. */
  readonly build: readonly string[];
}

/** The mechanism as the steps run it, one call a step. */
export class Moving {
  readonly pool: Pool;
  readonly moves: readonly TableMove[];
  readonly events: TandemEvent[] = [];
  isBaking = false;
  private readonly targets: Readonly<Record<string, Target>>;

  constructor(pool: Pool, moves: readonly TableMove[], targets: Readonly<Record<string, Target>>) {
    this.pool = pool;
    this.moves = moves;
    this.targets = targets;
  }

  /** State, targets and change logs. */
  async begin(): Promise<void> {
    await createState(this.pool);
    for (const move of this.moves) {
      await this.pool.query('INSERT INTO tandem.moved_table (name) VALUES ($1)', [move.name]);
      for (const sql of this.targets[move.name]?.create ?? []) await this.pool.query(sql);
      for (const sql of createChangeLogSql(move)) await this.pool.query(sql);
      for (const side of ['source', 'target'] as const)
        for (const sql of changeLogFunctionSql(move, side)) await this.pool.query(sql);
      await inTransaction(this.pool, async (client) => {
        for (const sql of attachChangeLogSql(move, move.source, 'source')) await client.query(sql);
      });
    }
  }

  async copy(options: Partial<CopyOptions> = {}): Promise<{ rows: number; restarts: number }> {
    const total = { rows: 0, restarts: 0 };
    for (const move of this.moves) {
      const copied = await copyTable({ pool: this.pool, direction: forward(move), workers: 2, ...options });
      total.rows += copied.rows;
      total.restarts += copied.restarts;
      await quarantineUnfitRows(this.pool, forward(move));
    }
    return total;
  }

  /** Takes out the logged keys, and builds. */
  async build(): Promise<void> {
    for (const move of this.moves) {
      await inTransaction(this.pool, async (client) => {
        await deleteLoggedKeys(client, forward(move));
        for (const sql of this.targets[move.name]?.build ?? []) await client.query(sql);
      });
    }
  }

  /** Until all logs are empty: what is drained of one table may make rows of another due. */
  async drain(): Promise<DrainCounts> {
    const total: DrainCounts = { taken: 0, written: 0, removed: 0, unfit: 0 };
    for (let waits = true; waits; ) {
      for (const move of this.moves) {
        const direction = this.isBaking ? backward(move) : forward(move, this.moves);
        const counts = await drainUntil(this.pool, direction, { rest: 1 });
        for (const name of ['taken', 'written', 'removed', 'unfit'] as const) total[name] += counts[name];
        if (!this.isBaking) for (const statement of move.settle) await this.pool.query(statement);
      }
      const waiting = await Promise.all(this.moves.map((move) => backlog(this.pool, move, 1)));
      waits = waiting.some((n) => n > 0);
    }
    return total;
  }

  /** Everything up to the cutover. */
  async prepare(): Promise<void> {
    await this.begin();
    await this.copy();
    await this.build();
    await this.drain();
  }

  async swap(options: Partial<CutoverOptions> = {}): Promise<{ lockMs: number; attempts: number }> {
    const direction = this.isBaking ? 'back' : 'forward';
    const partitions = new Map<string, readonly string[]>();
    for (const move of this.moves)
      partitions.set(move.name, await partitionNames(this.pool, this.isBaking ? move.source : move.target));
    const result = await cutover({
      pool: this.pool,
      moves: this.moves,
      partitions,
      live: [],
      direction,
      limits,
      record: async () => undefined,
      emit: (event) => this.events.push(event),
      ...options,
    });
    this.isBaking = !this.isBaking;
    return result;
  }

  /** Tandem's own comparison. */
  async compare(options?: CompareOptions): Promise<TableVerification[]> {
    return verifyRows(this.pool, this.moves, this.isBaking ? 'baking' : 'before cutover', options);
  }

  /** Keys and reasons in quarantine. */
  async quarantined(): Promise<{ table: string; key: string[]; reason: string }[]> {
    const { rows } = await this.pool.query<{ table: string; key: string[]; reason: string }>(
      'SELECT table_name AS "table", key, reason FROM tandem.quarantine ORDER BY table_name, key',
    );
    return rows;
  }
}

/** Rows that one query gives and the other does not, both ways: independent of everything that Tandem knows of them. */
export async function symmetricDifference(pool: Pool, a: string, b: string): Promise<unknown[]> {
  const { rows } = await pool.query(
    `(SELECT 'only here' AS side, to_jsonb(x) AS row FROM (${a} EXCEPT ALL ${b}) x)
     UNION ALL (SELECT 'only there', to_jsonb(x) FROM (${b} EXCEPT ALL ${a}) x) ORDER BY 2, 1 LIMIT 20`,
  );
  return rows;
}
