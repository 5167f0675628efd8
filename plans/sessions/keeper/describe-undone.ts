import type { Undone } from './undo.ts';

/** What became of the sessions of a run that was undone, in a sentence without its beginning and end. */
export function describeUndone({ restored, left, purged, kept, busy }: Undone): string {
  const count = (n: number) => n.toLocaleString('en');
  return [
    `${count(restored)} sessions are back`,
    ...(left === 0 ? [] : [`${count(left)} have been moved on since, and stay`]),
    ...(purged === 0 ? [] : [`${count(purged)} were deleted for good, and are gone`]),
    ...(kept === 0 ? [] : [`${count(kept)} are kept where they are by a trigger`]),
    ...(busy === 0 ? [] : [`${count(busy)} are being written to: undo it once more for them`]),
  ].join('; ');
}
