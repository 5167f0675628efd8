import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Who may read a backup: its owner. It holds user data. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_DIRECTORY = 0o700;

/** The name under which a file is written until it is complete. */
export function partOf(path: string): string {
  return `${path}.part`;
}

/** Writes a small file so that, whatever happens, the name shows the old content or all of the new one. */
export async function writeFileAtomically(path: string, text: string): Promise<void> {
  const file = await open(partOf(path), 'w', PRIVATE_FILE);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partOf(path), path);
  await syncDirectory(dirname(path));
}

/** Makes renames outlast a power cut, where the system lets a directory be synced (Windows does not). */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    await directory.sync().finally(() => directory.close());
  } catch {
    // The files themselves are synced; only the order of the last renames is left to the system.
  }
}
