import type { TandemEvent } from '../engine/events.ts';
import type { Task } from '../engine/one-step.ts';
import { colors as pc } from './colors.ts';
import { describeEvent, describeFinding } from './describe-event.ts';
import { formatCount, formatDuration, formatProgress } from './format.ts';
import type { Reporter } from './reporter.ts';
import type { Terminal } from './terminal.ts';

/** Between two lines of progress. */
const EVERY_MS = 2_000;
/** A step that takes longer than this is announced, and not only told when it is done. */
const ANNOUNCE_MS = 2_000;

type StepEvent = TandemEvent & { event: 'step' };

/** One line a step with its time, and whatever a log should hold in between; progress at most every two seconds. */
export function createPlainReporter(
  terminal: Terminal,
  tasks: readonly Task[] = [],
  now: () => number = Date.now,
): Reporter {
  const width = Math.max(0, ...tasks.map(({ guide }) => guide.length));
  let spokenAt = now();
  let announcement: NodeJS.Timeout | null = null;
  const drained = new Map<string, number>();

  const say = (text: string) => {
    spokenAt = now();
    terminal.line(text);
  };
  const quietly = (text: () => string) => {
    if (now() - spokenAt >= EVERY_MS) say(text());
  };
  const silence = () => {
    if (announcement) clearTimeout(announcement);
    announcement = null;
  };
  const label = ({ guide, title }: Task) => (width === 0 ? title : `${guide.padEnd(width)}  ${title}`);

  const step = (event: StepEvent) => {
    silence();
    if (event.state === 'running') {
      drained.clear();
      spokenAt = now();
      announcement = setTimeout(() => say(`${pc.dim('working ')} ${label(event)}`), ANNOUNCE_MS);
      announcement.unref();
      return;
    }
    const took = event.elapsed_ms === undefined ? '' : `  ${formatDuration(event.elapsed_ms / 1000)}`;
    const state = (event.state === 'failed' && terminal.signal.aborted ? 'stopped' : event.state).padEnd(8);
    say(`${COLOURS[event.state](state)} ${label(event)}${took}${event.detail ? pc.dim(`  ${event.detail}`) : ''}`);
  };

  return {
    emit: (event) => {
      switch (event.event) {
        case 'phase':
          return;
        case 'step':
          return step(event);
        case 'progress':
          return quietly(() => `         ${formatProgress(event)}`);
        case 'drained': {
          const taken = (drained.get(event.table) ?? 0) + event.taken;
          drained.set(event.table, taken);
          if (taken > 0) quietly(() => `         ${event.table}: ${formatCount(taken)} changes drained`);
          return;
        }
        case 'finding':
          return describeFinding(event).forEach(say);
        case 'lock_attempt':
          if (event.attempt > 1 && !event.obtained) return quietly(() => `         ${describeEvent(event) ?? ''}`);
          break;
        case 'cutover':
          // On the way there, the step says it when it is done.
          if (event.direction === 'forward') return;
      }
      const text = describeEvent(event);
      if (text !== null) say(`         ${text}`);
    },
    close: async () => silence(),
    done: ({ summary }) => terminal.line(summary),
  };
}

const COLOURS = {
  pending: pc.dim,
  running: pc.dim,
  done: pc.green,
  failed: pc.red,
  reverted: pc.yellow,
};
