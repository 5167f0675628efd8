import pc from 'picocolors';

/** Colours where a person looks: never into a pipe or a file, and never where NO_COLOR says so. */
function wanted(stream: { isTTY?: boolean }): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== '0';
  return stream.isTTY === true && TERM !== 'dumb';
}

/** For standard output and for standard error: one may be a terminal and the other a file. */
export const colors = pc.createColors(wanted(process.stdout));
export const errorColors = pc.createColors(wanted(process.stderr));
