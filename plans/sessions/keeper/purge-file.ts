import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { PRIVATE_DIRECTORY, PRIVATE_FILE, partOf, syncDirectory } from '../../../src/backup/atomic-file.ts';
import { writeFailure } from '../../../src/backup/failures.ts';
import type { Queryable } from '../../../src/db/connect.ts';
import type { SessionsNames } from '../names.ts';
import type { CascadedTable } from './cascaded-rows.ts';
import { archivedColumns, archivedRows, archivedTables } from './purge-rows.ts';

const PAGE = 500;

/**
 * Writes sessions with their messages and feedback, and rows of other tables that go with them, all of which the caller has
 * locked, to a file of their own, and returns its path once all of it will outlast a power cut: only then may they be deleted.
 *
 * A line of JSON each: what it is, then a row a line, each session before what is its own.
 *
 * @throws TD042 where it cannot be written; nothing is left of it then
 */
export async function writePurgeFile(
  client: Queryable,
  names: SessionsNames,
  run: number,
  ids: readonly string[],
  cascaded: readonly CascadedTable[],
  directory: string,
): Promise<string> {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const path = join(resolve(directory), `purged-${stamp}-${run}-${randomBytes(3).toString('hex')}.jsonl.gz`);
  const part = partOf(path);
  try {
    await mkdir(resolve(directory), { recursive: true, mode: PRIVATE_DIRECTORY });
    const file = await open(part, 'wx', PRIVATE_FILE);
    try {
      await pipeline(
        Readable.from(lines(client, names, run, ids, cascaded)),
        createGzip(),
        async (zipped: AsyncIterable<Buffer>) => {
          for await (const chunk of zipped) await file.writeFile(chunk);
        },
      );
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    await syncDirectory(resolve(directory));
    return path;
  } catch (error) {
    // The first error is the one to report.
    await rm(part, { force: true }).catch(() => undefined);
    throw writeFailure(error, path) ?? error;
  }
}

async function* lines(
  client: Queryable,
  names: SessionsNames,
  run: number,
  ids: readonly string[],
  cascaded: readonly CascadedTable[],
) {
  const columns = await archivedColumns(client, names);
  const named = Object.fromEntries(archivedTables.map((table) => [table, columns[table].map(({ name }) => name)]));
  const more = cascaded.map(({ table, columns: its }) => ({ ...table, columns: its.map(({ name }) => name) }));
  const head = { tandem: 'purged sessions', version: 2, run, written_at: new Date(), columns: named, cascaded: more };
  yield `${JSON.stringify(head)}\n`;
  const { text, values } = archivedRows(names, columns, ids, cascaded);
  await client.query(`DECLARE purged NO SCROLL CURSOR FOR ${text}`, values);
  for (let pages = true; pages; ) {
    const { rows } = await client.query<{ table: string; values: unknown }>(`FETCH ${PAGE} FROM purged`);
    for (const { table, values: texts } of rows) yield `${JSON.stringify({ table, values: texts })}\n`;
    pages = rows.length === PAGE;
  }
  await client.query('CLOSE purged');
}
