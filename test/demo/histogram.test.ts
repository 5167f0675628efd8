import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createHistogram } from '../../src/demo/histogram.ts';

/** Durations as they occur: many short ones, a few very long. */
const durations = fc.array(
  fc.double({ min: Math.log(0.002), max: Math.log(600_000), noNaN: true }).map((logarithm) => Math.exp(logarithm)),
  { minLength: 1, maxLength: 2_000 },
);

test('every percentile is within 2 % of the exact one', () => {
  fc.assert(
    fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
      const histogram = createHistogram();
      for (const value of values) histogram.record(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
      expect(Math.abs(histogram.percentile(share) - exact) / exact).toBeLessThanOrEqual(0.02);
      expect(histogram.count).toBe(values.length);
      expect(histogram.max).toBe(Math.max(...values));
    }),
    { numRuns: 300 },
  );
});

test('a percentile is never above the longest', () => {
  const histogram = createHistogram();
  histogram.record(10);
  expect(histogram.percentile(1)).toBeLessThanOrEqual(10);
});

test('nothing recorded is 0, and what is out of range is counted at its ends', () => {
  const histogram = createHistogram();
  expect([histogram.percentile(0.5), histogram.max, histogram.count]).toEqual([0, 0, 0]);
  histogram.record(0);
  expect(histogram.percentile(0.5)).toBe(0);
  histogram.record(1e9);
  expect(histogram.max).toBe(1e9);
  expect(histogram.percentile(1)).toBeGreaterThan(3_600_000);
});
