import type { Handler } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Live, LiveEvents } from './live.ts';
import type { Signed } from './sign-in.ts';
import type { Topic } from './topics.ts';

/** How often a stream says that it is still there, where nothing happens: proxies close silent ones. */
const SIGN_OF_LIFE_MS = 15_000;
/** More are no people who look. */
const MOST_STREAMS = 100;

/**
 * What waits for one page. A page that reads slowly gets the newest migration, and every topic that changed meanwhile:
 * what waits for it does not grow.
 */
export function createOutbox() {
  let migration: string | null = null;
  let away: string | null = null;
  const changed = new Set<Topic>();
  let arrived = () => {};
  return {
    put(event: keyof LiveEvents, data: string): void {
      if (event === 'migration') migration = data;
      else if (event === 'away') away = data;
      else for (const topic of JSON.parse(data) as Topic[]) changed.add(topic);
      arrived();
    },
    take(): { event: keyof LiveEvents; data: string }[] {
      const taken: { event: keyof LiveEvents; data: string }[] = [];
      if (migration !== null) taken.push({ event: 'migration', data: migration });
      if (changed.size > 0) taken.push({ event: 'changed', data: JSON.stringify([...changed]) });
      if (away !== null) taken.push({ event: 'away', data: away });
      migration = null;
      away = null;
      changed.clear();
      return taken;
    },
    /** Resolves once there is something to take, or after so long. */
    wait(ms: number): Promise<void> {
      if (migration !== null || away !== null || changed.size > 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        arrived = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    wake: () => arrived(),
  };
}

/** One stream of events for one page; each waits for its own reader, and for no other. It ends with the session of whoever reads it. */
export function eventStream(live: Live): Handler<Signed> {
  let open = 0;
  return (context) => {
    // Nobody would read what is written, nor end it.
    if (context.req.method === 'HEAD') return context.body(null);
    if (open >= MOST_STREAMS) return context.text('Too many pages are open.\n', 503);
    open++;
    return streamSSE(context, async (stream) => {
      const outbox = createOutbox();
      const unsubscribe = live.subscribe(outbox.put);
      stream.onAbort(outbox.wake);
      const { signedOut } = context.var;
      signedOut?.addEventListener('abort', outbox.wake, { once: true });
      try {
        await stream.writeSSE({ event: 'alive', data: '' });
        while (!stream.aborted && !stream.closed && !signedOut?.aborted) {
          await outbox.wait(SIGN_OF_LIFE_MS);
          const events = outbox.take();
          for (const event of events) await stream.writeSSE(event);
          if (events.length === 0) await stream.writeSSE({ event: 'alive', data: '' });
        }
      } finally {
        unsubscribe();
        signedOut?.removeEventListener('abort', outbox.wake);
        open--;
      }
    });
  };
}
