import type { ListrTask } from 'listr2';
import { colors as pc } from './colors.ts';

type State = 'waiting' | 'done' | 'failed' | 'left out';
interface Entry {
  title: string;
  lines: string[];
  state: State;
  /** Shows title and lines as they are now; nothing until the list has come as far as this task. */
  show: () => void;
  /** Ends the task as `state` says. */
  end: () => void;
}

/** Tasks one below the other on a terminal, done in their order; each is moved on from outside. */
export interface TaskList {
  /** What stands below the running task. A task that has its mark and is done again tells of it below the one that comes next. */
  show(key: string, lines: string[]): void;
  /** Marks the task as done under a new title, and the ones before it that were never told of as left out. */
  done(key: string, title: string): void;
  /** Marks the task as failed; the one that comes next where it has its mark from before. */
  failed(key: string): void;
  /** Takes the list's hand off the terminal; it stays there as it is. What was not begun stays unmarked. */
  close(): Promise<void>;
}

/**
 * A task list that takes the terminal over once `ready` resolves, and holds it until `close`: whatever else is written
 * meanwhile would appear after it. `interrupted` tells whether a task that failed was stopped.
 */
export function createTaskList(
  tasks: readonly { key: string; title: string }[],
  options: { ready: Promise<void>; interrupted: () => boolean },
): TaskList {
  const entries = new Map(tasks.map(({ key, title }) => [key, createEntry(title)]));
  const run = options.ready.then(() => showList([...entries.values()], options.interrupted));
  const end = (entry: Entry, state: State) => {
    entry.state = state;
    entry.end();
  };
  /** listr2 has forgotten what it marked, and throws where it is told of it. */
  const open = (key: string) => {
    const entry = entries.get(key);
    return entry && entry.state !== 'waiting' ? [...entries.values()].find(({ state }) => state === 'waiting') : entry;
  };
  return {
    show(key, lines) {
      const entry = open(key);
      if (!entry) return;
      entry.lines = lines;
      entry.show();
    },
    done(key, title) {
      if (entries.get(key)?.state !== 'waiting') return;
      for (const [other, entry] of entries) {
        if (other === key) {
          entry.title = title;
          entry.show();
          return end(entry, 'done');
        }
        if (entry.state === 'waiting') end(entry, 'left out');
      }
    },
    failed(key) {
      const entry = open(key);
      if (entry) end(entry, 'failed');
    },
    async close() {
      for (const entry of entries.values()) if (entry.state === 'waiting') end(entry, 'left out');
      await run;
    },
  };
}

function createEntry(title: string): Entry {
  return { title, lines: [], state: 'waiting', show: () => undefined, end: () => undefined };
}

/** listr2 pulls tasks; ours are pushed. Each of its tasks is a promise that is settled once `end` is called. */
async function showList(entries: readonly Entry[], interrupted: () => boolean): Promise<void> {
  // Loaded only where there is a terminal to show it on.
  const { Listr, ListrDefaultRendererLogLevels: Level } = await import('listr2');
  const tasks = entries.map(
    (entry): ListrTask => ({
      title: entry.title,
      task: (_, task) =>
        new Promise<void>((resolve, reject) => {
          entry.show = () => {
            task.title = entry.title;
            if (entry.lines.length > 0 || task.output) task.output = entry.lines.join('\n');
          };
          entry.end = () => {
            if (entry.state === 'failed') reject(new Error(entry.title));
            else if (entry.state !== 'waiting') {
              if (entry.state === 'left out') task.skip();
              resolve();
            }
          };
          entry.show();
          entry.end();
        }),
    }),
  );
  const list = new Listr(tasks, {
    concurrent: false,
    exitOnError: true,
    registerSignalListeners: false,
    renderer: 'default',
    rendererOptions: {
      formatOutput: 'truncate',
      showErrorMessage: false,
      showSkipMessage: false,
      icon: {
        [Level.FAILED]: () => (interrupted() ? '■' : '✖'),
        [Level.WAITING]: '·',
        [Level.SKIPPED_WITH_COLLAPSE]: '·',
        [Level.COMPLETED_WITH_FAILED_SISTER_TASKS]: '·',
        [Level.OUTPUT]: ' ',
      },
      color: {
        [Level.PENDING]: (text) => pc.cyan(text ?? ''),
        [Level.COMPLETED]: (text) => pc.green(text ?? ''),
        [Level.FAILED]: (text) => (interrupted() ? pc.yellow(text ?? '') : pc.red(text ?? '')),
        [Level.WAITING]: (text) => pc.dim(text ?? ''),
        [Level.SKIPPED_WITH_COLLAPSE]: (text) => pc.dim(text ?? ''),
        [Level.COMPLETED_WITH_FAILED_SISTER_TASKS]: (text) => pc.dim(text ?? ''),
      },
    },
  });
  // Whoever runs the work has the error; here it only ends the list.
  await list.run().catch(() => undefined);
}
