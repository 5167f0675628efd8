// Types whose equality means the same bytes. Of others, equal values may be spelled in several ways (citext `a` and `A`,
// numeric 1.0 and 1.00, text of a collation that ignores case), may be domains with rules of their own, or have a
// collation that matters.
const ONE_SPELLING = new Set([
  'boolean',
  'smallint',
  'integer',
  'bigint',
  'oid',
  'uuid',
  'date',
  'bytea',
  'timestamp without time zone',
  'timestamp with time zone',
  'time without time zone',
]);

/** True where two equal keys of this type (as format_type writes it) are the same, byte by byte, and nothing else matters. */
export function hasOneSpelling(type: string): boolean {
  return ONE_SPELLING.has(type);
}
