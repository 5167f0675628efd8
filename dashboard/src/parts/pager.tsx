/** Goes through keyset pages: `trail` are the cursors that led here, `next` the one that leads on, or null on the last page. Nothing where there is one page. */
export function Pager<Cursor>({
  label,
  trail,
  next,
  onTrail,
}: {
  readonly label: string;
  readonly trail: readonly Cursor[];
  readonly next: Cursor | null;
  readonly onTrail: (trail: Cursor[]) => void;
}) {
  if (trail.length === 0 && next === null) return null;
  return (
    <nav class="actions" aria-label={label}>
      <button type="button" disabled={trail.length === 0} onClick={() => onTrail(trail.slice(0, -1))}>
        Newer
      </button>
      <button type="button" disabled={next === null} onClick={() => next !== null && onTrail([...trail, next])}>
        Older
      </button>
    </nav>
  );
}
