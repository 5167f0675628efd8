/** The longest wait in each slice of a run. */
export interface Timeline {
  /** Marks a wait in every slice that it touches: a client that waits for a second waits in all ten of its tenths. */
  record(startMs: number, endMs: number): void;
  read(): TimelineSlots;
}

export interface TimelineSlots {
  readonly slotMs: number;
  /** The longest wait in ms of each slot since the start; 0 where nothing ran. */
  readonly maxMs: readonly number[];
}

const SLOT_MS = 100;
const MOST_SLOTS = 1_200;

/** Times are ms since the start of the run. Where a run gets long, slots are merged in pairs: memory stays the same. */
export function createTimeline(): Timeline {
  let slotMs = SLOT_MS;
  let slots: number[] = [];
  const slotOf = (milliseconds: number) => Math.max(0, Math.floor(milliseconds / slotMs));
  return {
    record(startMs, endMs) {
      while (slotOf(endMs) >= MOST_SLOTS) {
        slots = mergeSlots(slots, 2);
        slotMs *= 2;
      }
      for (let slot = slotOf(startMs); slot <= slotOf(endMs); slot++) {
        while (slots.length <= slot) slots.push(0);
        slots[slot] = Math.max(slots[slot] ?? 0, endMs - startMs);
      }
    },
    read: () => ({ slotMs, maxMs: [...slots] }),
  };
}

/** Every `by` slots become one: the longest wait in any of them. */
export function mergeSlots(slots: readonly number[], by: number): number[] {
  return Array.from({ length: Math.ceil(slots.length / by) }, (_, i) => Math.max(...slots.slice(i * by, (i + 1) * by)));
}
