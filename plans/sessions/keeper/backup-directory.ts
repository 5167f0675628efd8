import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { discardUnfinished } from '../../../src/backup/directory.ts';
import { errnoOf } from '../../../src/backup/failures.ts';
import { backupFile, MANIFEST_FILE, type Manifest, readManifest } from '../../../src/backup/manifest.ts';
import type { BackupRow } from './backup-records.ts';

/** `app-2026-11-27T11-00-00-000Z`: whose, and as of when. */
export function backupDirectory(directory: string, database: string, at: Date): string {
  return join(
    resolve(directory),
    `${database.replaceAll(/[^\w-]/g, '_')}-${at.toISOString().replaceAll(/[:.]/g, '-')}`,
  );
}

/**
 * What is on the disk of a backup that is noted as finished: `whole`: it; `remnant`: what is left of it without its
 * manifest; `gone`: nothing; `other`: something that the keeper did not put there.
 */
export type OnDisk = 'whole' | 'remnant' | 'gone' | 'other';

/** Whether each file is there in its length; what is in them, only a drill reads. */
export async function lookAt(row: BackupRow, directory: string): Promise<OnDisk> {
  if (!isOwnPlace(row, directory)) return 'other';
  const present = await filesOf(row.directory);
  if (present === null) return 'gone';
  if (!present.includes(MANIFEST_FILE)) return present.every((name) => row.files.includes(name)) ? 'remnant' : 'other';
  const manifest = await readManifest(row.directory).catch(() => null);
  if (manifest === null || !isOf(manifest, row)) return 'other';
  for (const table of manifest.tables) {
    const size = await stat(join(row.directory, table.file)).then(
      (found) => found.size,
      () => null,
    );
    if (size !== table.bytes) return 'other';
  }
  return 'whole';
}

/** True where the manifest is of the backup that is noted. */
function isOf(manifest: Manifest, row: BackupRow): boolean {
  const files = manifest.tables.map((table) => table.file);
  return (
    row.snapshot_at !== null &&
    new Date(manifest.created_at).getTime() === row.snapshot_at.getTime() &&
    [...files].sort().join() === [...row.files].sort().join()
  );
}

/** What stands in the database decides which files are removed: never one that is not of this directory. */
function isOwnPlace(row: BackupRow, directory: string): boolean {
  return (
    dirname(resolve(row.directory)) === resolve(directory) &&
    row.files.every((name) => backupFile.safeParse(name).success)
  );
}

/** Removes the manifest first: what is left, when it is cut short, is taken for no backup. Other files stay. */
export async function removeBackup(row: BackupRow): Promise<void> {
  for (const name of [MANIFEST_FILE, ...row.files]) await rm(join(row.directory, name), { force: true });
  await removeIfEmpty(row.directory);
}

/** Takes away what a backup left behind that was killed. Null where it had just been finished: then it is one. */
export async function settleUnfinished(row: BackupRow, directory: string): Promise<Manifest | null> {
  if (!isOwnPlace(row, directory)) return null;
  const manifest = await readManifest(row.directory).catch(() => null);
  if (manifest !== null) return manifest;
  await discardUnfinished(row.directory, row.files);
  await removeIfEmpty(row.directory);
  return null;
}

export async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errnoOf(error) ?? '')) throw error;
  }
}

async function filesOf(directory: string): Promise<string[] | null> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
