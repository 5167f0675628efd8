import { Transform } from 'node:stream';

/**
 * A stream that passes every byte on unchanged, shows each chunk to `look` first, and fails with what `look` throws.
 * Memory stays flat: nothing is kept, and a slow reader holds the writer back.
 */
export function tap(look: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        look(chunk);
        done(null, chunk);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
}
