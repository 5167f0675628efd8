import type { Client, Pool } from '../db/connect.ts';
import { incomingForeignKeys, unmovableDependents, userTriggers } from '../db/describe-dependents.ts';
import { partitionNames } from '../db/describe-table.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import { assertHeldByRetired } from '../engine/held-by-retired.ts';
import { assertColumnsStand, assertNoColumnIsLost } from '../engine/live-columns.ts';
import { assertSourcesUnaltered } from '../engine/source-shape.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { attachChangeLogSql } from '../move/change-log.ts';
import { cutover } from '../move/cutover.ts';
import { ownPolicies, readDependents } from '../move/dependents.ts';
import { assertNotRewritten, assertUnaltered, readReferences, TablesChanged } from '../move/references.ts';
import { cutoverSql, lockOrder, type SwapInput } from '../move/swap.ts';
import type { ForeignKey, TableMove } from '../move/table-move.ts';
import { catchUp } from './drain.ts';
import { validateForeignKey } from './foreign-keys.ts';
import { compareRows } from './verify-rows.ts';

/** Swaps the names in one short transaction, and back again. */
export function cutoverStep(input: {
  guide: string;
  live: (moves: readonly TableMove[]) => string[];
  unlive: (moves: readonly TableMove[]) => string[];
  /** What the way back ends with, under the names that the tables had before. */
  returned: () => string[];
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
      return cutoverSql({ moves, partitions, live: input.live(moves) }).map((sql) => ({
        sql,
        lock,
        cost: 'catalog only',
      }));
    },
    apply: async (context) => {
      // Committed, and the process ended before it could note so.
      if (await isCutOver(context)) return 'the names are swapped already';
      const { lockMs, attempts } = await withCurrentTables(context, async (assertCurrent) => {
        await assertSourcesUnaltered(context.pool, context.moves);
        for (const move of context.moves) await assertMovable(context.pool, move.source);
        await catchUp(context);
        // Foreign keys and triggers may have been added since the run began, by this plan or by somebody else.
        await context.setMoves(await withCurrentDependents(context));
        return cutover({
          ...(await swapInput(context, 'target', input.live(context.moves))),
          pool: context.pool,
          direction: 'forward',
          limits: context.options.cutover,
          assertCurrent: async (client) => {
            await assertNotRewritten(client, context.moves);
            await assertCurrent(client);
          },
          record: (client) => context.setPhase('baking', client),
          emit: context.emit,
          signal: context.signal,
        });
      });
      context.emit({ event: 'phase', phase: 'baking' });
      await context.recordCutover(lockMs, attempts);
      return `locks held ${lockMs.toFixed(1)} ms, attempt ${attempts}`;
    },
    verify: async () => [],
    revert: async (context) => {
      if (await isCutOver(context)) {
        await withCurrentTables(context, async (assertCurrent) =>
          cutover({
            ...(await swapInput(context, 'source', input.unlive(context.moves))),
            pool: context.pool,
            direction: 'back',
            limits: context.options.cutover,
            assertCurrent: async (client) => {
              await assertColumnsStand(client, context.moves);
              await assertNoColumnIsLost(client, context.moves);
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
          }),
        );
        context.emit({ event: 'phase', phase: 'ready' });
      }
      await validateReturned(context);
    },
  };
}

/** How often the swap is prepared anew because somebody altered the tables meanwhile. */
const MAX_PREPARATIONS = 5;

/**
 * The swap is prepared while nobody is locked out: what the tables are made of, and what hangs on them, is read first.
 * What somebody alters after that would stay with the old version, so that `assertCurrent`, one look at the catalog under
 * the locks, has the swap prepared anew.
 */
async function withCurrentTables<T>(
  context: StepContext,
  swap: (assertCurrent: (client: Client) => Promise<void>) => Promise<T>,
): Promise<T> {
  const { pool, moves, emit } = context;
  const tables = moves.map((move) => move.source);
  for (let tries = 1; ; tries++) {
    const before = await readReferences(pool, tables);
    try {
      return await swap((client) => assertUnaltered(client, tables, before));
    } catch (error) {
      if (!(error instanceof TablesChanged)) throw error;
      if (tries >= MAX_PREPARATIONS) {
        throw new TandemError('TD027', 'The live tables are altered again and again while the swap is prepared.', {
          hint: 'Stop what alters them, and run the same command again.',
          detail: error.message,
        });
      }
      emit({ event: 'note', message: `${error.message} The swap is prepared again.` });
      const [difference] = error.rewritten ? await compareRows(context) : [];
      if (difference) {
        throw new TandemError('TD030', `${error.message} ${difference.subject}: ${difference.message}.`, {
          hint: 'The live table is right and serves on. Go back with `tandem rollback`, and begin anew.',
        });
      }
    }
  }
}

async function assertMovable(pool: Pool, table: QualifiedName): Promise<void> {
  const [what] = await unmovableDependents(pool, table);
  if (what === undefined) return;
  throw new TandemError('TD017', `${what} depends on ${displayName(table)} and would stay with the old table.`, {
    hint: 'Drop it, run the same command again, and create it again afterwards.',
  });
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
): Promise<SwapInput> {
  const partitions = new Map<string, readonly string[]>();
  for (const move of context.moves) partitions.set(move.name, await partitionNames(context.pool, move[newTable]));
  const sources = context.moves.map((move) => move.source);
  const forward = newTable === 'target';
  const partitioned = sources.filter((_, i) => (partitions.get(context.moves[i]?.name ?? '')?.length ?? 0) > 0);
  const dependents = await readDependents(context.pool, sources, forward ? partitioned : []);
  // The retired tables keep their own policies; the new ones get them under the live name, where what they mention is new too.
  const policies = [];
  if (forward) for (const table of sources) policies.push(...(await ownPolicies(context.pool, table, table)));
  return {
    moves: context.moves,
    partitions,
    live,
    dependents: { drop: dependents.drop, create: [...policies, ...dependents.create] },
  };
}

async function withCurrentDependents({ pool, moves }: StepContext): Promise<TableMove[]> {
  const moved = new Set(moves.map((move) => quoteName(move.source)));
  const result: TableMove[] = [];
  for (const move of moves) {
    const keys = await incomingForeignKeys(pool, move.source);
    const outside = keys.filter((key) => !moved.has(quoteName(key.table)));
    result.push({
      ...move,
      incoming: outside.map((key) => ({ before: key, after: redirected(key, move) })),
      userTriggers: await userTriggers(pool, move.source),
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

/** The flat tables' foreign keys came back NOT VALID; they were valid, and every row since came through valid ones. */
async function validateReturned(context: StepContext): Promise<void> {
  for (const move of context.moves) {
    for (const key of [...move.sourceForeignKeys, ...move.incoming.map((i) => i.before)]) {
      if (key.validated) await validateForeignKey(context, key.table, key);
    }
  }
}
