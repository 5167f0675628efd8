import { Transform } from 'node:stream';

const QUOTE = 0x22;
const NEWLINE = 0x0a;
const COMMA = 0x2c;

/**
 * A stream that leaves fields out of a CSV: field `i` of each record passes where `keep[i]` is true. Every field that
 * passes does so byte for byte, since unquoting and quoting again would make an empty string of a NULL.
 *
 * Restoring needs it: `SELECT *` wrote the generated columns, and COPY refuses to load them. Loading the rest straight
 * away spares a temporary copy of the table, and an INSERT, which the user's rules could rewrite.
 */
export function keepColumns(keep: readonly boolean[]): Transform {
  const first = keep.indexOf(true);
  let field = 0;
  let keeping = keep[0] === true;
  let inQuotes = false;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const kept = Buffer.allocUnsafe(chunk.length);
      let length = 0;
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk[at] ?? 0;
        let passes = keeping;
        if (byte === QUOTE) {
          inQuotes = !inQuotes;
        } else if (byte === COMMA && !inQuotes) {
          keeping = keep[++field] === true;
          // The comma stands before the field that it opens, and none stands before the first that passes.
          passes = keeping && field !== first;
        } else if (byte === NEWLINE && !inQuotes) {
          field = 0;
          keeping = keep[0] === true;
          passes = true;
        }
        if (passes) kept[length++] = byte;
      }
      done(null, kept.subarray(0, length));
    },
  });
}
