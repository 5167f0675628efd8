import { describe, expect, test } from 'vitest';
import { createPlainReporter } from '../../src/cli/reporter-plain.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import type { TandemEvent } from '../../src/engine/events.ts';

const copy = { name: 'copy', guide: '5', title: 'Copy the rows' };
const tasks = [{ name: 'enums', guide: '2, 3', title: 'Create the enums' }, copy];

/** A pipe, and a clock that is set by hand. */
function inPipe(stopped = false) {
  const lines: string[] = [];
  const clock = { now: 0 };
  const terminal: Terminal = {
    interactive: false,
    canAsk: false,
    signal: stopped ? AbortSignal.abort() : new AbortController().signal,
    line: (text) => lines.push(text),
    error: () => undefined,
    ask: async () => '',
    onStop: () => undefined,
    close: () => undefined,
  };
  const reporter = createPlainReporter(terminal, tasks, () => clock.now);
  const tell = (...events: (TandemEvent & { at?: number })[]) => {
    for (const { at, ...event } of events) {
      clock.now = at ?? clock.now;
      reporter.emit(event);
    }
  };
  return { lines, clock, reporter, tell };
}

const progress = (done: number, at: number) =>
  ({
    event: 'progress',
    step: 'copy',
    subject: 'public.messages',
    done,
    total: 1_000_000,
    unit: 'rows',
    elapsedMs: at,
    at,
  }) as const;

describe('in a pipe', () => {
  test('a step is one line, with its time and what it came to', () => {
    const { lines, tell } = inPipe();
    tell(
      { event: 'step', ...copy, state: 'running' },
      { event: 'phase', phase: 'copying' },
      { event: 'step', ...copy, state: 'done', elapsed_ms: 1_940, detail: '170,000 rows' },
    );
    expect(lines).toEqual(['done     5     Copy the rows  1.9 s  170,000 rows']);
  });

  test('progress is told at most every two seconds', () => {
    const { lines, tell } = inPipe();
    tell({ event: 'step', ...copy, state: 'running' });
    for (let at = 100; at <= 10_000; at += 100) tell(progress(at * 50, at));
    expect(lines).toEqual(
      [2_000, 4_000, 6_000, 8_000, 10_000].map((at) =>
        expect.stringMatching(new RegExp(` ${(at * 50).toLocaleString('en')} / `)),
      ),
    );
    expect(lines[0]).toBe('         public.messages   10 %  100,000 / 1,000,000 rows  50,000 rows/s  18 s left');
  });

  test('a step that takes long is announced once', async () => {
    const { lines, reporter, tell } = inPipe();
    tell({ event: 'step', ...copy, state: 'running' });
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    tell({ event: 'step', ...copy, state: 'done', elapsed_ms: 2_100 });
    await reporter.close();
    expect(lines).toEqual(['working  5     Copy the rows', 'done     5     Copy the rows  2.1 s']);
  });

  test('drains are added up', () => {
    const { lines, tell } = inPipe();
    const drained = { event: 'drained', table: 'public.messages', written: 0, removed: 0, unfit: 0 } as const;
    tell({ event: 'step', ...copy, state: 'running' });
    for (let at = 0; at < 5_000; at += 10) tell({ ...drained, taken: 5, at });
    tell({ ...drained, taken: 0, at: 5_000 });
    expect(lines).toEqual([
      '         public.messages: 1,005 changes drained',
      '         public.messages: 2,005 changes drained',
    ]);
  });

  test('of lock attempts, the first one and then one every two seconds', () => {
    const { lines, tell } = inPipe();
    const attempt = { event: 'lock_attempt', purpose: 'The cutover', attempts: 40, obtained: false } as const;
    for (let n = 1; n <= 9; n++) tell({ ...attempt, attempt: n, reason: 'canceling statement', at: n * 500 });
    tell({ ...attempt, attempt: 10, obtained: true, at: 5_000 });
    expect(lines).toEqual([
      '         The cutover: attempt 1 of 40 gave its locks back: canceling statement',
      '         The cutover: attempt 5 of 40 gave its locks back: canceling statement',
      '         The cutover: attempt 9 of 40 gave its locks back: canceling statement',
      '         The cutover got its locks at attempt 10',
    ]);
  });

  test('findings have their hints, notes and comparisons are lines', () => {
    const { lines, tell } = inPipe();
    tell(
      { event: 'finding', severity: 'blocks', subject: 'public.sessions', message: 'no primary key', hint: 'Add one.' },
      { event: 'note', message: 'Something.' },
      { event: 'verified', table: 'public.messages', rows: 1_500, left_out: 2, differences: 0, elapsed_ms: 3 },
      { event: 'throttle', reason: 'paused by `tandem pause`' },
      { event: 'throttle', reason: null },
      { event: 'cutover', direction: 'back', lock_ms: 20.5, attempts: 2 },
    );
    expect(lines).toEqual([
      'blocks   public.sessions: no primary key',
      '         hint: Add one.',
      '         Something.',
      '         public.messages: 1,500 rows compared, none differs, 2 just written and left to the drain',
      '         waiting: paused by `tandem pause`',
      '         going on',
      '         names swapped back: locks held 20.5 ms, attempt 2',
    ]);
  });

  test('a step that failed because it was told to stop has stopped', () => {
    const [failed, stopped] = [inPipe(), inPipe(true)];
    for (const { tell } of [failed, stopped]) tell({ event: 'step', ...copy, state: 'failed' });
    expect([failed.lines, stopped.lines]).toEqual([['failed   5     Copy the rows'], ['stopped  5     Copy the rows']]);
  });
});
