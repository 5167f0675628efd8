/** Replaces `text.slice(start, end)`. Edits of one text do not overlap; those at one place apply in their order. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export interface Edited {
  readonly text: string;
  /** The place in the original of a place in the edited text; of inserted text, the place where it was inserted. */
  toOriginal(index: number): number;
}

export function applyEdits(text: string, edits: readonly Edit[]): Edited {
  const sorted = edits
    .map((edit, order) => ({ ...edit, order }))
    .sort((a, b) => a.start - b.start || a.order - b.order);
  /** For each stretch of the edited text: where it begins there, where in the original, and whether it was copied. */
  const stretches: { at: number; from: number; copied: boolean }[] = [];
  let result = '';
  let position = 0;
  for (const edit of sorted) {
    stretches.push({ at: result.length, from: position, copied: true });
    result += text.slice(position, edit.start);
    stretches.push({ at: result.length, from: edit.start, copied: false });
    result += edit.text;
    position = edit.end;
  }
  stretches.push({ at: result.length, from: position, copied: true });
  result += text.slice(position);
  return {
    text: result,
    toOriginal(index) {
      const stretch = stretches.findLast((s) => s.at <= index);
      if (stretch === undefined) return index;
      return stretch.copied ? stretch.from + (index - stretch.at) : stretch.from;
    },
  };
}
