import type { TandemEvent } from '../engine/events.ts';
import type { Reporter } from './reporter.ts';
import type { Terminal } from './terminal.ts';

/** One event a line, as the engine tells them; the last one is `done`. */
export function createJsonReporter(terminal: Terminal): Reporter {
  return {
    emit: (event) => terminal.line(JSON.stringify(published(event))),
    close: async () => undefined,
    done: ({ fields }, cutoverLockMs) => {
      // A resumed run may have been cut over before: then the fields know better than the events.
      terminal.line(JSON.stringify({ event: 'done', ok: true, cutover_lock_ms: cutoverLockMs, ...fields }));
    },
  };
}

/** Every field of what is printed is named in the same way. */
function published(event: TandemEvent): object {
  if (event.event !== 'progress') return event;
  const { elapsedMs, ...rest } = event;
  return { ...rest, elapsed_ms: Math.round(elapsedMs) };
}
