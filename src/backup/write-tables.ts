import type { PoolClient } from 'pg';
import { z } from 'zod';
import type { Pool } from '../db/connect.ts';
import type { TableDescription } from '../db/describe-table.ts';
import type { QualifiedName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { OnProgress } from '../engine/progress.ts';
import { type CopyOut, copyOut, type WrittenFile } from './copy-out.ts';
import type { ManifestContent, ManifestTable } from './manifest.ts';
import { shareWork } from './share-work.ts';
import { joinSnapshot, withSnapshot } from './snapshot.ts';
import { tableSize } from './table-size.ts';
import { describeWholeTables } from './whole-tables.ts';

export interface WriteTables {
  readonly pool: Pool;
  readonly tables: readonly { readonly table: QualifiedName; readonly file: string }[];
  readonly directory: string;
  readonly gzip: boolean;
  readonly workers: number;
  readonly onProgress: OnProgress | undefined;
  readonly signal: AbortSignal | undefined;
  readonly now: () => Date;
}

/** Writes the file of every table, all in one snapshot, and returns what the manifest has to say of them. */
export async function writeTables(options: WriteTables): Promise<ManifestContent> {
  const { pool, directory, gzip, onProgress } = options;
  const tables = options.tables.map(({ table }) => table);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
  return withSnapshot(pool, tables, signal, async (first, snapshot) => {
    const created_at = options.now().toISOString();
    const described = await describeWholeTables(first, tables);
    const copies: CopyOut[] = [];
    for (const { table, file } of options.tables) {
      const size = await tableSize(first, table);
      copies.push({ table, file, directory, gzip, onProgress, signal, size });
    }
    const written = new Map<string, WrittenFile>();
    await shareWork(
      // The largest first: were it the last, all other connections would wait for it.
      copies.toSorted((a, b) => b.size.bytes - a.size.bytes),
      async (copy, client: PoolClient) => {
        written.set(copy.file, await copyOut(client, copy));
      },
      {
        first,
        helpers: Math.min(options.workers, pool.options.max ?? options.workers) - 1,
        join: (work) => joinSnapshot(pool, tables, snapshot, signal, work),
        stop: () => stop.abort(),
      },
    );
    const entries = options.tables.map(({ file }, at) => manifestTable(described[at], file, gzip, written.get(file)));
    return { created_at, ...(await describeServer(first)), snapshot, tables: entries };
  });
}

const serverSchema = z.tuple([z.object({ server_version: z.string(), database: z.string() })]);

async function describeServer(client: PoolClient): Promise<z.infer<typeof serverSchema>[0]> {
  const { rows } = await client.query(
    "SELECT pg_catalog.current_setting('server_version') AS server_version, pg_catalog.current_database() AS database",
  );
  return serverSchema.parse(rows)[0];
}

function manifestTable(
  described: TableDescription | undefined,
  file: string,
  compressed: boolean,
  written: WrittenFile | undefined,
): ManifestTable {
  if (!described || !written) throw new TandemError('TD099', `${file} was not written, and no error said so.`);
  const columns = described.columns.map(({ name, type }) => ({ name, type }));
  return { ...described.name, file, columns, ...written, compressed };
}
