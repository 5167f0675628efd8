import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TandemError } from '../engine/errors.ts';
import { PRIVATE_DIRECTORY, partOf, syncDirectory, writeFileAtomically } from './atomic-file.ts';
import { writeFailure } from './failures.ts';
import { backupFile, MANIFEST_FILE } from './manifest.ts';

const MARKER_FILE = 'unfinished.json';
const markerSchema = z.strictObject({ format: z.literal('tandem-unfinished-backup'), files: z.array(backupFile) });

/**
 * Makes the directory ready for the files of a backup, and marks it as unfinished until `markFinished`. What an earlier
 * run of Tandem left unfinished there is removed: its files belong to a snapshot that is gone.
 *
 * @throws TD040 where it holds a finished backup, or files of these names that no unfinished backup of Tandem's wrote
 * @throws TD042 where it cannot be written to
 */
export async function prepareDirectory(directory: string, files: readonly string[]): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
    const present = new Set(await readdir(directory));
    if (present.has(MANIFEST_FILE)) throw exists(`${directory} already holds a backup.`);
    const left = present.has(MARKER_FILE) ? await readMarker(directory) : null;
    const foreign = left ? undefined : files.find((file) => present.has(file));
    if (foreign) throw exists(`${join(directory, foreign)} is there already, and no unfinished backup wrote it.`);
    await removeFiles(directory, [...(left ?? []), ...files]);
    const marker = { format: 'tandem-unfinished-backup', files };
    await writeFileAtomically(join(directory, MARKER_FILE), `${JSON.stringify(marker, null, 2)}\n`);
  } catch (error) {
    throw writeFailure(error, directory) ?? error;
  }
}

/** Takes the mark away. Where it stays in spite of that, the manifest beside it says that the backup is finished. */
export async function markFinished(directory: string): Promise<void> {
  await rm(join(directory, MARKER_FILE), { force: true }).catch(() => undefined);
  await syncDirectory(directory);
}

/**
 * Removes what a failed backup wrote, which gives a full disk its space back. Whatever cannot be removed stays behind
 * the mark, for the next run to replace.
 */
export async function discardUnfinished(directory: string, files: readonly string[]): Promise<void> {
  try {
    await removeFiles(directory, [...files, MANIFEST_FILE]);
    await markFinished(directory);
  } catch {
    // The error that made the backup fail is the one to report.
  }
}

async function removeFiles(directory: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    await rm(join(directory, file), { force: true });
    await rm(partOf(join(directory, file)), { force: true });
  }
}

async function readMarker(directory: string): Promise<string[]> {
  const path = join(directory, MARKER_FILE);
  try {
    return markerSchema.parse(JSON.parse(await readFile(path, 'utf8'))).files;
  } catch (cause) {
    throw exists(`${path} is there already, and Tandem did not write it.`, cause);
  }
}

function exists(message: string, cause?: unknown): TandemError {
  return new TandemError('TD040', message, {
    hint: 'Choose another directory, or move that one away; a backup is never overwritten.',
    ...(cause === undefined ? {} : { cause }),
  });
}
