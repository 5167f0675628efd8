const QUOTE = 0x22;
const NEWLINE = 0x0a;

/**
 * Counts the records of a CSV as PostgreSQL writes it, chunk by chunk. A newline inside quotes belongs to a value. A
 * doubled quote closes and opens again, so that counting quotes is enough, wherever a chunk was cut.
 */
export class CsvRows {
  #inQuotes = false;
  #lastByte = NEWLINE;
  #lines = 0;
  /** Records seen so far, the header among them. */
  records = 0;
  /** The 1-based line of the first NUL character, which no text of PostgreSQL can hold; null where there is none. */
  nulLine: number | null = null;

  push(chunk: Buffer): void {
    if (this.nulLine === null && chunk.includes(0))
      this.nulLine = this.#lines + linesBefore(chunk, chunk.indexOf(0)) + 1;
    let inQuotes = this.#inQuotes;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      // Nearly every byte ends here: this loop is what a backup of a fast disk waits for.
      if (byte === undefined || byte > QUOTE) continue;
      if (byte === QUOTE) inQuotes = !inQuotes;
      else if (byte === NEWLINE) {
        this.#lines++;
        if (!inQuotes) this.records++;
      }
    }
    this.#inQuotes = inQuotes;
    this.#lastByte = chunk[chunk.length - 1] ?? this.#lastByte;
  }

  /** Rows of data: the records without the header. */
  get rows(): number {
    return Math.max(0, this.records - 1);
  }

  /** False where the bytes end inside a record: the text was cut. */
  get complete(): boolean {
    return !this.#inQuotes && this.#lastByte === NEWLINE;
  }
}

function linesBefore(chunk: Buffer, end: number): number {
  let lines = 0;
  for (let at = chunk.indexOf(NEWLINE); at !== -1 && at < end; at = chunk.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
