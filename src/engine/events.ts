import type { Progress } from './progress.ts';

/** The phases of a run, in their order; `none` is the phase of a database that no run has touched. */
export const phases = [
  'none',
  'preparing',
  'copying',
  'draining',
  'ready',
  'baking',
  'rolled_back',
  'finished',
] as const;
export type Phase = (typeof phases)[number];

export type StepState = 'pending' | 'running' | 'done' | 'failed' | 'reverted';

/** Something worth knowing before (`check`) or after (`verify`). A blocking finding stops the run before it changes anything. */
export interface Finding {
  readonly severity: 'blocks' | 'warning' | 'note';
  readonly subject: string;
  readonly message: string;
  readonly hint?: string;
}

/** Everything that a run tells while it works. CLI, logs and pages subscribe; nothing below them prints. */
export type TandemEvent =
  | { event: 'phase'; phase: Phase }
  | {
      event: 'step';
      name: string;
      guide: string;
      title: string;
      state: StepState;
      detail?: string;
      elapsed_ms?: number;
    }
  | ({ event: 'progress'; step: string } & Progress)
  | ({ event: 'finding' } & Finding)
  | { event: 'note'; message: string }
  | { event: 'throttle'; reason: string | null }
  | { event: 'drained'; table: string; taken: number; written: number; removed: number; unfit: number }
  | { event: 'verified'; table: string; rows: number; left_out: number; differences: number; elapsed_ms: number }
  | { event: 'lock_attempt'; purpose: string; attempt: number; attempts: number; obtained: boolean; reason?: string }
  | { event: 'cutover'; direction: 'forward' | 'back'; lock_ms: number; attempts: number };

export type Emit = (event: TandemEvent) => void;
