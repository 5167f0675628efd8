import type { DemoStage } from '../demo/demo.ts';
import type { Emit } from '../engine/events.ts';
import type { Task } from '../engine/one-step.ts';
import type { OnProgress } from '../engine/progress.ts';
import { createDemoScreen } from './demo-screen.ts';
import { createReporter } from './reporter.ts';
import type { Terminal } from './terminal.ts';

/** Shows a demo while it goes on. */
export interface DemoView {
  readonly emit: Emit;
  readonly onStage: (stage: DemoStage) => void;
  /** Progress of the load; the migration tells its own through `emit`. */
  readonly onProgress: OnProgress;
  /** More about the stage at hand, beside its title once it is done. */
  note(text: string): void;
  close(): Promise<void>;
}

/** Stages and steps as task lists on a terminal, as lines in a pipe, as events with `--json`. */
export function createDemoView(
  terminal: Terminal,
  options: { json: boolean; tasks: readonly Task[]; stays?: boolean },
): DemoView {
  if (terminal.interactive && !options.json)
    return createDemoScreen(terminal, options.tasks, { stays: options.stays ?? false });
  const { emit, close } = createReporter(terminal, options);
  return {
    emit,
    close,
    note: (text) => terminal.line(text),
    onStage: (stage) =>
      terminal.line(options.json ? JSON.stringify({ event: 'stage', stage }) : `${stageTitles[stage]} …`),
    onProgress: (progress) => emit({ event: 'progress', step: 'load', ...progress }),
  };
}

export const stageTitles: Readonly<Record<DemoStage, string>> = {
  server: 'Start a private PostgreSQL',
  load: 'Fill the flat tables with lessons in four languages',
  before: 'Let clients write: the application as it was',
  migrate: 'Migrate under them',
  after: 'Let clients write on, to the new tables',
  verify: 'Verify every column of every row',
  ledger: 'Compare what the clients were told with the tables',
  stop: 'Stop the server',
};
