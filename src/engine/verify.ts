import type { Pool } from 'pg';
import { readAttachments } from '../db/attachments.ts';
import type { Queryable } from '../db/connect.ts';
import { attachmentFindings } from '../move/compare-attachments.ts';
import { backward, forward } from '../move/direction.ts';
import { applyTruncate } from '../move/drain.ts';
import { countQuarantined, listQuarantined } from '../move/quarantine.ts';
import { awaitsTruncate, differencesAsFindings, type TableVerification, verifyRows } from '../move/verify-rows.ts';
import { acceptPresent } from './accept-present.ts';
import { TandemError } from './errors.ts';
import type { Emit, Finding, Phase } from './events.ts';
import type { ReportContext, ReportOptions, ReportSection } from './report.ts';
import { catchUpRetiredIfFree } from './retired.ts';
import {
  assertNotRestoring,
  assertNotRollingBack,
  assertSamePlan,
  isOpen,
  listSteps,
  maybeLatestRun,
  type Run,
  upgradeState,
} from './run-state.ts';
import type { Plan, RunOptions } from './step.ts';
import { stepContext } from './step-context.ts';

export interface VerifyResult {
  readonly ok: boolean;
  readonly phase: Phase;
  readonly tables: TableVerification[];
  readonly findings: Finding[];
  /** Where one was asked for, and the names are swapped. What it found is among the findings. */
  readonly report: ReportSection[] | null;
}

/**
 * The whole verification, at any time after the copy: every column of every row of each table against its other
 * version, what is in quarantine, what hangs on the live tables, and every step's own `verify`. While baking, it brings the
 * retired tables up to date first, unless another command holds the run.
 */
export async function verify(input: {
  pool: Pool;
  plan: Plan;
  options: RunOptions;
  emit: Emit;
  signal: AbortSignal;
  /** Asks for the plan's report. */
  report?: ReportOptions;
  /** Takes what hangs on the live tables now as what is expected of them from here on. */
  accept?: boolean;
}): Promise<VerifyResult> {
  const { pool, plan, options, emit, signal } = input;
  let run = await maybeLatestRun(pool);
  if (!isOpen(run)) return verifyShape(input);
  assertSamePlan(run, plan);
  assertNotRollingBack(run);
  assertNotRestoring(run);
  const steps = await listSteps(pool, run);
  const done = new Set(steps.filter((s) => s.state === 'done').map((s) => s.name));
  if (!done.has('build')) {
    throw new TandemError('TD012', 'The copy is not complete yet: there is nothing to compare.', {
      hint: 'Let `tandem migrate` go on, and verify after the copy.',
    });
  }
  const baking = run.phase === 'baking';
  if (baking && input.accept === true) {
    await upgradeState(pool);
    run = await acceptPresent(pool, run, done);
  }
  const moves = run.settings.moves;
  if (baking) await catchUpRetiredIfFree(pool, run, signal);
  if (await awaitsTruncate(pool, moves)) {
    for (const move of moves) await applyTruncate(pool, baking ? backward(move) : forward(move));
  }
  const tables = await verifyRows(pool, moves, baking ? 'baking' : 'before cutover', { bits: 128 });
  const findings: Finding[] = differencesAsFindings(tables);
  findings.push(...(await quarantineFindings(pool, baking)));
  if (baking) findings.push(...(await missingAttachments(pool, run)));
  const quiet = { ...stepContext(pool, run, options, emit, signal), setPhase: async () => undefined };
  for (const step of plan.steps) {
    // Rows are compared above; steps before the cutover speak of names that have been swapped since.
    if (!done.has(step.name) || step.name === 'verify-rows' || (baking && step.beforeCutoverOnly)) continue;
    findings.push(...(await step.verify(quiet)));
  }
  const report = run.phase === 'baking' ? await reportOf(input, { phase: run.phase, moves, steps }) : null;
  return verdict({ phase: run.phase, tables, findings, report });
}

async function reportOf(
  { pool, plan, signal, report: options }: Parameters<typeof verify>[0],
  known: Pick<ReportContext, 'phase' | 'moves' | 'steps'>,
): Promise<ReportSection[] | null> {
  return (options && (await plan.report?.({ pool, signal, options, ...known }))) ?? null;
}

function verdict(result: Omit<VerifyResult, 'ok'>): VerifyResult {
  const findings = [...result.findings, ...(result.report ?? []).flatMap((section) => section.findings)];
  return { ...result, findings, ok: !findings.some((f) => f.severity === 'blocks') };
}

/** Where there is no second version to compare with, as after `finish`: the shape itself is verified. */
export async function verifyShape(input: Parameters<typeof verify>[0]): Promise<VerifyResult> {
  const { pool, plan, options, emit, signal } = input;
  if (!(await plan.isFinished(pool))) {
    throw new TandemError('TD012', 'There is no run to verify in this database.', {
      hint: '`tandem migrate` begins one.',
    });
  }
  const findings: Finding[] = [];
  const context = {
    pool,
    moves: [],
    options,
    emit,
    signal,
    pace: async () => undefined,
    setPhase: async () => undefined,
    setMoves: async () => undefined,
    recordAttachments: async () => undefined,
    recordCutover: async () => undefined,
  };
  for (const step of plan.steps)
    if (!step.beforeCutoverOnly && step.name !== 'verify-rows') findings.push(...(await step.verify(context)));
  const report = await reportOf(input, { phase: 'finished', moves: [], steps: [] });
  return verdict({ phase: 'finished', tables: [], findings, report });
}

/** What hung on the live tables before the cutover, or right after it, and is gone or altered. */
export async function missingAttachments(client: Queryable, run: Run): Promise<Finding[]> {
  if (run.attachments === null) return [];
  const { moves } = run.settings;
  const now = await readAttachments(
    client,
    moves.map((move) => move.source),
  );
  return attachmentFindings(run.attachments, now, moves);
}

async function quarantineFindings(pool: Pool, baking: boolean): Promise<Finding[]> {
  const count = await countQuarantined(pool);
  if (count === 0) return [];
  const rows = await listQuarantined(pool, 20);
  return [
    ...rows.map((row) => ({
      severity: 'blocks' as const,
      subject: row.table_name,
      message: `row ${row.key.join(',')} is in quarantine: ${row.reason}`,
      hint: baking
        ? 'The retired table cannot hold it, and a rollback would lose it: change the row, or widen the table `tandem.…_backup`.'
        : 'Mend the row in the live table, or map its value in the plan file; then `tandem migrate` goes on.',
    })),
    ...(count > rows.length
      ? [{ severity: 'blocks' as const, subject: 'quarantine', message: `and ${count - rows.length} more rows` }]
      : []),
  ];
}
