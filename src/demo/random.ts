/** A seeded source of numbers: the same seed gives the same demo, row for row. Not for secrets. */
export interface Random {
  /** At least 0, less than 1. */
  next(): number;
  /** A whole number at least 0, less than `bound`. */
  below(bound: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One element; throws for an empty list, which would be a mistake of the caller's. */
  pick<T>(list: readonly T[]): T;
  /** One of the values, each as often as its weight says. */
  weighted<T>(choices: readonly (readonly [value: T, weight: number])[]): T;
  /** A version 4 uuid. */
  uuid(): string;
}

/**
 * A generator (sfc32) for one stream of a seed. Streams let row 17,000 be drawn without drawing the rows before it, so
 * sessions and messages can be generated in two passes that agree. Seed and stream are separate words of a 128-bit
 * state: with a 32-bit state the streams of a few thousand rows run into one another, and uuids repeat.
 */
export function createRandom(seed: number, stream = 0): Random {
  let a = Math.floor(seed / 0x1_0000_0000) | 0;
  let b = seed | 0;
  let c = stream | 0;
  let counter = 1;
  const bits = () => {
    const drawn = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + drawn) | 0;
    return drawn >>> 0;
  };
  // Neighbouring seeds and streams differ in a few bits only, until those have spread.
  for (let round = 0; round < 12; round++) bits();
  const next = () => bits() / 0x1_0000_0000;
  const below = (bound: number) => Math.floor(next() * bound);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (list) => elementOf(list, below(list.length)),
    weighted: (choices) => {
      let left = next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [value, weight] of choices) {
        left -= weight;
        if (left < 0) return value;
      }
      return elementOf(choices, choices.length - 1)[0];
    },
    uuid: () => {
      const a = hex(bits());
      const b = hex(bits());
      const c = hex(bits());
      const variant = '89ab'[bits() & 3];
      return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${hex(bits())}`;
    },
  };
}

/** Shuffles in place (Fisher–Yates) and returns the list. */
export function shuffle<T>(random: Random, list: T[]): T[] {
  for (let last = list.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const held = elementOf(list, last);
    list[last] = elementOf(list, other);
    list[other] = held;
  }
  return list;
}

function elementOf<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new RangeError(`There is no element ${index} in a list of ${list.length}.`);
  return value;
}

function hex(bits: number): string {
  return bits.toString(16).padStart(8, '0');
}
