import type { Pool } from 'pg';
import { type Client, inTransaction } from '../db/connect.ts';
import { describeTable } from '../db/describe-table.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { collectFindings, permitted } from './check.ts';
import { diskNeed } from './disk.ts';
import { TandemError } from './errors.ts';
import type { Finding, Phase, StepState } from './events.ts';
import { missingPrivileges, privilegeFindings } from './privileges.ts';
import { isOpen, listSteps, maybeLatestRun, type Run } from './run-state.ts';
import type { Plan, PlannedStatement, RunOptions } from './step.ts';

/** What `tandem plan --json` prints: one document. `version` grows when a field changes its meaning. */
export interface PlanDescription {
  readonly version: 1;
  /** Nothing blocks the migration. */
  readonly ok: boolean;
  readonly plan: string;
  readonly title: string;
  /** The run that is open, which `tandem migrate` would go on with; null where it would begin one. */
  readonly run: { readonly phase: Phase; readonly started_at: string } | null;
  /** `rows` is the planner's estimate; `bytes` are those of heap, indexes and TOAST. */
  readonly tables: { source: string; target: string; rows: number; bytes: number }[];
  /** Empty where a finding blocks so early that there is nothing to tell. `state` is null where no run is open. */
  readonly steps: {
    name: string;
    guide: string;
    title: string;
    state: StepState | null;
    statements: PlannedStatement[];
  }[];
  readonly findings: Finding[];
  /** Bytes that targets, indexes and change log may need beside the live tables. */
  readonly disk_bytes: number;
  readonly estimated_seconds: number;
}

// Measured with bench/copy.ts on two cores: copy and indexes of messages with their search vectors, the slower of the two.
const SECONDS_PER_ROW_AND_WORKER = 1 / 60_000;

/**
 * Reads the live database, in a read-only transaction, and says what a run would do to it.
 *
 * @throws TD012 after the cutover: the live tables already have the plan's shape
 */
export async function describePlan(pool: Pool, plan: Plan, options: RunOptions): Promise<PlanDescription> {
  const run = await maybeLatestRun(pool);
  if (run?.phase === 'baking' || (!isOpen(run) && (await plan.isFinished(pool)))) {
    throw new TandemError('TD012', 'This database already has the shape that the plan leads to.', {
      hint: '`tandem status` and `tandem verify` look at the result.',
    });
  }
  return inTransaction(
    pool,
    (client) => describe(client, plan, options, isOpen(run) ? run : null),
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
}

async function describe(client: Client, plan: Plan, options: RunOptions, run: Run | null): Promise<PlanDescription> {
  const { moves, findings } = await plan.resolve(client, options);
  const missing = await missingPrivileges(client, moves);
  findings.push(...privilegeFindings(missing));
  const tables = [];
  for (const move of moves) {
    const table = await describeTable(client, move.source);
    tables.push({
      source: displayName(move.source),
      target: displayName(move.target),
      rows: await permitted(
        client,
        missing,
        () => estimateRows(client, move.source, table?.heapBytes ?? 0),
        table?.estimatedRows ?? 0,
      ),
      bytes: table?.totalBytes ?? 0,
    });
  }
  // A run that is open was checked when it began, and has made what a check would take for somebody else's.
  if (run === null && moves.length > 0)
    findings.push(...(await collectFindings(client, plan, moves, options, missing)));
  const states = new Map(run === null ? [] : (await listSteps(client, run)).map((step) => [step.name, step.state]));
  const steps = [];
  for (const step of moves.length === 0 ? [] : plan.steps) {
    steps.push({
      name: step.name,
      guide: step.guide,
      title: step.title,
      state: states.get(step.name) ?? null,
      statements: await permitted(client, missing, () => step.plan({ client, moves, options }), []),
    });
  }
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return {
    version: 1,
    ok: !findings.some(({ severity }) => severity === 'blocks'),
    plan: plan.name,
    title: plan.title,
    run: run && { phase: run.phase, started_at: run.started_at.toISOString() },
    tables,
    steps,
    findings,
    disk_bytes: diskNeed(bytes),
    estimated_seconds: Math.ceil((rows * SECONDS_PER_ROW_AND_WORKER) / Math.min(options.workers, 2)) + 2,
  };
}

/** Below this a table is counted: the planner takes a small table that was never analyzed for ten blocks at least. */
const COUNTED_BYTES = 8 * 1024 * 1024;

/** The planner's own estimate: it knows how many blocks there are now, also where nothing was ever analyzed. */
async function estimateRows(client: Client, table: QualifiedName, heapBytes: number): Promise<number> {
  if (heapBytes < COUNTED_BYTES) {
    const counted = await client.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${quoteName(table)}`);
    return counted.rows[0]?.rows ?? 0;
  }
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    `EXPLAIN (FORMAT JSON) SELECT FROM ${quoteName(table)}`,
  );
  return Math.round(rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0);
}
