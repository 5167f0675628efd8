import { setTimeout as sleep } from 'node:timers/promises';
import { describeEvent } from '../engine/describe-event.ts';
import { TandemError } from '../engine/errors.ts';
import type { Emit, TandemEvent } from '../engine/events.ts';
import { type Progress, rateOf } from '../engine/progress.ts';
import { type Refusal, refusalOf } from './failure.ts';

export interface RunLine {
  readonly at: string;
  readonly kind: 'step' | 'note' | 'problem';
  readonly text: string;
}

/** What the server is doing, or did last, at a page's request. */
export interface RunView {
  readonly id: number;
  readonly title: string;
  readonly actor: string;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly outcome: 'running' | 'stopping' | 'done' | 'failed';
  /** How it ended, in a sentence. */
  readonly summary: string | null;
  readonly failure: Refusal | null;
  /** Where the piece of work at hand stands. */
  readonly progress: (Progress & { perSecond: number; secondsLeft: number | null }) | null;
  readonly lines: readonly RunLine[];
}

export interface BackgroundWork {
  readonly title: string;
  readonly actor: string;
  /** Returns how it ended, in a sentence. */
  readonly work: (emit: Emit, signal: AbortSignal) => Promise<string>;
}

/** Work that takes longer than a request: one at a time. A page starts it, and follows it by the event stream. */
export interface BackgroundRun {
  /** @throws TD010 where one is at work already */
  start(work: BackgroundWork): void;
  /** Tells it to stop at its next batch; false where none is at work. */
  stop(): boolean;
  view(): RunView | null;
  /** Stops it, and resolves once it has. */
  close(): Promise<void>;
}

const MOST_LINES = 200;
/** The keeper's own short hold of the run, while it brings the retired tables up to date, is waited for. */
const PATIENCE_MS = 15_000;

export interface BackgroundRunOptions {
  /** Told whenever there is something new to see. */
  readonly changed: () => void;
  /** The command that holds the run in the database, if any. */
  readonly holder: () => Promise<string | null>;
}

export function createBackgroundRun({ changed, holder }: BackgroundRunOptions): BackgroundRun {
  let current: RunView | null = null;
  let stopping = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  const update = (change: Partial<RunView>) => {
    if (current !== null) current = { ...current, ...change };
    changed();
  };

  const take: Emit = (event) => {
    if (event.event === 'progress') {
      const { event: _, step: __, ...progress } = event;
      return update({ progress: { ...progress, ...rateOf(progress) } });
    }
    const line = lineOf(event);
    if (line !== null) update({ lines: [...(current?.lines ?? []), line].slice(-MOST_LINES), progress: null });
    else changed();
  };

  const perform = async ({ work }: BackgroundWork, signal: AbortSignal) => {
    try {
      const summary = await waitingForKeeper(() => work(take, signal), holder, signal);
      update({ outcome: 'done', summary, ended_at: new Date().toISOString(), progress: null });
    } catch (error) {
      update({ outcome: 'failed', failure: refusalOf(error), ended_at: new Date().toISOString(), progress: null });
    }
  };

  return {
    start(work) {
      if (current?.ended_at === null)
        throw new TandemError('TD010', `The dashboard is at work already: ${current.title}, for ${current.actor}.`, {
          hint: 'Wait for it to end, or stop it.',
        });
      stopping = new AbortController();
      const { title, actor } = work;
      const started_at = new Date().toISOString();
      const beginning = { ended_at: null, outcome: 'running', summary: null, failure: null, progress: null } as const;
      current = { id: (current?.id ?? 0) + 1, title, actor, started_at, lines: [], ...beginning };
      changed();
      ended = perform(work, stopping.signal);
    },
    stop() {
      if (current?.outcome !== 'running') return false;
      update({ outcome: 'stopping' });
      stopping.abort();
      return true;
    },
    view: () => current,
    async close() {
      stopping.abort();
      await ended;
    },
  };
}

/** `serve` holds the run for moments only, and no person is to be refused for its sake. */
async function waitingForKeeper<T>(
  work: () => Promise<T>,
  holder: BackgroundRunOptions['holder'],
  signal: AbortSignal,
): Promise<T> {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== 'TD010' || Date.now() > until || signal.aborted)
        throw error;
      const command = await holder();
      if (command !== null && command !== 'serve') throw error;
      await sleep(200, undefined, { signal }).catch(() => undefined);
    }
  }
}

function lineOf(event: Exclude<TandemEvent, { event: 'progress' }>): RunLine | null {
  const at = new Date().toISOString();
  switch (event.event) {
    case 'drained':
    case 'phase':
      return null;
    case 'step':
      if (event.state === 'running') return { at, kind: 'note', text: `${event.title} …` };
      return {
        at,
        kind: event.state === 'failed' ? 'problem' : 'step',
        text: `${event.title}: ${event.state}${event.detail ? `, ${event.detail}` : ''}`,
      };
    case 'finding':
      return {
        at,
        kind: event.severity === 'blocks' ? 'problem' : 'note',
        text: `${event.subject}: ${event.message}`,
      };
    default: {
      const text = describeEvent(event);
      return text === null ? null : { at, kind: 'note', text };
    }
  }
}
