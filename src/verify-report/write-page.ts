import { constants } from 'node:fs';
import { access, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { partOf, writeFileAtomically } from '../backup/atomic-file.ts';
import { writeFailure } from '../backup/failures.ts';
import { TandemError } from '../engine/errors.ts';

/** Before minutes of work, not after them. @throws TD042 where no page can be written there, TD008 for a folder */
export async function assertPagePlace(file: string): Promise<void> {
  const path = resolve(file);
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw writeFailure(error, path) ?? error;
  }
  if ((await stat(path).catch(() => null))?.isDirectory())
    throw new TandemError('TD008', `${path} is a folder.`, { hint: 'Give the name of a file: --html report.html' });
}

/** Writes the page whole, or not at all, readable by its owner only: keys of rows may stand in it. @throws TD042 */
export async function writePage(file: string, page: string): Promise<void> {
  const path = resolve(file);
  try {
    // A file that was left there could have other rights, and would keep them.
    await rm(partOf(path), { force: true });
    await writeFileAtomically(path, page);
  } catch (error) {
    await rm(partOf(path), { force: true }).catch(() => undefined);
    throw writeFailure(error, path) ?? error;
  }
}
