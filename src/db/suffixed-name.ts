import { createHash } from 'node:crypto';

/** PostgreSQL's NAMEDATALEN, less the end of the string. */
const MAX_NAME_BYTES = 63;

/**
 * `name` and `suffix`. Where that is longer than a name may be, the server would cut the suffix off: the name is cut
 * instead, and has something of its own in the place of its end, so that two long names stay apart.
 */
export function suffixed(name: string, suffix: string): string {
  if (Buffer.byteLength(name + suffix) <= MAX_NAME_BYTES) return name + suffix;
  const end = `_${createHash('sha256').update(name).digest('hex').slice(0, 6)}${suffix}`;
  let kept = [...name];
  while (Buffer.byteLength(kept.join('') + end) > MAX_NAME_BYTES) kept = kept.slice(0, -1);
  return kept.join('') + end;
}
