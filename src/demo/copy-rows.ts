import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { from } from 'pg-copy-streams';
import type { Client } from '../db/connect.ts';
import { type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';

export type Rows = Iterable<readonly (string | number)[]>;

const CHUNK_CHARACTERS = 64 * 1024;

/**
 * Runs `COPY table (columns) FROM STDIN` and sends the rows, which are drawn only as fast as the server takes them: a
 * generator of any length needs no more memory than one piece of it. An abort ends the statement as an error.
 */
export async function copyRows(
  client: Client,
  table: QualifiedName,
  columns: readonly string[],
  rows: Rows,
  signal?: AbortSignal,
): Promise<void> {
  const into = client.query(from(`COPY ${quoteName(table)} (${columns.map(quoteIdent).join(', ')}) FROM STDIN`));
  await pipeline(Readable.from(chunks(rows)), into, signal ? { signal } : {});
}

/**
 * Rows in COPY's text format, in pieces large enough that the stream does not cost more than they do. After each piece
 * the rest of the process gets its turn: a socket that takes everything at once never waits for the event loop, and
 * then neither an error of the server's nor an interrupt would be noticed before the last row.
 */
async function* chunks(rows: Rows): AsyncGenerator<Buffer> {
  let text = '';
  for (const row of rows) {
    text += `${row.map(escapeValue).join('\t')}\n`;
    if (text.length >= CHUNK_CHARACTERS) {
      yield Buffer.from(text);
      text = '';
      await nextTurn();
    }
  }
  if (text !== '') yield Buffer.from(text);
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function escapeValue(value: string | number): string {
  return typeof value === 'number' ? String(value) : value.replace(/[\\\t\n\r]/g, (found) => escapes[found] ?? found);
}
