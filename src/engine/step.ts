import type { Pool } from 'pg';
import type { Client, Queryable } from '../db/connect.ts';
import type { QualifiedName } from '../db/identifier.ts';
import type { RecordedAttachments } from '../move/compare-attachments.ts';
import type { CutoverLimits } from '../move/cutover.ts';
import type { TableMove } from '../move/table-move.ts';
import type { Emit, Finding, Phase } from './events.ts';
import type { ReportContext, ReportSection } from './report.ts';

/** What a run was told on the command line or in the plan file. */
export interface RunOptions {
  readonly workers: number;
  readonly backupDir: string | null;
  readonly gzip: boolean;
  readonly createAuth: boolean;
  /** Bytes that are free on the server, where somebody says so. */
  readonly diskFree?: number;
  readonly cutover: CutoverLimits;
}

/** What a step works with. */
export interface StepContext {
  readonly pool: Pool;
  readonly moves: readonly TableMove[];
  readonly options: RunOptions;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Waits before the next batch while the run is paused or throttled. */
  readonly pace: () => Promise<void>;
  /** Moves the run to a phase, in the caller's transaction where one is given. */
  readonly setPhase: (phase: Phase, client?: Queryable) => Promise<void>;
  /** Stores moves that were completed by what the catalog says now. */
  readonly setMoves: (moves: readonly TableMove[]) => Promise<void>;
  /** Notes what hangs on the live tables, in the caller's transaction where one is given. */
  readonly recordAttachments: (attachments: RecordedAttachments, client?: Queryable) => Promise<void>;
  readonly recordCutover: (lockMs: number, attempts: number) => Promise<void>;
}

/** A statement that the run will make, for people to read before it does. */
export interface PlannedStatement {
  readonly sql: string;
  /** The lock it takes on a live table, and for how long; null where it touches none. */
  readonly lock: string | null;
  /** What it costs: `catalog only`, `scan of public.messages`, … */
  readonly cost: string;
  /** It cannot run inside a transaction. */
  readonly alone?: true;
}

/**
 * One unit of a plan. `apply` may be called again after any stop, and then completes what was begun. `check` only
 * reads. `verify` returns what does not hold; nothing is good news. A step that cannot be reverted says so in its type.
 */
export interface Step {
  readonly name: string;
  /** The numbers of the guide's steps that it carries out: `2, 3`. */
  readonly guide: string;
  readonly title: string;
  /** The phase that the run is in while it runs. */
  readonly phase: Phase;
  /** Its result goes stale while the application writes: it runs again on every resume until cutover. */
  readonly repeats?: true;
  /** Its `verify` speaks of names that the cutover swaps; afterwards others answer for it. */
  readonly beforeCutoverOnly?: true;
  readonly check?: (context: CheckContext) => Promise<Finding[]>;
  readonly plan: (context: CheckContext) => Promise<PlannedStatement[]>;
  readonly apply: (context: StepContext) => Promise<string | undefined>;
  readonly verify: (context: StepContext) => Promise<Finding[]>;
  readonly revert: ((context: StepContext) => Promise<void>) | 'nothing to revert' | 'irreversible';
  /** After `revert`, where the run is kept open: has the targets follow the live tables again, so that nothing is copied twice. */
  readonly reopen?: (context: StepContext) => Promise<void>;
}

/** What can be known before a run: nothing has been written yet, and nothing is. */
export interface CheckContext {
  readonly client: Client;
  readonly moves: readonly TableMove[];
  readonly options: RunOptions;
}

export interface Plan {
  readonly name: string;
  /** The names that it works on. A run that was begun with others cannot be gone on with, nor taken back, by this one. */
  readonly identity: Readonly<Record<string, unknown>>;
  readonly title: string;
  readonly steps: readonly Step[];
  /** The tables that a backup holds, by the names they have now. */
  readonly tables: (client: Queryable) => Promise<QualifiedName[]>;
  /** Resolves names and types against the live database. Reads only. Blocking findings mean that there is no move. */
  readonly resolve: (client: Client, options: RunOptions) => Promise<{ moves: TableMove[]; findings: Finding[] }>;
  /** True where the database already has the plan's end state, and no run is needed to reach it. */
  readonly isFinished: (client: Queryable) => Promise<boolean>;
  /** What is worth knowing once the names are swapped, beyond the comparison of rows. Changes nothing but what it is asked to. */
  readonly report?: (context: ReportContext) => Promise<ReportSection[]>;
  /** Sentences for whoever asks where the run stands: what does not hold now that did in another phase. Reads only. */
  readonly warnings?: (client: Queryable) => Promise<string[]>;
}
