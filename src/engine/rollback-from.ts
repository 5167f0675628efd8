import { resolve } from 'node:path';
import type { Pool, PoolClient } from 'pg';
import { loadFailure } from '../backup/copy-in.ts';
import { COPY_SETTINGS, NO_TRANSACTION_TIMEOUT } from '../backup/copy-settings.ts';
import { commonFailure } from '../backup/failures.ts';
import type { Manifest } from '../backup/manifest.ts';
import { loadTables } from '../backup/restore.ts';
import { inCopyTransaction } from '../backup/transaction.ts';
import { verifyBackup } from '../backup/verify-backup.ts';
import { readAttachments } from '../db/attachments.ts';
import type { Queryable } from '../db/connect.ts';
import { incomingForeignKeys } from '../db/describe-dependents.ts';
import { partitionNames } from '../db/describe-table.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { sqlStateOf } from '../db/sqlstate.ts';
import { attachChangeLogSql, changeLogFunctionSql, createChangeLogSql } from '../move/change-log.ts';
import { backward } from '../move/direction.ts';
import { logDifferences } from '../move/log-differences.ts';
import { lockOrder } from '../move/swap.ts';
import type { TableMove } from '../move/table-move.ts';
import { type Definitions, definitionsOf } from './definitions.ts';
import { TandemError } from './errors.ts';
import type { Emit } from './events.ts';
import { assertColumnsStand, assertNoColumnIsLost } from './live-columns.ts';
import { assertNoReferenceIsLost } from './live-references.ts';
import { asOneStep, type Task } from './one-step.ts';
import type { OnProgress } from './progress.ts';
import { catchUpRetired } from './retired.ts';
import { withLockRetry } from './retry-ddl.ts';
import {
  assertSamePlan,
  createState,
  insertRun,
  isOpen,
  maybeLatestRun,
  type Run,
  setAttachments,
  setPhase,
  setRestored,
  setStepState,
} from './run-state.ts';
import { withRunnerLock } from './runner-lock.ts';
import { lostReferences, withFollowedReferences } from './source-references.ts';
import type { Plan, RunOptions } from './step.ts';

/** What it does, in the order in which it tells of it. */
export const rollbackFromTasks = {
  check: { name: 'check', guide: '', title: 'Read the backup, and compare it with its manifest' },
  restore: { name: 'restore', guide: '', title: 'Make the flat tables of the backup beside the live ones' },
  changeLog: { name: 'change-log', guide: '', title: 'Log the keys of rows that are written from now on' },
  catchUp: { name: 'catch-up', guide: '', title: 'Bring over what was written since the backup' },
} as const satisfies Record<string, Task>;

interface Input {
  readonly pool: Pool;
  readonly plan: Plan;
  readonly options: RunOptions;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly directory: string;
}

/**
 * The way back where `finish` has dropped the retired tables: makes them again from a backup, beside the live ones, and
 * brings them up to date with every write made since the backup. Then a run bakes as it did before `finish`: `verify`
 * compares, `rollback` swaps, `finish` drops them again. Nothing is swapped here, and no live table is written to.
 *
 * Stopped anywhere, the same command completes it.
 *
 * @throws TD012 where a run is open that has its retired tables, or where the tables are flat; TD016 for another plan file
 * than the backup's; TD027 for live tables that the flat ones cannot follow any more; TD041 for a damaged backup; TD044
 * for one that the database does not take
 */
export async function rollbackFrom(input: Input): Promise<void> {
  const { pool, plan, emit } = input;
  const directory = resolve(input.directory);
  const begun = await maybeLatestRun(pool);
  if (isOpen(begun)) assertStandsOn(begun, plan, directory);
  else await assertNewShape(pool, plan);
  // Before anything is made: what cannot be restored leaves no trace.
  const backup = isOpen(begun) ? null : await checkBackup({ ...input, directory });
  await createState(pool);
  await withRunnerLock(pool, 'rollback', async (lost) => {
    const signal = AbortSignal.any([input.signal, lost]);
    const latest = await maybeLatestRun(pool);
    if (isOpen(latest)) assertStandsOn(latest, plan, directory);
    const run = await asOneStep(emit, rollbackFromTasks.restore, async () => {
      if (isOpen(latest)) return { result: latest, detail: 'they stand already' };
      return restoreBeside({ ...input, directory, signal }, backup ?? (await checkBackup({ ...input, directory })));
    });
    if (run.settings.restored?.complete === true) return;
    await asOneStep(emit, rollbackFromTasks.changeLog, async () => {
      await attachLogs({ ...input, signal }, run.settings.moves);
      return { result: null, detail: run.settings.moves.map((move) => displayName(move.source)).join(', ') };
    });
    await asOneStep(emit, rollbackFromTasks.catchUp, async () => {
      let differing = 0;
      for (const move of run.settings.moves) differing += await logDifferences(pool, backward(move), signal);
      // From here on the log alone knows what is missing, and every command drains it first.
      await setRestored(pool, run, { directory, complete: true });
      await catchUpRetired(pool, run, signal);
      if (signal.aborted) {
        throw new TandemError('TD022', 'Stopped while what was written since the backup was brought over.', {
          hint: 'The tables stand, and every command goes on with them: `tandem verify`, `tandem rollback`, `tandem finish`.',
        });
      }
      return { result: null, detail: `${differing.toLocaleString('en')} rows differed` };
    });
  });
}

function assertStandsOn(run: Run, plan: Plan, directory: string): void {
  const { restored } = run.settings;
  if (restored === null) {
    throw new TandemError('TD012', 'A run is open, and has its old tables: no backup is needed to go back.', {
      hint: '`tandem rollback` goes back, with every write made since.',
    });
  }
  if (restored.directory !== directory) {
    throw new TandemError('TD012', `The tables of another backup stand already: those of ${restored.directory}.`, {
      hint: '`tandem finish` drops them.',
    });
  }
  assertSamePlan(run, plan);
}

async function assertNewShape(pool: Pool, plan: Plan): Promise<void> {
  if (await plan.isFinished(pool)) return;
  throw new TandemError('TD012', 'The tables are flat: there is nothing to roll back.', {
    hint: 'To load a backup into empty tables: `tandem restore DIR`.',
  });
}

interface CheckedBackup {
  readonly manifest: Manifest;
  readonly definitions: Definitions;
}

/** Every byte of it; and that the live tables are still what its tables could follow. */
async function checkBackup({ pool, plan, emit, directory, signal }: Input): Promise<CheckedBackup> {
  return asOneStep(emit, rollbackFromTasks.check, async () => {
    const manifest = await verifyBackup(directory, { onProgress: progressOf(emit, rollbackFromTasks.check), signal });
    const definitions = definitionsOf(manifest, directory);
    assertBackupOf(definitions, plan);
    await assertColumnsStand(pool, definitions.moves);
    await assertNoColumnIsLost(pool, definitions.moves);
    return { result: { manifest, definitions }, detail: `${manifest.tables.length} files are what was written` };
  });
}

function progressOf(emit: Emit, task: Task): OnProgress {
  return (progress) => emit({ event: 'progress', step: task.name, ...progress });
}

/** All of it in one transaction: tables, rows, and the run that knows them. A live table is only read from. */
async function restoreBeside(
  { pool, plan, emit, directory, signal }: Input,
  { manifest, definitions }: CheckedBackup,
): Promise<{ result: Run; detail: string }> {
  const onProgress = progressOf(emit, rollbackFromTasks.restore);
  const moves = await withoutLost(pool, await withPresentReferences(pool, definitions.moves), emit);
  await assertNoReferenceIsLost(pool, moves);
  try {
    const run = await inCopyTransaction(pool, { begin: 'BEGIN', onFailure: 'rollback', signal }, async (client) => {
      await client.query(COPY_SETTINGS);
      await client.query(NO_TRANSACTION_TIMEOUT);
      for (const sql of definitions.create) await client.query(sql);
      await loadTables(client, retiredEntries(manifest, moves), { directory, onProgress, signal });
      for (const sql of definitions.complete) await client.query(sql);
      return insertRestored(client, { plan, moves, directory });
    });
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    return { result: run, detail: `${rows.toLocaleString('en')} rows` };
  } catch (error) {
    const failure = commonFailure(error, 'the restore', signal);
    if (failure !== null || sqlStateOf(error) === null) throw failure ?? error;
    throw loadFailure(error, null);
  }
}

function assertBackupOf({ plan: name, identity }: Definitions, plan: Plan): void {
  if (name === plan.name && JSON.stringify(identity) === JSON.stringify(plan.identity)) return;
  throw new TandemError('TD016', 'This backup was taken with another plan, or with other names in the plan file.', {
    hint: 'Give the plan file that it was taken with: --plan.',
  });
}

/** The files of the moved tables, to be loaded where the retired ones stand. */
function retiredEntries(manifest: Manifest, moves: readonly TableMove[]): Manifest['tables'] {
  return moves.map((move) => {
    const entry = manifest.tables.find((table) => quoteName(table) === quoteName(move.source));
    if (entry === undefined)
      throw new TandemError('TD044', `The backup has no file of ${displayName(move.source)}.`, {
        hint: 'Take a backup that has all tables that the plan moves.',
      });
    return { ...entry, ...move.retired };
  });
}

/** As a cutover leaves them: what refers to the live tables now is to refer to the flat ones after the way back. */
async function withPresentReferences(client: Queryable, moves: readonly TableMove[]): Promise<TableMove[]> {
  const moved = new Set(moves.map((move) => quoteName(move.source)));
  const result: TableMove[] = [];
  for (const move of moves) {
    const { table, columns } = move.identity;
    const keys = (await incomingForeignKeys(client, table)).filter((key) => !moved.has(quoteName(key.table)));
    const incoming = keys.map((key) => ({
      before: {
        ...key,
        references: move.source,
        referencedColumns: key.referencedColumns.map((c) => move.key[columns.indexOf(c)]?.source ?? c),
      },
      after: key,
    }));
    result.push({ ...move, incoming });
  }
  return result;
}

/**
 * What the flat tables referred to may have another name by now, or be gone. A live table's own foreign key goes with the
 * table that it refers to: somebody has given it up, and as the live tables are now is how they are meant.
 */
async function withoutLost(client: Queryable, moves: readonly TableMove[], emit: Emit): Promise<TableMove[]> {
  const followed = await withFollowedReferences(client, moves);
  const lost = await lostReferences(client, followed);
  for (const { key, what } of lost)
    emit({
      event: 'finding',
      severity: 'warning',
      subject: displayName(key.table),
      message: `foreign key ${key.name} does not come back: ${what}, to which it referred, is not there any more`,
    });
  return followed.map((move) => ({
    ...move,
    sourceForeignKeys: move.sourceForeignKeys.filter((own) => !lost.some(({ key }) => key === own)),
  }));
}

async function insertRestored(
  client: PoolClient,
  { plan, moves, directory }: { plan: Plan; moves: TableMove[]; directory: string },
): Promise<Run> {
  const restored = { directory, complete: false };
  const settings = { moves, options: plan.identity, restored };
  const run = await insertRun(client, plan.name, settings, plan.steps);
  // What the live tables are made of now is none of what the flat ones are.
  await client.query("UPDATE tandem.moved_table SET source_shape = '[]'");
  for (const move of moves)
    for (const sql of [
      ...createChangeLogSql(move),
      ...changeLogFunctionSql(move, 'source'),
      ...changeLogFunctionSql(move, 'target'),
    ])
      await client.query(sql);
  for (const step of plan.steps)
    await setStepState(client, run, step.name, 'done', step.name === 'backup' ? `restored from ${directory}` : null);
  await setPhase(client, run, 'baking');
  // No cutover of this run's: no backend is older than it.
  await client.query('UPDATE tandem.run SET cutover_at = NULL WHERE id = $1', [run.id]);
  // What hangs on the live tables now is what is meant.
  const now = await readAttachments(
    client,
    moves.map((move) => move.source),
  );
  await setAttachments(client, run, { source: now, carried: now });
  return { ...run, phase: 'baking', settings: { ...run.settings, restored } };
}

/** In the order in which the cutover locks, each table by itself: a writer waits for an instant. */
async function attachLogs(
  { pool, options, emit, signal }: Pick<Input, 'pool' | 'options' | 'emit' | 'signal'>,
  moves: readonly TableMove[],
): Promise<void> {
  for (const name of lockOrder(moves)) {
    const move = moves.find((m) => quoteName(m.source) === quoteName(name));
    if (move === undefined) continue;
    const partitions = (await partitionNames(pool, name)).map((partition) => ({
      schema: name.schema,
      name: partition,
    }));
    await withLockRetry(
      pool,
      `The change log of ${displayName(name)}`,
      async (client) => {
        for (const sql of attachChangeLogSql(move, name, 'target', partitions)) await client.query(sql);
      },
      { ...options.cutover, emit, signal },
    );
  }
}
