import type { Random } from '../src/demo/random.ts';

/** The word with one slip: a letter missing, added, changed, or swapped with the next. */
export function misspell(word: string, random: Random): string {
  const place = random.below(word.length);
  const letter = String.fromCharCode(97 + random.below(26));
  const [before, after] = [word.slice(0, place), word.slice(place + 1)];
  switch (random.below(4)) {
    case 0:
      return before + after;
    case 1:
      return before + letter + word.slice(place);
    case 2:
      return before + letter + after;
    default:
      return before + after.slice(0, 1) + word.charAt(place) + after.slice(1);
  }
}
