import type { Pool } from 'pg';
import type { TableMove } from '../move/table-move.ts';
import type { Finding, Phase } from './events.ts';
import type { StepRecord } from './run-state.ts';

/** What a report was asked for beyond what it looks at by itself. */
export interface ReportOptions {
  /** Refresh each materialized view to measure it, rather than tell the last known time. */
  readonly refresh: boolean;
  /** The folder of a backup whose files are to be read and compared with its manifest. */
  readonly backupDir: string | null;
}

/** What a plan's report works with. */
export interface ReportContext {
  readonly pool: Pool;
  readonly phase: Extract<Phase, 'baking' | 'finished'>;
  /** Empty after `finish`: the retired tables are gone, and so is what was known of them. */
  readonly moves: readonly TableMove[];
  /** The run's steps, with their times; empty after `finish`. */
  readonly steps: readonly StepRecord[];
  readonly options: ReportOptions;
  readonly signal: AbortSignal;
}

/** How a column's values are written and drawn. `verdict` holds `ok`, `note`, `warning` or `blocks`. */
export type ColumnKind = 'text' | 'code' | 'count' | 'bytes' | 'milliseconds' | 'verdict';

export interface ReportColumn {
  readonly key: string;
  readonly title: string;
  readonly kind: ColumnKind;
  /** Drawn as bars: columns of one section with the same word share a scale. */
  readonly scale?: string;
}

export type ReportRow = Readonly<Record<string, string | number | boolean | null>>;

/** One heading of the report: a table, what is behind it, and what does not hold. */
export interface ReportSection {
  readonly key: string;
  readonly title: string;
  /** What the guide calls it: `Data Integrity`. */
  readonly guide: string;
  readonly columns: readonly ReportColumn[];
  readonly rows: readonly ReportRow[];
  /** Longer text behind the rows, such as query plans. */
  readonly details: readonly { readonly title: string; readonly text: string }[];
  readonly findings: readonly Finding[];
  readonly elapsedMs: number;
}
