import { type Attachment, readAttachments } from '../db/attachments.ts';
import type { Queryable } from '../db/connect.ts';
import { incomingForeignKeys, userTriggers } from '../db/describe-dependents.ts';
import { leafPartitions, partitionNames } from '../db/describe-table.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { assertHeldByRetired } from '../engine/held-by-retired.ts';
import { assertColumnsStand, assertNoColumnIsLost } from '../engine/live-columns.ts';
import { assertNoReferenceIsLost } from '../engine/live-references.ts';
import { assertSourcesUnaltered } from '../engine/source-shape.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { attachChangeLogSql } from '../move/change-log.ts';
import { isReplaced } from '../move/compare-attachments.ts';
import { cutover, validateSql } from '../move/cutover.ts';
import { type Dependents, readDependents } from '../move/dependents.ts';
import { forward } from '../move/direction.ts';
import { hangingOn } from '../move/hanging.ts';
import { logDifferences } from '../move/log-differences.ts';
import { assertNotRewritten } from '../move/references.ts';
import { assertStandBeside, besideSql, fillSql, standViewsBeside } from '../move/stand-views.ts';
import { cutoverSql, lockOrder, type SwapInput } from '../move/swap.ts';
import type { ForeignKey, TableMove } from '../move/table-move.ts';
import { assertNothingLate, recordCarried } from './carried.ts';
import { assertMovable, assertNamesFree, withCurrentTables } from './current-tables.ts';
import { catchUp } from './drain.ts';
import { validateWithPartitions } from './foreign-keys.ts';
import { tellLeftBehind } from './left-behind.ts';
import { assertReturnable } from './returnable.ts';
import { assertReturnedWhole } from './returned-rows.ts';

/** Swaps the names in one short transaction, and back again. */
export function cutoverStep(input: {
  guide: string;
  live: (moves: readonly TableMove[]) => string[];
  unlive: (moves: readonly TableMove[]) => string[];
  /** What hangs on the live tables and is not carried, because the plan sets its own. */
  replaces?: (attachment: Attachment) => boolean;
  /** What the way back ends with, under the names that the tables had before. */
  returned: () => string[];
  /** What targets that the names were taken from again need to be filled on, and the cutover took away. */
  reopened?: (moves: readonly TableMove[]) => string[];
}): Step {
  return {
    name: 'cutover',
    guide: input.guide,
    title: 'Swap the names',
    phase: 'ready',
    plan: async ({ client, moves }) => {
      const partitions = new Map<string, string[]>();
      for (const move of moves) partitions.set(move.name, await partitionNames(client, move.target));
      const lock = `ACCESS EXCLUSIVE on ${lockOrder(moves).map(displayName).join(', ')}, for less than the limit`;
      const dependents = await hangingOn(client, moves, partitions);
      const standing = dependents.views.filter((view) => view.stands);
      const beside = [
        ...besideSql(moves, 'target', standing),
        ...standing.filter((view) => view.populated).map(fillSql),
      ].map((sql) => ({
        sql,
        lock: null,
        cost: 'beside, before the locks: a materialized view reads what it reads once',
      }));
      const leaves = await incomingLeaves(client, moves);
      const swap = [
        ...dependents.drop,
        ...cutoverSql({ moves, partitions, leaves, live: input.live(moves), dependents }),
      ].map((sql) => ({ sql, lock, cost: 'catalog only' }));
      return [...beside, ...swap];
    },
    apply: async (context) => {
      // Committed, and the process ended before it could note so.
      if (await isCutOver(context)) {
        await recordCarried(context);
        return 'the names are swapped already';
      }
      let source: Attachment[] = [];
      const { lockMs, attempts } = await withCurrentTables(context, async (assertCurrent) => {
        await assertSourcesUnaltered(context.pool, context.moves);
        await assertMovable(context.pool, sourcesOf(context.moves));
        await assertNamesFree(context.pool, context.moves);
        await catchUp(context);
        await assertNothingLate(context, input.replaces);
        // Foreign keys and triggers may have been added since the run began, by this plan or by somebody else.
        await context.setMoves(await withCurrentDependents(context.pool, context.moves));
        await fillBeside(context, 'target');
        const swap = await swapInput(context, 'target', input.live(context.moves));
        await assertStandBeside(context.pool, swap.dependents.views);
        return cutover({
          ...swap,
          pool: context.pool,
          direction: 'forward',
          limits: context.options.cutover,
          beforeLocks: async (client) => {
            const attachments = await readAttachments(client, sourcesOf(context.moves));
            source = attachments.filter((a) => !isReplaced(a, context.moves) && input.replaces?.(a) !== true);
          },
          assertCurrent: async (client) => {
            await assertNotRewritten(client, context.moves);
            await assertCurrent(client);
          },
          record: async (client) => {
            await context.recordAttachments({ source, carried: null }, client);
            await context.setPhase('baking', client);
          },
          emit: context.emit,
          signal: context.signal,
        });
      });
      context.emit({ event: 'phase', phase: 'baking' });
      await context.recordCutover(lockMs, attempts);
      await recordCarried(context);
      return `locks held ${lockMs.toFixed(1)} ms, attempt ${attempts}`;
    },
    verify: async () => [],
    revert: async (context) => {
      if (await isCutOver(context)) {
        await tellLeftBehind(context);
        await withCurrentTables(context, async (assertCurrent) => {
          await assertReturnable(context.pool, context.moves);
          await fillBeside(context, 'retired');
          return cutover({
            ...(await swapInput(context, 'source', input.unlive(context.moves))),
            pool: context.pool,
            direction: 'back',
            limits: context.options.cutover,
            assertCurrent: async (client) => {
              await assertColumnsStand(client, context.moves);
              await assertNoColumnIsLost(client, context.moves);
              await assertNoReferenceIsLost(client, context.moves);
              await assertCurrent(client);
            },
            record: async (client) => {
              await assertHeldByRetired(client);
              // From the first moment on, and until the rest is taken back: nothing that is written is missed.
              for (const move of context.moves)
                for (const sql of attachChangeLogSql(move, move.source, 'source')) await client.query(sql);
              for (const sql of input.returned()) await client.query(sql);
              await context.setPhase('ready', client);
            },
            emit: context.emit,
            signal: context.signal,
          });
        });
        context.emit({ event: 'phase', phase: 'ready' });
      }
      await assertReturnedWhole(context);
      await validateReturned(context);
    },
    reopen: async ({ pool, moves, signal }) => {
      // The next cutover gives the new tables the live ones' policies again, as they are by then.
      for (const move of moves) for (const sql of await withoutCarriedPolicies(pool, move)) await pool.query(sql);
      for (const sql of input.reopened?.(moves) ?? []) await pool.query(sql);
      // What the flat tables hold less exactly, or not at all, reads otherwise now that it has gone back.
      for (const move of moves) await logDifferences(pool, forward(move, moves), signal);
    },
  };
}

async function withoutCarriedPolicies(client: Queryable, move: TableMove): Promise<string[]> {
  const { rows } = await client.query<{ sql: string }>(
    `SELECT pg_catalog.format('DROP POLICY IF EXISTS %I ON %s', polname, $2::text) AS sql
       FROM pg_catalog.pg_policy WHERE polrelid = $1::regclass ORDER BY polname`,
    [quoteName(move.source), quoteName(move.target)],
  );
  return rows.map((row) => row.sql);
}

/** Materialized views over the tables that are about to take the live names: filled while the live ones serve. */
async function fillBeside({ pool, moves, emit }: StepContext, side: 'target' | 'retired'): Promise<void> {
  for (const view of await standViewsBeside(pool, moves, side))
    emit({ event: 'note', message: `${view} is filled over the tables that are about to be live` });
}

/** The names tell: after the swap, the retired table stands where it was put. */
async function isCutOver({ pool, moves }: StepContext): Promise<boolean> {
  const first = moves[0];
  if (!first) return false;
  const { rows } = await pool.query<{ there: boolean }>('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there', [
    quoteName(first.retired),
  ]);
  return rows[0]?.there === true;
}

async function swapInput(
  context: StepContext,
  newTable: 'target' | 'source',
  live: readonly string[],
): Promise<SwapInput & { readonly dependents: Pick<Dependents, 'views'> }> {
  const partitions = new Map<string, readonly string[]>();
  for (const move of context.moves) partitions.set(move.name, await partitionNames(context.pool, move[newTable]));
  const { moves, pool } = context;
  const dependents =
    newTable === 'target' ? await hangingOn(pool, moves, partitions) : await readDependents(pool, sourcesOf(moves), []);
  return { moves, partitions, leaves: await incomingLeaves(pool, moves), live, dependents };
}

/** The partitions of tables outside that are partitioned. */
export async function incomingLeaves(
  client: Queryable,
  moves: readonly TableMove[],
): Promise<ReadonlyMap<string, readonly QualifiedName[]>> {
  const leaves = new Map<string, readonly QualifiedName[]>();
  for (const { before } of moves.flatMap((move) => move.incoming)) {
    const parts = await leafPartitions(client, before.table);
    if (parts !== null) leaves.set(quoteName(before.table), parts);
  }
  return leaves;
}

const sourcesOf = (moves: readonly TableMove[]) => moves.map((move) => move.source);

/** The moves with the foreign keys of other tables and the triggers that there are by now. */
export async function withCurrentDependents(client: Queryable, moves: readonly TableMove[]): Promise<TableMove[]> {
  const moved = new Set(moves.map((move) => quoteName(move.source)));
  const result: TableMove[] = [];
  for (const move of moves) {
    const keys = await incomingForeignKeys(client, move.source);
    const outside = keys.filter((key) => !moved.has(quoteName(key.table)));
    result.push({
      ...move,
      incoming: outside.map((key) => ({ before: key, after: redirected(key, move) })),
      userTriggers: await userTriggers(client, move.source),
    });
  }
  return result;
}

/** A foreign key on the source's key, pointed at what identifies the rows after cutover. */
export function redirected(key: ForeignKey, move: TableMove): ForeignKey {
  const columns = key.referencedColumns.map((column) => {
    const place = move.key.findIndex((k) => k.source === column);
    return place === -1 ? column : (move.identity.columns[place] ?? column);
  });
  return { ...key, references: move.identity.table, referencedColumns: columns };
}

/**
 * The flat tables' foreign keys came back NOT VALID; they were valid, and every row since came through valid ones. Where
 * somebody dropped one meanwhile, rows may have come that it refuses: they are no reason to leave the way back undone.
 */
async function validateReturned(context: StepContext): Promise<void> {
  for (const key of context.moves.flatMap((m) => [...m.sourceForeignKeys, ...m.incoming.map((i) => i.before)])) {
    if (!key.validated) continue;
    try {
      await validateWithPartitions(context, key.table, key);
    } catch (error) {
      if (sqlStateOf(error) !== SqlState.foreignKeyViolation) throw error;
      context.emit({
        event: 'finding',
        severity: 'warning',
        subject: displayName(key.table),
        message: `foreign key ${key.name} stands NOT VALID: ${error instanceof Error ? error.message : error}`,
        hint: `Mend the rows, then: ${validateSql(key.table, key.name)};`,
      });
    }
  }
}
