import { z } from 'zod';
import type { Queryable } from '../../../src/db/connect.ts';

const amount = z.coerce.number().nullable();

const backupRow = z.object({
  id: z.coerce.number(),
  host: z.string(),
  directory: z.string(),
  files: z.array(z.string()),
  started_at: z.date(),
  /** Null while it is being made. */
  ended_at: z.date().nullable(),
  bytes: amount,
  rows: amount,
  snapshot_at: z.date().nullable(),
  error: z.string().nullable(),
  /** Removed by the rotation. */
  removed_at: z.date().nullable(),
});
export type BackupRow = z.infer<typeof backupRow>;

const drillRow = z.object({
  id: z.coerce.number(),
  backup_id: amount,
  host: z.string(),
  directory: z.string(),
  place: z.enum(['server', 'embedded']),
  started_at: z.date(),
  ended_at: z.date().nullable(),
  rows: amount,
  bytes: amount,
  error: z.string().nullable(),
});
export type DrillRow = z.infer<typeof drillRow>;

const BACKUP = 'id, host, directory, files, started_at, ended_at, bytes, rows, snapshot_at, error, removed_at';
const DRILL = 'id, backup_id, host, directory, place, started_at, ended_at, rows, bytes, error';

/** The keeper's backups, the newest first. */
export async function listBackups(client: Queryable, limit: number): Promise<BackupRow[]> {
  const { rows } = await client.query(`SELECT ${BACKUP} FROM keeper.backups ORDER BY id DESC LIMIT $1`, [limit]);
  return z.array(backupRow).parse(rows);
}

/** Finished and not removed, the newest first. */
export async function listGoodBackups(client: Queryable, host: string): Promise<BackupRow[]> {
  const { rows } = await client.query(
    `SELECT ${BACKUP} FROM keeper.backups
      WHERE host = $1 AND ended_at IS NOT NULL AND error IS NULL AND removed_at IS NULL ORDER BY id DESC`,
    [host],
  );
  return z.array(backupRow).parse(rows);
}

/** The keeper's restore drills, the newest first. */
export async function listDrills(client: Queryable, limit: number): Promise<DrillRow[]> {
  const { rows } = await client.query(`SELECT ${DRILL} FROM keeper.drills ORDER BY id DESC LIMIT $1`, [limit]);
  return z.array(drillRow).parse(rows);
}

/** Of backups that a drill failed on: their numbers. */
export async function listSuspects(client: Queryable): Promise<number[]> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT backup_id AS id FROM keeper.drills d WHERE error IS NOT NULL AND backup_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM keeper.drills later WHERE later.backup_id = d.backup_id AND later.id > d.id
                           AND later.ended_at IS NOT NULL AND later.error IS NULL)`,
  );
  return rows.map(({ id }) => Number(id));
}

/** Begun by a keeper on this host, and never ended. */
export async function listUnfinishedBackups(client: Queryable, host: string): Promise<BackupRow[]> {
  const { rows } = await client.query(
    `SELECT ${BACKUP} FROM keeper.backups WHERE host = $1 AND ended_at IS NULL ORDER BY id`,
    [host],
  );
  return z.array(backupRow).parse(rows);
}

/** Likewise. */
export async function listUnfinishedDrills(
  client: Queryable,
  host: string,
): Promise<{ id: number; scratch: string | null }[]> {
  const { rows } = await client.query<{ id: string; scratch: string | null }>(
    'SELECT id, scratch FROM keeper.drills WHERE host = $1 AND ended_at IS NULL ORDER BY id',
    [host],
  );
  return rows.map(({ id, scratch }) => ({ id: Number(id), scratch }));
}
