import type { SessionsConfig } from '../../plans/sessions/config.ts';
import type { SessionsNames } from '../../plans/sessions/names.ts';
import type { Store } from '../client/store.ts';
import type { Pool } from '../db/connect.ts';
import type { LatencyReport } from '../demo/latency.ts';
import type { Plan, RunOptions } from '../engine/step.ts';
import type { BackgroundRun } from './background-run.ts';
import type { Environment } from './environment.ts';
import type { Live } from './live.ts';

/** What the demo's clients wait for, where a demo runs. */
export interface ClientsView extends Pick<LatencyReport, 'statements' | 'latency' | 'longestStall' | 'timeline'> {
  /** On the same clock as the timeline. */
  readonly cutoverAtMs: number | null;
}

/** What the pages work with. */
export interface Dashboard {
  readonly pool: Pool;
  readonly plan: Plan;
  readonly config: SessionsConfig;
  readonly names: SessionsNames;
  readonly options: RunOptions;
  readonly store: Store;
  /** Name of the database, which is typed to confirm what cannot be taken back lightly. */
  readonly database: string;
  readonly environment: Environment;
  readonly readOnly: boolean;
  readonly run: BackgroundRun;
  readonly live: Live;
  readonly clients: () => ClientsView | null;
}
