import type pg from 'pg';
import { inTransaction } from '../db/connect.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import type { OnProgress } from '../engine/progress.ts';
import { copyRows, type Rows } from './copy-rows.ts';
import { addMessageKeysSql, dropMessageKeysSql } from './flat-tables.ts';
import { messageColumns, messageRows, sessionColumns, sessionRows, userColumns, userRows } from './rows.ts';

export interface LoadOptions {
  readonly sessions: number;
  readonly messages: number;
  /** One for every eight sessions, unless told. */
  readonly users?: number;
  readonly seed: number;
  /** The end of the generated history. The same seed gives the same rows only with the same `now`. */
  readonly now?: Date;
  readonly onProgress?: OnProgress;
  /** Where it is aborted, the load ends soon after, and leaves the tables empty. */
  readonly signal?: AbortSignal;
}

/**
 * Fills the empty flat tables with lessons, in one transaction: `COPY … FROM STDIN`, fed only as fast as the server
 * reads. Then `VACUUM (ANALYZE)`, so that autovacuum does not begin in the middle of what the demo measures.
 */
export async function loadFlatTables(pool: pg.Pool, options: LoadOptions): Promise<void> {
  const users = options.users ?? Math.max(1, Math.ceil(options.sessions / 8));
  const recipe = { ...options, users, now: options.now ?? new Date() };
  const tables = [
    { schema: 'auth', name: 'users', columns: userColumns, rows: userRows(recipe), total: users },
    { schema: 'public', name: 'sessions', columns: sessionColumns, rows: sessionRows(recipe), total: recipe.sessions },
    { schema: 'public', name: 'messages', columns: messageColumns, rows: messageRows(recipe), total: recipe.messages },
  ];
  await inTransaction(pool, async (client) => {
    await client.query(dropMessageKeysSql);
    for (const { columns, rows, total, ...table } of tables) {
      await copyRows(
        client,
        table,
        columns,
        counted(rows, displayName(table), total, options.onProgress),
        options.signal,
      );
    }
    await client.query(addMessageKeysSql);
  });
  for (const table of tables) await pool.query(`VACUUM (ANALYZE) ${quoteName(table)}`);
}

function* counted(rows: Rows, subject: string, total: number, onProgress: OnProgress | undefined): Rows & Generator {
  const started = performance.now();
  let done = 0;
  for (const row of rows) {
    yield row;
    done++;
    if (onProgress && (done % 10_000 === 0 || done === total)) {
      onProgress({ subject, done, total, unit: 'rows', elapsedMs: performance.now() - started });
    }
  }
}
