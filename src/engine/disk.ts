import { stat, statfs } from 'node:fs/promises';
import type { Queryable } from '../db/connect.ts';
import { quoteName } from '../db/identifier.ts';
import type { TableMove } from '../move/table-move.ts';
import type { Finding } from './events.ts';

// Both versions stand side by side, and the new one has more indexes and the search vector.
const TARGET_SIZE_FACTOR = 1.8;

/** Bytes that targets, indexes and change log may need beside the live tables. */
export function diskNeed(tableBytes: number): number {
  return Math.round(tableBytes * TARGET_SIZE_FACTOR);
}

/**
 * Whether there is room for the new tables. PostgreSQL does not tell how much disk is free: it is known where the server
 * is on this machine, or where `--disk-free` says it. Else the need is a note.
 */
export async function diskFindings(
  client: Queryable,
  moves: readonly Pick<TableMove, 'source'>[],
  told: number | null,
): Promise<Finding[]> {
  const { rows } = await client.query<{ bytes: number }>(
    'SELECT coalesce(sum(pg_catalog.pg_total_relation_size(t::regclass)), 0)::float8 AS bytes FROM unnest($1::text[]) AS t',
    [moves.map((move) => quoteName(move.source))],
  );
  const need = diskNeed(rows[0]?.bytes ?? 0);
  const free = told ?? (await freeBytes(client));
  const pretty = async (bytes: number) =>
    (await client.query<{ text: string }>('SELECT pg_catalog.pg_size_pretty($1::bigint) AS text', [Math.round(bytes)]))
      .rows[0]?.text;
  const subject = 'disk';
  if (free === null) {
    return [
      {
        severity: 'note',
        subject,
        message: `a run needs about ${await pretty(need)} beside the tables; what is free on the server cannot be seen from here`,
        hint: 'See that there is room; with --disk-free Tandem compares the two.',
      },
    ];
  }
  if (need <= free) return [];
  return [
    {
      severity: 'blocks',
      subject,
      message: `a run needs about ${await pretty(need)} beside the tables, and ${await pretty(free)} are free on the server`,
      hint: 'Give the server room. Where more is free than that, say so with --disk-free.',
    },
  ];
}

/**
 * Free bytes at the server's data directory, where that is on this machine: a directory of this path and of the same
 * time of change. Null where the role may not ask, or where it is elsewhere.
 */
async function freeBytes(client: Queryable): Promise<number | null> {
  const { rows } = await client.query<{ directory: string | null; may: boolean }>(
    `SELECT (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory') AS directory,
            pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text)', 'EXECUTE')
            AND (SELECT t.spcname = 'pg_default' FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
                  WHERE d.datname = pg_catalog.current_database()) AS may`,
  );
  const [found] = rows;
  if (!found?.directory || !found.may) return null;
  const { rows: files } = await client.query<{ changed: Date }>(
    "SELECT (pg_catalog.pg_stat_file('.')).modification AS changed",
  );
  try {
    const here = await stat(found.directory);
    if (Math.floor(here.mtimeMs / 1000) !== Math.floor((files[0]?.changed.getTime() ?? 0) / 1000)) return null;
    const disk = await statfs(found.directory);
    return disk.bavail * disk.bsize;
  } catch {
    // No such directory, or not for this user to look at: the server is elsewhere.
    return null;
  }
}
