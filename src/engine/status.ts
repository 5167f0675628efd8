import type { Pool } from 'pg';
import { displayName } from '../db/identifier.ts';
import { backlog } from '../move/change-log.ts';
import { listQuarantined, type QuarantinedRow } from '../move/quarantine.ts';
import { type LockAttempt, maybeLockAttempt, readControl } from './control.ts';
import type { Phase, StepState } from './events.ts';
import { type OlderBackends, olderBackends } from './recycle.ts';
import { hasState, isOpen, listSteps, maybeLatestRun } from './run-state.ts';
import { currentHolder, type Holder } from './runner-lock.ts';
import type { Plan } from './step.ts';
import { maybeObstacles } from './way-back.ts';

/** What `tandem status --json` prints: one document. `version` grows when a field changes its meaning. */
export interface Status {
  readonly version: 1;
  readonly phase: Phase;
  readonly plan: string;
  readonly started_at: string | null;
  readonly cutover_at: string | null;
  readonly cutover_lock_ms: number | null;
  readonly cutover_attempts: number;
  readonly steps: {
    name: string;
    guide: string;
    title: string;
    state: StepState;
    note: string | null;
    elapsed_ms: number | null;
  }[];
  readonly tables: {
    source: string;
    target: string;
    /** Estimated rows of the source when its copy began. */
    rows: number;
    copied: number;
    /** Rows copied per second, and seconds left; null where nothing is being copied. */
    rate: number | null;
    eta_seconds: number | null;
    /** Entries in the change log that are not drained yet. */
    lag: number;
  }[];
  readonly paused: boolean;
  /** Why the run is waiting right now: paused, throttled; null while it works. */
  readonly waiting_for: string | null;
  /** The last attempt at locks that gave them back, as long as they have not been obtained since. */
  readonly lock_attempt: LockAttempt | null;
  readonly quarantined: (Pick<QuarantinedRow, 'key' | 'reason'> & { table: string })[];
  /** Backends that may hold statements cached before the cutover, which `tandem recycle` ends; null unless a run bakes. */
  readonly older_backends: OlderBackends | null;
  /** What would make a rollback wait, as sentences; null unless a run bakes, and where the role may not look. */
  readonly way_back: readonly string[] | null;
  /** What the plan warns of as things stand, as sentences. */
  readonly warnings: readonly string[];
  readonly holder: { command: string; host: string; pid: number; since: string } | null;
}

/** Reads where the run stands. Reads only, and takes no lock that anybody waits for. */
export async function status(pool: Pool, plan: Plan): Promise<Status> {
  const run = await maybeLatestRun(pool);
  const nothing = {
    started_at: null,
    cutover_at: null,
    cutover_lock_ms: null,
    cutover_attempts: 0,
    steps: [],
    tables: [],
    quarantined: [],
    paused: false,
    waiting_for: null,
    lock_attempt: null,
    older_backends: null,
    way_back: null,
  };
  const warnings = (await plan.warnings?.(pool)) ?? [];
  const there = await hasState(pool);
  const holder = there ? describeHolder(await currentHolder(pool)) : null;
  if (run === null) {
    return {
      version: 1,
      phase: (await plan.isFinished(pool)) ? 'finished' : 'none',
      plan: plan.name,
      ...nothing,
      warnings,
      holder,
    };
  }
  const control = await readControl(pool);
  const steps = await listSteps(pool, run);
  const tables = [];
  const copyingSince = steps.find((step) => step.name === 'copy')?.started_at ?? null;
  if (isOpen(run)) for (const move of run.settings.moves) tables.push(await tableStatus(pool, move, copyingSince));
  return {
    version: 1,
    phase: run.phase,
    plan: run.plan,
    started_at: run.started_at.toISOString(),
    cutover_at: run.cutover_at?.toISOString() ?? null,
    cutover_lock_ms: run.cutover_lock_ms,
    cutover_attempts: run.cutover_attempts,
    steps: steps.map((step) => ({
      name: step.name,
      guide: step.guide,
      title: step.title,
      state: step.state,
      note: typeof step.detail['note'] === 'string' ? step.detail['note'] : null,
      elapsed_ms: step.started_at && step.finished_at ? step.finished_at.getTime() - step.started_at.getTime() : null,
    })),
    tables,
    paused: control.paused,
    waiting_for: control.waiting_for,
    lock_attempt: await maybeLockAttempt(pool),
    quarantined: (await listQuarantined(pool, 50)).map((row) => ({
      table: row.table_name,
      key: row.key,
      reason: row.reason,
    })),
    older_backends: await olderBackends(pool, run),
    way_back: run.phase === 'baking' ? await maybeObstacles(pool, run.settings.moves) : null,
    warnings,
    holder,
  };
}

/** `copyingSince`: what an earlier command copied, and the time until this one, say nothing of how fast it is now. */
async function tableStatus(
  pool: Pool,
  move: Parameters<typeof backlog>[1],
  copyingSince: Date | null,
): Promise<Status['tables'][number]> {
  const { rows } = await pool.query<{
    done: boolean;
    estimate: number;
    copied: number;
    seconds: number | null;
    /** Rows copied in these seconds: the first batch ends where they begin. */
    recent: number | null;
    there: boolean;
    blocks: number;
    read: number;
  }>(
    `SELECT t.copy_done AS done, t.rows_estimate::float8 AS estimate, t.copy_blocks AS blocks,
            coalesce(sum(r.rows), 0)::float8 AS copied, coalesce(sum(r.end_block - r.first_block), 0)::float8 AS read,
            extract(epoch FROM max(r.finished_at) - min(r.finished_at) FILTER (WHERE r.finished_at >= $3))::float8 AS seconds,
            (sum(r.rows) FILTER (WHERE r.finished_at >= $3)
              - (array_agg(r.rows ORDER BY r.finished_at) FILTER (WHERE r.finished_at >= $3))[1])::float8 AS recent,
            pg_catalog.to_regclass($2) IS NOT NULL AS there
       FROM tandem.moved_table t LEFT JOIN tandem.copied_range r ON r.table_name = t.name
      WHERE t.name = $1 GROUP BY t.name`,
    [move.name, `tandem."changes_${move.name}"`, copyingSince],
  );
  const row = rows[0];
  const copying = row !== undefined && !row.done && row.seconds !== null && row.seconds > 0;
  const rate = copying ? (row.recent ?? 0) / (row.seconds ?? 1) : null;
  const total = row && row.read > 0 && !row.done ? (row.copied * row.blocks) / row.read : (row?.estimate ?? 0);
  return {
    source: displayName(move.source),
    target: displayName(move.target),
    rows: Math.round(row?.done ? row.copied : Math.max(total, row?.copied ?? 0)),
    copied: row?.copied ?? 0,
    rate: rate === null ? null : Math.round(rate),
    eta_seconds: rate === null || rate === 0 ? null : Math.round(Math.max(0, total - (row?.copied ?? 0)) / rate),
    lag: row?.there ? await backlog(pool, move) : 0,
  };
}

function describeHolder(holder: Holder | null): Status['holder'] {
  return holder === null
    ? null
    : { command: holder.command, host: holder.host, pid: holder.pid, since: holder.since.toISOString() };
}
