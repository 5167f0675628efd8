import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { errnoOf } from '../../../src/backup/failures.ts';
import { TandemError } from '../../../src/engine/errors.ts';

const columns = z.array(z.string());
const header = z.object({
  tandem: z.literal('purged sessions'),
  version: z.union([z.literal(1), z.literal(2)]),
  columns: z.object({ sessions: columns, messages: columns, feedback: columns }),
  /** Tables of the application's whose rows went as well: a row names its table by the place in this list. */
  cascaded: z.array(z.object({ schema: z.string(), name: z.string(), columns })).default([]),
});
export type Header = z.infer<typeof header>;
const line = z.object({ table: z.string(), values: z.array(z.string().nullable()) });
/** By the table that the line names. */
export type Rows = ReadonlyMap<string, (string | null)[][]>;

export interface PurgedSession {
  readonly head: Header;
  readonly rows: Rows;
}

/**
 * The sessions of a file, one at a time, in the order of their ids.
 *
 * @throws TD008 where it cannot be read; TD041 where it is damaged
 */
export async function* purgedSessions(path: string): AsyncGenerator<PurgedSession> {
  const file = createReadStream(path);
  const unzipped = createGunzip();
  file.on('error', (error) => unzipped.destroy(error));
  file.pipe(unzipped);
  let head: Header | null = null;
  let rows: Map<string, (string | null)[][]> | null = null;
  try {
    for await (const text of linesOf(unzipped)) {
      if (head === null) {
        head = header.parse(JSON.parse(text));
        continue;
      }
      const { table, values } = line.parse(JSON.parse(text));
      if (table === 'sessions') {
        if (rows !== null) yield { head, rows };
        rows = new Map();
      }
      if (rows === null) throw new SyntaxError('a row stands before its session');
      if (columnsOf(head, table) === null) throw new SyntaxError(`a row is of the table ${table}`);
      const list = rows.get(table);
      if (list) list.push(values);
      else rows.set(table, [values]);
    }
    if (head === null) throw new SyntaxError('it is empty');
  } catch (error) {
    throw readFailure(error, path);
  } finally {
    file.destroy();
  }
  if (rows !== null) yield { head, rows };
}

/** What the values of such a line are of; null where the file has no such table. */
export function columnsOf(head: Header, table: string): readonly string[] | null {
  const known: Record<string, readonly string[] | undefined> = head.columns;
  return known[table] ?? head.cascaded[Number(table)]?.columns ?? null;
}

/** Not by readline, which does not pass an error of its input on. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    const texts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = texts.pop() ?? '';
    yield* texts;
  }
  if (rest !== '') throw new SyntaxError('its last line is cut off');
}

function readFailure(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (errno?.startsWith('E'))
    return new TandemError('TD008', `${path} cannot be read (${errno}).`, {
      hint: 'Give the file that `keeper.purged_sessions` names, on the machine that wrote it.',
      cause: error,
    });
  const isDamaged = errno !== null || error instanceof SyntaxError || error instanceof z.ZodError;
  if (!isDamaged) return error;
  return new TandemError('TD041', `${path} is damaged, or no file of purged sessions.`, {
    hint: 'Sessions that stand before the damage are restored already; a copy of the file may have the others.',
    cause: error,
  });
}
