import type { TandemEvent } from '../engine/events.ts';
import type { Progress } from '../engine/progress.ts';
import { colors as pc } from './colors.ts';
import { describeEvent } from './describe-event.ts';
import { formatCount, formatProgress, fractionOf } from './format.ts';

const BAR_WIDTH = 20;
/** What happened last, beside the lines that stand for a table or a subject each. */
const RECENT = 2;

/** The lines below a running step: a bar for each subject, the change log's drains, and what was told last. */
export interface ProgressLines {
  take(event: TandemEvent): void;
  readonly lines: string[];
  clear(): void;
}

export function createProgressLines(): ProgressLines {
  const bars = new Map<string, Progress>();
  const drained = new Map<string, number>();
  const recent: string[] = [];
  return {
    take: (event) => {
      if (event.event === 'progress') bars.set(event.subject, event);
      else if (event.event === 'drained') {
        if (event.taken > 0) drained.set(event.table, (drained.get(event.table) ?? 0) + event.taken);
      } else if (event.event === 'finding') recent.push(`${event.severity} ${event.subject}: ${event.message}`);
      else if (event.event !== 'step' && event.event !== 'phase') recent.push(describeEvent(event) ?? '');
      recent.splice(0, recent.length - RECENT);
    },
    get lines() {
      const width = Math.max(0, ...[...bars.keys(), ...drained.keys()].map((subject) => subject.length));
      return [
        ...[...bars.values()].map((progress) => `${progress.subject.padEnd(width)}  ${bar(progress)}`),
        ...[...drained].map(([table, taken]) => `${table.padEnd(width)}  ${formatCount(taken)} changes drained`),
        ...recent,
      ];
    },
    clear: () => {
      bars.clear();
      drained.clear();
      recent.length = 0;
    },
  };
}

/** `███████░░░   63 %  94,000 / 150,000 rows  …` */
function bar(progress: Progress): string {
  const filled = Math.round(fractionOf(progress) * BAR_WIDTH);
  const blocks = `${pc.cyan('█'.repeat(filled))}${pc.dim('░'.repeat(BAR_WIDTH - filled))}`;
  return `${blocks}  ${formatProgress(progress, { subject: false })}`;
}
