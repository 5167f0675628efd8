/** Counts durations in a fixed number of buckets, so that a run of an hour needs no more memory than one of a second. */
export interface Histogram {
  record(milliseconds: number): void;
  /** Recorded so far. */
  readonly count: number;
  /** The longest, exactly; 0 before the first. */
  readonly max: number;
  /** The duration that the given share of the recorded ones did not exceed, in ms, at most 2 % off; 0 before the first. */
  percentile(share: number): number;
}

// Each bucket ends 4 % above where it begins, so its geometric middle is at most 2 % from anything in it.
const GROWTH = Math.log(1.04);
const SMALLEST_MS = 0.001;
/** Reaches from a microsecond to more than an hour. */
const BUCKETS = 570;

export function createHistogram(): Histogram {
  const buckets = new Uint32Array(BUCKETS);
  let count = 0;
  let max = 0;
  return {
    record(milliseconds) {
      const bucket = Math.floor(Math.log(Math.max(milliseconds, SMALLEST_MS) / SMALLEST_MS) / GROWTH);
      const index = Math.min(bucket, BUCKETS - 1);
      buckets[index] = (buckets[index] ?? 0) + 1;
      count++;
      max = Math.max(max, milliseconds);
    },
    get count() {
      return count;
    },
    get max() {
      return max;
    },
    percentile(share) {
      const rank = Math.max(1, Math.ceil(share * count));
      let seen = 0;
      for (let index = 0; index < BUCKETS && count > 0; index++) {
        seen += buckets[index] ?? 0;
        if (seen >= rank) return Math.min(max, SMALLEST_MS * Math.exp((index + 0.5) * GROWTH));
      }
      return max;
    },
  };
}
