import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BlockRange, BlockRanges } from '../../src/move/block-ranges.ts';

const copiedBefore = fc.array(
  fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 700 })).map(([from, length]) => ({ from, to: from + length })),
  { maxLength: 12 },
);

/** How often each block below `blocks` is in one of the ranges. */
function timesTaken(ranges: readonly BlockRange[], blocks: number): number[] {
  const times = new Array<number>(blocks).fill(0);
  for (const range of ranges)
    for (let block = range.from; block < range.to; block++) times[block] = (times[block] ?? NaN) + 1;
  return times;
}

/** Takes all ranges; each batch is said to have taken the next of the given times. */
function takeAll(ranges: BlockRanges, tookMs: readonly number[]): BlockRange[] {
  const taken: BlockRange[] = [];
  for (let range = ranges.take(); range !== null; range = ranges.take()) {
    taken.push(range);
    ranges.finished(range, tookMs[taken.length % tookMs.length] ?? 1, 400);
  }
  return taken;
}

describe('BlockRanges', () => {
  test('hands out every block that was not copied before exactly once, and no other', () => {
    fc.assert(
      fc.property(
        fc.nat(4000),
        copiedBefore,
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.nat(5000), { minLength: 1, maxLength: 20 }),
        (blocks, copied, workers, tookMs) => {
          const ranges = new BlockRanges(blocks, copied, workers);
          const before = timesTaken(copied, 10_000).slice(0, blocks);
          expect(ranges.done).toBe(before.filter((times) => times > 0).length);
          const taken = takeAll(ranges, tookMs);
          expect(taken.every((range) => range.from >= 0 && range.from < range.to && range.to <= blocks)).toBe(true);
          expect(timesTaken(taken, blocks)).toEqual(before.map((times) => (times > 0 ? 0 : 1)));
          expect(ranges.done).toBe(blocks);
          expect(ranges.take()).toBeNull();
        },
      ),
    );
  });

  test('stopped anywhere and begun again with what was finished, it covers the rest', () => {
    fc.assert(
      fc.property(fc.nat(3000), fc.integer({ min: 1, max: 5 }), fc.nat(30), (blocks, workers, stopAfter) => {
        const first = new BlockRanges(blocks, [], workers);
        const finished: BlockRange[] = [];
        for (let i = 0; i < stopAfter; i++) {
          const range = first.take();
          // Every third one is in flight when the process ends: taken, and not finished.
          if (range !== null && i % 3 !== 2) finished.push(range);
        }
        const second = takeAll(new BlockRanges(blocks, finished, workers), [400]);
        expect(timesTaken([...finished, ...second], blocks)).toEqual(new Array(blocks).fill(1));
      }),
    );
  });

  test('batches grow while they are quick, shrink when they are slow, at most by half or double', () => {
    const ranges = new BlockRanges(1_000_000, [], 1);
    const sizes: number[] = [];
    for (const tookMs of [1, 1, 1, 400, 10_000, 10_000, 10_000, 10_000]) {
      const range = ranges.take();
      if (range === null) throw new Error('There are blocks left.');
      sizes.push(range.to - range.from);
      ranges.finished(range, tookMs, 400);
    }
    expect(sizes).toEqual([128, 256, 512, 1024, 1024, 512, 256, 128]);
  });

  test('towards the end, every worker gets a share', () => {
    const ranges = new BlockRanges(10_000, [], 4);
    for (let i = 0; i < 7; i++) {
      const range = ranges.take();
      if (range !== null) ranges.finished(range, 1, 400);
    }
    const left = 10_000 - ranges.done;
    const next = ranges.take();
    expect(next === null ? 0 : next.to - next.from).toBeLessThanOrEqual(Math.max(128, Math.ceil(left / 8)));
  });
});
