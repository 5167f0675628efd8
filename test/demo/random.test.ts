import { describe, expect, test } from 'vitest';
import { createRandom, shuffle } from '../../src/demo/random.ts';

describe('a seeded random source', () => {
  test('repeats itself for the same seed and stream, and for no other', () => {
    const draw = (seed: number, stream?: number) => {
      const random = createRandom(seed, stream);
      return Array.from({ length: 20 }, () => random.below(1_000_000));
    };
    expect(draw(7, 3)).toEqual(draw(7, 3));
    expect(draw(7)).toEqual(draw(7, 0));
    expect(draw(7, 3)).not.toEqual(draw(7, 4));
    expect(draw(7, 3)).not.toEqual(draw(8, 3));
    expect(draw(2 ** 32 + 7)).not.toEqual(draw(7));
  });

  test('never gives the same uuid in two streams, though thousands of them are drawn from', () => {
    const uuids = new Set<string>();
    for (let stream = 0; stream < 20_000; stream++) {
      const random = createRandom(1, stream);
      for (let i = 0; i < 10; i++) uuids.add(random.uuid());
    }
    expect(uuids.size).toBe(200_000);
    for (const uuid of [...uuids].slice(0, 1000)) {
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  test('spreads evenly, and by weight where weights are given', () => {
    const random = createRandom(5);
    const counts = { a: 0, b: 0, c: 0 };
    let sum = 0;
    for (let i = 0; i < 100_000; i++) {
      sum += random.next();
      counts[
        random.weighted([
          ['a', 6],
          ['b', 3],
          ['c', 1],
        ] as const)
      ]++;
    }
    expect(sum / 100_000).toBeCloseTo(0.5, 2);
    expect(counts.a / 100_000).toBeCloseTo(0.6, 2);
    expect(counts.b / 100_000).toBeCloseTo(0.3, 2);
  });

  test('shuffles without losing anything, and picks from no empty list', () => {
    const random = createRandom(9);
    const list = Array.from({ length: 50 }, (_, i) => i);
    const shuffled = shuffle(random, [...list]);
    expect(shuffled).not.toEqual(list);
    expect(shuffled.sort((a, b) => a - b)).toEqual(list);
    expect(() => random.pick([])).toThrow(RangeError);
  });
});
