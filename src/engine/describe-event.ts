import type { TandemEvent } from './events.ts';

const count = (n: number) => n.toLocaleString('en');

export type Telling = Exclude<TandemEvent, { event: 'step' | 'phase' | 'progress' | 'drained' | 'finding' }>;

/** What people want to know of an event that is neither a step nor its progress. */
export function describeEvent(event: Telling, alarm = (text: string) => text): string | null {
  switch (event.event) {
    case 'note':
      return event.message;
    case 'throttle':
      return event.reason === null ? 'going on' : `waiting: ${event.reason}`;
    case 'verified': {
      const differ = event.differences === 0 ? 'none differs' : alarm(`${count(event.differences)} differ`);
      const later = event.left_out === 0 ? '' : `, ${count(event.left_out)} just written and left to the drain`;
      return `${event.table}: ${count(event.rows)} rows compared, ${differ}${later}`;
    }
    case 'lock_attempt':
      return event.obtained
        ? `${event.purpose} got its locks at attempt ${event.attempt}`
        : `${event.purpose}: attempt ${event.attempt} of ${event.attempts} gave its locks back: ${event.reason ?? 'no reason given'}`;
    case 'cutover':
      return `names swapped${event.direction === 'back' ? ' back' : ''}: locks held ${event.lock_ms} ms, attempt ${event.attempts}`;
  }
}
