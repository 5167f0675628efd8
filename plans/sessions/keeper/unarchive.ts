import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { errnoOf } from '../../../src/backup/failures.ts';
import { inTransaction, type Pool, type Queryable } from '../../../src/db/connect.ts';
import { isDataError, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import {
  type ArchivedColumn,
  type ArchivedTable,
  archivedColumns,
  archivedRows,
  archivedTables,
  insertRows,
} from './purge-rows.ts';
import { keeperNames } from './transitions.ts';

const columns = z.array(z.string());
const header = z.object({
  tandem: z.literal('purged sessions'),
  version: z.literal(1),
  columns: z.object({ sessions: columns, messages: columns, feedback: columns }),
});
type Header = z.infer<typeof header>;
const line = z.object({ table: z.enum(archivedTables), values: z.array(z.string().nullable()) });
type Rows = Record<ArchivedTable, (string | null)[][]>;

export interface Restored {
  readonly session: string;
  /** `present`: a session of that id is there, and was left as it is. */
  readonly outcome: 'restored' | 'present' | 'refused';
  readonly messages: number;
  readonly feedback: number;
  /** Why it was refused. */
  readonly reason: string | null;
}

/** The file that a purged session was written to, where it was purged last. @throws TD008 where there is none */
export async function fileOfSession(client: Queryable, session: string): Promise<string> {
  const { rows } = await client.query<{ file: string | null }>(
    `SELECT archive_file AS file FROM keeper.purged_sessions WHERE session_id = $1 ORDER BY purged_at DESC LIMIT 1`,
    [session],
  );
  const [found] = rows;
  if (found === undefined)
    throw new TandemError('TD008', `Session ${session} was not purged here.`, {
      hint: 'Look for it among the sessions.',
    });
  if (found.file === null)
    throw new TandemError('TD008', `Session ${session} was purged without being written to a file.`, {
      hint: 'A backup from before may have it: `tandem restore`.',
    });
  return found.file;
}

/**
 * Brings sessions of a file back, with their messages and feedback, exactly as they were, each in a transaction of its
 * own; a session that is there already is left alone, so that the same file may be given again. They are soft-deleted, as
 * they were, and rest anew for the policy's time.
 *
 * @param only this session alone; null: all of them
 * @throws TD008 for a file that is not there, or does not have the session; TD041 for one that is damaged
 */
export async function unarchive(
  pool: Pool,
  names: SessionsNames,
  path: string,
  only: string | null,
  signal: AbortSignal,
): Promise<Restored[]> {
  const now = await archivedColumns(pool, names);
  const results: Restored[] = [];
  for await (const { head, rows } of sessionsOf(path)) {
    if (signal.aborted)
      throw new TandemError('TD022', 'Stopped between two sessions.', { hint: 'Run the same command again to go on.' });
    const session = idOf(head, rows);
    if (only === null || only === session) results.push(await restore(pool, names, now, head, session, rows));
  }
  if (only !== null && results.length === 0)
    throw new TandemError('TD008', `${path} does not have session ${only}.`, { hint: 'zcat shows what a file has.' });
  return results;

  function idOf(head: Header, rows: Rows): string {
    const column = names.sessionsColumns['id'] ?? 'id';
    return rows.sessions[0]?.[head.columns.sessions.indexOf(column)] ?? '';
  }
}

async function restore(
  pool: Pool,
  names: SessionsNames,
  now: Record<ArchivedTable, ArchivedColumn[]>,
  head: Header,
  session: string,
  rows: Rows,
): Promise<Restored> {
  const counts = { messages: rows.messages.length, feedback: rows.feedback.length };
  try {
    return await inTransaction(pool, async (client) => {
      const there = await client.query('SELECT FROM private.session_keys WHERE id = $1', [session]);
      if (there.rowCount !== 0) return { session, outcome: 'present', ...counts, reason: null };
      for (const table of archivedTables) {
        const sql = insertRows(names, table, head.columns[table], now[table]);
        await client.query(sql, [JSON.stringify(rows[table])]);
      }
      await assertSame(client, names, now, head, session, rows);
      const type = keeperNames(names).statusType;
      await client.query(
        `INSERT INTO keeper.session_moves (session_id, from_status, to_status)
         SELECT id, status, status FROM private.session_keys WHERE id = $1 AND status = 'deleted'::${type}`,
        [session],
      );
      await client.query(
        `UPDATE keeper.purged_sessions SET restored_at = now(), restored_by = session_user
          WHERE session_id = $1 AND restored_at IS NULL`,
        [session],
      );
      return { session, outcome: 'restored', ...counts, reason: null };
    });
  } catch (error) {
    const isRefusal = isDataError(sqlStateOf(error)) || (error instanceof TandemError && error.code === 'TD044');
    if (!isRefusal || !(error instanceof Error)) throw error;
    return { session, outcome: 'refused', ...counts, reason: error.message };
  }
}

/** Triggers of the application's may have made something else of the rows. @throws TD044 */
async function assertSame(
  client: Queryable,
  names: SessionsNames,
  now: Record<ArchivedTable, ArchivedColumn[]>,
  head: Header,
  session: string,
  rows: Rows,
): Promise<void> {
  const wanted = Object.fromEntries(
    archivedTables.map((table) => [
      table,
      head.columns[table].flatMap((name) => now[table].filter((column) => column.name === name)),
    ]),
  );
  const columnsOf = (table: ArchivedTable) => wanted[table] ?? [];
  const { rows: found } = await client.query<{ table: ArchivedTable; values: (string | null)[] }>(
    archivedRows(names, {
      sessions: columnsOf('sessions'),
      messages: columnsOf('messages'),
      feedback: columnsOf('feedback'),
    }),
    [[session]],
  );
  for (const table of archivedTables) {
    const texts = (list: (string | null)[][]) => list.map((values) => JSON.stringify(values)).toSorted();
    const [is, was] = [texts(found.filter((r) => r.table === table).map((r) => r.values)), texts(rows[table])];
    if (is.length === was.length && is.every((text, i) => text === was[i])) continue;
    throw new TandemError('TD044', `Its ${table} would not be what they were: a trigger alters them.`, {
      hint: 'Disable the trigger, restore, and enable it again.',
    });
  }
}

/** The sessions of a file, one at a time. */
async function* sessionsOf(path: string): AsyncGenerator<{ head: Header; rows: Rows }> {
  const file = createReadStream(path);
  const unzipped = createGunzip();
  file.on('error', (error) => unzipped.destroy(error));
  file.pipe(unzipped);
  let head: Header | null = null;
  let rows: Rows | null = null;
  try {
    for await (const text of linesOf(unzipped)) {
      if (head === null) {
        head = header.parse(JSON.parse(text));
        continue;
      }
      const { table, values } = line.parse(JSON.parse(text));
      if (table === 'sessions') {
        if (rows !== null) yield { head, rows };
        rows = { sessions: [], messages: [], feedback: [] };
      }
      if (rows === null) throw new SyntaxError('a row stands before its session');
      rows[table].push(values);
    }
    if (head === null) throw new SyntaxError('it is empty');
  } catch (error) {
    throw readFailure(error, path);
  } finally {
    file.destroy();
  }
  if (rows !== null) yield { head, rows };
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
