import { chown, mkdtemp, readFile, realpath, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TandemError } from '../engine/errors.ts';

/** The user that a local server runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root, so root hands the server to `postgres`, or to `nobody` where that user is missing.
 * Null for everybody else: the server runs as the user who asks for it.
 */
export async function serverAccount(): Promise<Account | null> {
  if (process.geteuid?.() !== 0) return null;
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const name of ['postgres', 'nobody']) {
    const entry = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(passwd);
    if (entry) return { uid: Number(entry[1]), gid: Number(entry[2]) };
  }
  throw new TandemError('TD050', 'PostgreSQL refuses to run as root, and there is no user to run it as.', {
    hint: 'Run the command as another user, or add one: useradd --system postgres.',
  });
}

/** The directory for temporary files: the system's, or `/tmp` where the server's user cannot enter that one. */
export async function temporaryDirectory(account: Account | null): Promise<string> {
  for (const candidate of [tmpdir(), '/tmp']) {
    const directory = await realpath(candidate).catch(() => null);
    if (directory !== null && (account === null || (await isOpen(directory)))) return directory;
  }
  throw new TandemError('TD050', `The server's user cannot enter ${tmpdir()}.`, {
    hint: 'Set TMPDIR to a directory that every user can enter.',
  });
}

/** A fresh directory of mode 700 that belongs to the server's user. */
export async function privateDirectory(parent: string, account: Account | null): Promise<string> {
  const directory = await mkdtemp(join(parent, 'tandem-server-'));
  if (account) await chown(directory, account.uid, account.gid);
  return directory;
}

/** True where every user may walk down to the directory. */
async function isOpen(directory: string): Promise<boolean> {
  const { mode } = await stat(directory);
  if ((mode & 0o001) === 0) return false;
  return directory === dirname(directory) || isOpen(dirname(directory));
}
