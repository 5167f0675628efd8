import type { DemoStage } from '../demo/demo.ts';
import type { Task } from '../engine/one-step.ts';
import { colors as pc } from './colors.ts';
import { type DemoView, stageTitles } from './demo-view.ts';
import { formatDuration } from './format.ts';
import { createProgressLines } from './progress-lines.ts';
import type { Reporter } from './reporter.ts';
import { createLiveReporter } from './reporter-live.ts';
import { createTaskList, type TaskList } from './task-list.ts';
import type { Terminal } from './terminal.ts';

const BEFORE = ['server', 'load', 'before'] as const;
const AFTER = ['after', 'verify', 'ledger'] as const;

/**
 * Three task lists one below the other: what comes before the migration, its steps, what comes after it. One list with
 * all of them would be higher than many a terminal. Where the server `stays`, the last list ends with the comparison.
 */
export function createDemoScreen(terminal: Terminal, tasks: readonly Task[], { stays }: { stays: boolean }): DemoView {
  // A demo stops so soon that there is nothing to say before it has.
  terminal.onStop(() => undefined);
  const quiet: Terminal = { ...terminal, onStop: () => undefined };
  const progress = createProgressLines();
  /** Resolves once the lists so far have let go of the terminal. */
  let free: Promise<void> = Promise.resolve();
  let list: TaskList | null = open(BEFORE);
  let reporter: Reporter | null = null;
  let current: DemoStage | null = null;
  let since = performance.now();
  let beside = '';

  function open(stages: readonly DemoStage[]): TaskList {
    return createTaskList(
      stages.map((stage) => ({ key: stage, title: stageTitles[stage] })),
      { ready: free, interrupted: () => terminal.signal.aborted },
    );
  }
  const endStage = (ok: boolean) => {
    if (current === null || list === null) return;
    const took = pc.dim(formatDuration((performance.now() - since) / 1000));
    if (ok) list.done(current, `${stageTitles[current]}  ${took}${beside}`);
    else list.failed(current);
    beside = '';
  };
  const closeLists = () => {
    const [open, reporting] = [list, reporter];
    list = null;
    reporter = null;
    free = free.then(async () => {
      await open?.close();
      await reporting?.close();
    });
  };

  return {
    emit: (event) => reporter?.emit(event),
    onStage: (stage) => {
      // The server is stopped whatever happened: only after the last comparison is all well.
      const failed = stage === 'stop' && current !== 'ledger';
      endStage(!failed);
      if (stage === 'migrate' || stage === 'after' || failed) closeLists();
      if (stage === 'migrate') {
        free = free.then(() => terminal.line(`\n${pc.bold(stageTitles.migrate)}`));
        reporter = createLiveReporter(quiet, tasks, free);
      }
      if (stage === 'after') {
        free = free.then(() => terminal.line(''));
        list = open(stays ? AFTER : [...AFTER, 'stop']);
      }
      current = stage;
      since = performance.now();
    },
    onProgress: (event) => {
      progress.take({ event: 'progress', step: 'load', ...event });
      list?.show('load', progress.lines);
    },
    note: (text) => {
      beside = `  ${text}`;
    },
    close: async () => {
      endStage(current === (stays ? 'ledger' : 'stop'));
      current = null;
      closeLists();
      await free;
    },
  };
}
