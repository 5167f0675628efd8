import { inTransaction, type Pool, type Queryable } from '../../../src/db/connect.ts';
import { isDataError, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import { findCascadedRows } from './cascaded-rows.ts';
import { archivedColumns, archivedRows, insertRows } from './purge-rows.ts';
import { columnsOf, type Header, purgedSessions, type Rows } from './read-purge-file.ts';
import { type RestoredTable, restoreOrder } from './restore-order.ts';
import { keeperNames } from './transitions.ts';

export interface Restored {
  readonly session: string;
  /** `present`: a session of that id is there, and was left as it is. */
  readonly outcome: 'restored' | 'present' | 'refused';
  readonly messages: number;
  readonly feedback: number;
  /** Rows of other tables that went with it. */
  readonly others: number;
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
 * Brings sessions of a file back, with their messages and feedback and what else went with them, exactly as they were, each in
 * a transaction of its own; a session that is there already is left alone, so that the same file may be given again. They are
 * soft-deleted, as they were, and rest anew for the policy's time.
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
  const results: Restored[] = [];
  for await (const { head, rows } of purgedSessions(path)) {
    if (signal.aborted)
      throw new TandemError('TD022', 'Stopped between two sessions.', { hint: 'Run the same command again to go on.' });
    const session = idOf(head, rows);
    if (only === null || only === session) results.push(await restore(pool, names, head, session, rows));
  }
  if (only !== null && results.length === 0)
    throw new TandemError('TD008', `${path} does not have session ${only}.`, { hint: 'zcat shows what a file has.' });
  return results;

  function idOf(head: Header, rows: Rows): string {
    const column = names.sessionsColumns['id'] ?? 'id';
    return rows.get('sessions')?.[0]?.[head.columns.sessions.indexOf(column)] ?? '';
  }
}

async function restore(pool: Pool, names: SessionsNames, head: Header, session: string, rows: Rows): Promise<Restored> {
  const count = (table: string) => rows.get(table)?.length ?? 0;
  const others = head.cascaded.reduce((sum, _table, i) => sum + count(String(i)), 0);
  const counts = { messages: count('messages'), feedback: count('feedback'), others };
  try {
    return await inTransaction(pool, async (client) => {
      const there = await client.query('SELECT FROM private.session_keys WHERE id = $1', [session]);
      if (there.rowCount !== 0) return { session, outcome: 'present', ...counts, reason: null };
      const { tables, deferred } = await restoreOrder(client, names, head, rows);
      if (deferred) await client.query('SET CONSTRAINTS ALL DEFERRED');
      for (const { key, name, now } of tables) {
        const sql = insertRows(name, columnsOf(head, key) ?? [], now);
        await client.query(sql, [JSON.stringify(rows.get(key))]);
      }
      if (deferred) await client.query('SET CONSTRAINTS ALL IMMEDIATE');
      await assertSame(client, names, tables, head, session, rows);
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
  tables: readonly RestoredTable[],
  head: Header,
  session: string,
  rows: Rows,
): Promise<void> {
  const now = await archivedColumns(client, names);
  const asWritten = (key: string, columns: readonly { name: string; type: string }[]) =>
    (columnsOf(head, key) ?? []).flatMap((name) => columns.filter((column) => column.name === name));
  const { tables: there } = await findCascadedRows(client, names, [session], { lock: false });
  const others = tables.flatMap(({ key, name, now: columns, isCascaded }) => {
    if (!isCascaded) return [];
    const found = there.find(({ table }) => table.schema === name.schema && table.name === name.name);
    return [{ key, table: name, columns: asWritten(key, columns), places: found?.places ?? [] }];
  });
  const written = {
    sessions: asWritten('sessions', now.sessions),
    messages: asWritten('messages', now.messages),
    feedback: asWritten('feedback', now.feedback),
  };
  const { text, values } = archivedRows(names, written, [session], others);
  const { rows: found } = await client.query<{ table: string; values: (string | null)[] }>(text, values);
  const texts = (list: readonly (string | null)[][]) => list.map((row) => JSON.stringify(row)).toSorted();
  const compared = [
    ...Object.keys(written).map((key) => ({ key, name: key, as: key })),
    ...others.map(({ key, table }, i) => ({ key, name: `rows of ${table.schema}.${table.name}`, as: String(i) })),
  ];
  for (const { key, name, as } of compared) {
    const is = texts(found.filter((row) => row.table === as).map((row) => row.values));
    const was = texts(rows.get(key) ?? []);
    if (is.length === was.length && is.every((row, i) => row === was[i])) continue;
    throw new TandemError('TD044', `Its ${name} would not be what they were: a trigger alters them.`, {
      hint: 'Disable the trigger, restore, and enable it again.',
    });
  }
}
