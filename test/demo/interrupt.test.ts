import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { abandonIfAborted, unlessAborted } from '../../src/demo/interrupt.ts';

const interrupted = { code: 'TD022' };

describe.each([
  ['work that ends by itself', unlessAborted],
  ['work that may be abandoned', abandonIfAborted],
])('%s', (_, run) => {
  test('gives its result or its error', async () => {
    const { signal } = new AbortController();
    expect(await run(signal, async () => 7)).toBe(7);
    expect(await run(undefined, async () => 7)).toBe(7);
    await expect(run(signal, () => Promise.reject(new Error('no room')))).rejects.toThrow('no room');
    await expect(run(undefined, () => Promise.reject(new Error('no room')))).rejects.toThrow('no room');
  });

  test('does not begin after an abort', async () => {
    let began = false;
    const work = async () => {
      began = true;
    };
    await expect(run(AbortSignal.abort(), work)).rejects.toMatchObject(interrupted);
    expect(began).toBe(false);
  });

  test('that fails because of the abort was interrupted', async () => {
    const interrupt = new AbortController();
    const running = run(interrupt.signal, () => wait(60_000, undefined, { signal: interrupt.signal }));
    interrupt.abort();
    await expect(running).rejects.toMatchObject(interrupted);
  });
});

describe('after an abort', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => vi.useRealTimers());

  test('work has a moment to end in order, and no more', async () => {
    const interrupt = new AbortController();
    let ended: unknown = null;
    abandonIfAborted(interrupt.signal, () => new Promise(() => undefined)).catch((error: unknown) => {
      ended = error;
    });
    interrupt.abort();
    await vi.advanceTimersByTimeAsync(1_900);
    expect(ended).toBeNull();
    await vi.advanceTimersByTimeAsync(200);
    expect(ended).toMatchObject(interrupted);
  });

  test('work that still comes to its end is interrupted all the same, and leaves no timer', async () => {
    const interrupt = new AbortController();
    const running = abandonIfAborted(interrupt.signal, async () => {
      await Promise.resolve();
      return 7;
    });
    interrupt.abort();
    await expect(running).rejects.toMatchObject(interrupted);
    expect(vi.getTimerCount()).toBe(0);
  });
});
