import { setTimeout as sleep } from 'node:timers/promises';
import { refusalOf } from './failure.ts';
import { type Topic, topics } from './topics.ts';

export interface LiveEvents {
  /** The migration as it is now. */
  migration: string;
  /** These are no longer what they were. */
  changed: string;
  /** Why the database cannot be asked; empty where it can again. */
  away: string;
}

type Listener = (event: keyof LiveEvents, data: string) => void;

/** One stream of events for all pages that look: the database is asked once a moment, and only while anybody looks. */
export interface Live {
  /** Tells what there is, and from then on what changes; returns how to stop. */
  subscribe(listener: Listener): () => void;
  /** Something happened in this process: look at once. */
  wake(): void;
  close(): void;
}

export interface LiveSources {
  /** The migration as JSON. */
  readonly migration: () => Promise<string>;
  /** What stands for the state of each topic: the newest id, a count. */
  readonly versions: () => Promise<Partial<Record<Topic, string>>>;
  readonly everyMs?: number;
}

const EVERY_MS = 1_000;
/** Something that happens many times a second is told a few times a second. */
const LEAST_MS = 200;

export function createLive({ migration, versions, everyMs = EVERY_MS }: LiveSources): Live {
  const listeners = new Set<Listener>();
  const closed = new AbortController();
  let last = '';
  /** Nothing at first: what the first look finds is told as changed, for a page may have read before it. */
  let known: Partial<Record<Topic, string>> = {};
  let looking = false;
  let away = '';
  let wakeUp = new AbortController();

  const tell: Listener = (event, data) => {
    for (const listener of listeners) listener(event, data);
  };
  const look = async () => {
    const now = await migration();
    if (now !== last) tell('migration', now);
    last = now;
    const found = await versions();
    const changed = topics.filter((topic) => found[topic] !== known[topic]);
    known = found;
    if (changed.length > 0) tell('changed', JSON.stringify(changed));
  };
  const run = async () => {
    if (looking) return;
    looking = true;
    while (listeners.size > 0 && !closed.signal.aborted) {
      wakeUp = new AbortController();
      // A database that is away is asked again; whoever looks at what was there is told meanwhile.
      const reason = await look().then(
        () => '',
        (error: unknown) => refusalOf(error).message,
      );
      if (reason !== away) tell('away', reason);
      away = reason;
      await sleep(LEAST_MS, undefined, { signal: closed.signal }).catch(() => undefined);
      const signal = AbortSignal.any([wakeUp.signal, closed.signal]);
      await sleep(Math.max(0, everyMs - LEAST_MS), undefined, { signal }).catch(() => undefined);
    }
    looking = false;
  };

  return {
    subscribe(listener) {
      listeners.add(listener);
      if (last !== '') listener('migration', last);
      if (away !== '') listener('away', away);
      void run();
      return () => listeners.delete(listener);
    },
    wake: () => wakeUp.abort(),
    close() {
      closed.abort();
      listeners.clear();
    },
  };
}
