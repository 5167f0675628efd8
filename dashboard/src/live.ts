import { useEffect, useState } from 'preact/hooks';
import type { MigrationView } from '../../src/server/migration-view.ts';
import { type Topic, topics } from '../../src/server/topics.ts';
import { answered, api } from './api.ts';

export type Connection = 'live' | 'paused' | 'lost';

interface State {
  readonly connection: Connection;
  readonly migration: MigrationView | null;
  /** Why the server cannot ask the database; empty where it can. */
  readonly away: string;
}

/** A browser connects again by itself where the stream broke, but not where it was refused: by a proxy, or for want of a token. */
const AGAIN_MS = 5_000;

/** One stream for the whole page; a page that is paused has none. */
let source: EventSource | null = null;
let state: State = { connection: 'lost', migration: null, away: '' };
const watchers = new Set<() => void>();
const readers = new Set<(topics: readonly Topic[]) => void>();

function update(change: Partial<State>): void {
  state = { ...state, ...change };
  for (const watcher of watchers) watcher();
}

function connect(): void {
  source = new EventSource('/api/live');
  source.addEventListener('open', () => {
    update({ connection: 'live', away: '' });
    // What was read before the stream began may be old by now.
    for (const reader of readers) reader(topics);
  });
  const mine = source;
  source.addEventListener('error', () => {
    update({ connection: 'lost' });
    if (mine.readyState !== EventSource.CLOSED) return;
    // Whoever is not signed in any more is asked to; what else is wrong, the pages say themselves.
    answered(api.overview.place.$get()).catch(() => undefined);
    setTimeout(() => source === mine && connect(), AGAIN_MS);
  });
  source.addEventListener('migration', (event) => update({ migration: JSON.parse(event.data) }));
  source.addEventListener('away', ({ data }) => update({ away: data }));
  source.addEventListener('changed', (event) => {
    const changed: readonly Topic[] = JSON.parse(event.data);
    for (const reader of readers) reader(changed);
  });
}

// A browser has six connections for all windows on a server: one that nobody looks at takes none.
document.addEventListener('visibilitychange', () => {
  if (state.connection === 'paused' || watchers.size === 0) return;
  source?.close();
  source = null;
  if (document.visibilityState === 'visible') connect();
  else update({ connection: 'lost' });
});

export function pauseLive(paused: boolean): void {
  source?.close();
  source = null;
  if (paused) update({ connection: 'paused' });
  else connect();
}

export function useLive(): State {
  const [seen, see] = useState(state);
  useEffect(() => {
    const watcher = () => see(state);
    watchers.add(watcher);
    if (source === null && state.connection !== 'paused') connect();
    watcher();
    return () => {
      watchers.delete(watcher);
    };
  }, []);
  return seen;
}

/** Calls back when one of the topics is no longer what it was; never while updates are paused. */
export function useChanges(watched: readonly Topic[], then: () => void): void {
  useEffect(() => {
    const reader = (changed: readonly Topic[]) => {
      if (changed.some((topic) => watched.includes(topic))) then();
    };
    readers.add(reader);
    return () => {
      readers.delete(reader);
    };
  });
}
