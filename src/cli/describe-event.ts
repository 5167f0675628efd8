import type { Finding, TandemEvent } from '../engine/events.ts';
import { colors as pc } from './colors.ts';
import { formatCount } from './format.ts';

type Telling = Exclude<TandemEvent, { event: 'step' | 'phase' | 'progress' | 'drained' | 'finding' }>;

/** What people want to know of an event that is neither a step nor its progress. */
export function describeEvent(event: Telling): string | null {
  switch (event.event) {
    case 'note':
      return event.message;
    case 'throttle':
      return event.reason === null ? 'going on' : `waiting: ${event.reason}`;
    case 'verified': {
      const differ = event.differences === 0 ? 'none differs' : pc.red(`${formatCount(event.differences)} differ`);
      const later = event.left_out === 0 ? '' : `, ${formatCount(event.left_out)} just written and left to the drain`;
      return `${event.table}: ${formatCount(event.rows)} rows compared, ${differ}${later}`;
    }
    case 'lock_attempt':
      return event.obtained
        ? `${event.purpose} got its locks at attempt ${event.attempt}`
        : `${event.purpose}: attempt ${event.attempt} of ${event.attempts} gave its locks back: ${event.reason ?? 'no reason given'}`;
    case 'cutover':
      return `names swapped${event.direction === 'back' ? ' back' : ''}: locks held ${event.lock_ms} ms, attempt ${event.attempts}`;
  }
}

const SEVERITIES = {
  blocks: (text: string) => pc.red(text),
  warning: (text: string) => pc.yellow(text),
  note: (text: string) => pc.dim(text),
};

/** A finding with its hint below it, indented. */
export function describeFinding({ severity, subject, message, hint }: Finding): string[] {
  const label = SEVERITIES[severity](severity.padEnd(8));
  return [`${label} ${subject}: ${message}`, ...(hint ? [`${' '.repeat(9)}${pc.cyan('hint')}: ${hint}`] : [])];
}
