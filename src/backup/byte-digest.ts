import { createHash } from 'node:crypto';

/** Counts and hashes bytes as they pass. `sha256()` may be asked once, at the end. */
export class ByteDigest {
  readonly #hash = createHash('sha256');
  bytes = 0;

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
  }

  /** 64 lower-case hexadecimal digits, as `sha256sum` prints them. */
  sha256(): string {
    return this.#hash.digest('hex');
  }
}
