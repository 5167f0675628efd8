import type { TandemEvent } from '../engine/events.ts';
import type { Task } from '../engine/one-step.ts';
import { colors as pc } from './colors.ts';
import { describeEvent, describeFinding } from './describe-event.ts';
import { formatCount, formatDuration } from './format.ts';
import { createProgressLines } from './progress-lines.ts';
import type { Reporter } from './reporter.ts';
import { createTaskList, type TaskList } from './task-list.ts';
import type { Terminal } from './terminal.ts';

/** Between two looks at the running step: progress comes by every batch. */
const REDRAW_MS = 100;
const STOPPING = 'Stopping at the next batch; Ctrl-C again stops at once.';

/** The steps as a task list: what runs with its progress below it, findings and notes below the list at the end. */
export function createLiveReporter(
  terminal: Terminal,
  tasks: readonly Task[],
  ready: Promise<void> = Promise.resolve(),
): Reporter {
  const width = Math.max(0, ...tasks.map(({ guide }) => guide.length));
  const titled = ({ guide, title }: Task) => (width === 0 ? title : `${pc.dim(guide.padEnd(width))}  ${title}`);
  const progress = createProgressLines();
  const told: string[] = [];
  // Made with the first step: what fails before it has no list to fail in.
  let list: TaskList | null = null;
  /** The step that runs, or the one that comes next: what is told between two steps stands below that. */
  let current: string | null = null;
  let redraw: NodeJS.Timeout | null = null;
  /** What a step that says nothing for itself has come to. */
  const compared = { rows: 0, differences: 0 };
  let swapped = '';

  const draw = () => {
    redraw = null;
    if (current === null) return;
    const lines = progress.lines;
    if (terminal.signal.aborted) lines.push(pc.yellow(STOPPING));
    list?.show(current, lines);
  };
  const drawSoon = () => {
    redraw ??= setTimeout(draw, REDRAW_MS);
  };
  const step = (event: TandemEvent & { event: 'step' }) => {
    list ??= createTaskList(
      tasks.map((task) => ({ key: task.name, title: titled(task) })),
      { ready, interrupted: () => terminal.signal.aborted },
    );
    if (event.state === 'running') {
      current = event.name;
      // What was told while it was waited for is no part of it.
      progress.clear();
      return;
    }
    if (event.state === 'failed') list.failed(event.name);
    else list.done(event.name, [titled(event), ...resultOf(event)].join('  '));
    current = tasks[tasks.findIndex(({ name }) => name === event.name) + 1]?.name ?? null;
    Object.assign(compared, { rows: 0, differences: 0 });
    swapped = '';
    progress.clear();
  };
  const resultOf = (event: TandemEvent & { event: 'step' }) => {
    const took = event.elapsed_ms === undefined ? '' : formatDuration(event.elapsed_ms / 1000);
    const verdict = compared.differences === 0 ? 'none differs' : `${formatCount(compared.differences)} differ`;
    const verified = compared.rows === 0 ? '' : `${formatCount(compared.rows)} rows compared, ${verdict}`;
    // A rollback compares what it went back to, in the step of the swap.
    const came = event.detail ?? [swapped, verified].filter((part) => part !== '').join('; ');
    return [took, came].filter((part) => part !== '').map(pc.dim);
  };

  terminal.onStop(() => (list === null ? terminal.error(STOPPING) : draw()));
  return {
    emit: (event) => {
      if (event.event === 'step') return step(event);
      progress.take(event);
      drawSoon();
      if (event.event === 'finding') told.push(...describeFinding(event));
      if (event.event === 'note') told.push(`${pc.dim('note'.padEnd(8))} ${event.message}`);
      if (event.event === 'verified') {
        compared.rows += event.rows;
        compared.differences += event.differences;
      }
      if (event.event === 'cutover') swapped = describeEvent(event) ?? '';
    },
    close: async () => {
      terminal.onStop(null);
      if (redraw) clearTimeout(redraw);
      await list?.close();
      if (list) terminal.line('');
      if (told.length > 0) terminal.line(`${told.join('\n')}\n`);
    },
    done: ({ summary }) => terminal.line(summary),
  };
}
