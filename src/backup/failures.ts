import { isConnectionLoss, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';

/** The errno of a failed file operation (`ENOSPC`), or null for any other value. */
export function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

const FILE_HINTS: Partial<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space, choose another directory or compress with gzip, and run it again.',
  EDQUOT: 'The disk quota is used up: free some space or choose another directory, and run it again.',
  EFBIG: 'The file system or a limit of this process (ulimit -f) allows no larger file: choose another directory.',
  EACCES: 'Choose a directory that this user may write to.',
  EPERM: 'Choose a directory that this user may write to.',
  EROFS: 'The file system is read-only: choose another directory.',
  ENOTDIR: 'A part of the path is a file: choose another directory.',
  EEXIST: 'Something else of that name is there, or another backup is writing here: choose another directory.',
};
const SOCKET_ERRNOS = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT']);

/** TD042 for an error of the file system that names the file, or null where it is none. */
export function writeFailure(error: unknown, path: string): TandemError | null {
  const errno = errnoOf(error);
  if (errno === null || SOCKET_ERRNOS.has(errno)) return null;
  return new TandemError('TD042', `${path} cannot be written (${errno}).`, {
    hint: FILE_HINTS[errno] ?? 'Check the disk and the directory, and run it again.',
    cause: error,
  });
}

/** What has the same meaning in a backup and in a restore; null where the caller knows better. */
export function commonFailure(error: unknown, subject: string, signal: AbortSignal | undefined): TandemError | null {
  if (error instanceof TandemError) return error;
  if (signal?.aborted) {
    return new TandemError('TD022', 'Interrupted: nothing of it is kept.', { hint: 'Run it again.', cause: error });
  }
  if (isConnectionLoss(error)) {
    return new TandemError('TD021', `The connection to the server was lost at ${subject}.`, {
      hint: 'Run it again when the server answers.',
      cause: error,
    });
  }
  switch (sqlStateOf(error)) {
    case SqlState.undefinedTable:
      return new TandemError('TD005', `A table of ${subject} was dropped or renamed meanwhile.`, {
        hint: 'Run it again.',
        ...serverMessage(error),
        cause: error,
      });
    case SqlState.insufficientPrivilege:
      return new TandemError('TD006', `The role lacks a right that ${subject} needs.`, {
        hint: 'Use the owner of the tables, or a role with BYPASSRLS: row-level security would leave rows out silently.',
        ...serverMessage(error),
        cause: error,
      });
    case SqlState.readOnlyTransaction:
      return new TandemError('TD009', 'The server takes no writes.', {
        hint: 'Restore into the primary, and see default_transaction_read_only of the role and the database.',
        cause: error,
      });
    case SqlState.lockNotAvailable:
    case SqlState.deadlockDetected:
      return new TandemError('TD020', `The lock on ${subject} was not obtained in time.`, {
        hint: 'Another session is changing the table or holds it; see pg_locks. Run it again when it is done.',
        cause: error,
      });
    default:
      return null;
  }
}

/** Any error of a backup as the error that a user meets. */
export function backupFailure(error: unknown, subject: string, signal: AbortSignal | undefined): TandemError {
  return (
    commonFailure(error, subject, signal) ??
    writeFailure(error, subject) ??
    new TandemError('TD042', `The backup of ${subject} failed.`, {
      hint: 'The server could not deliver all rows; its own message is below.',
      ...serverMessage(error),
      cause: error,
    })
  );
}

/** The server's own words, with the row that it complains about. */
export function serverMessage(error: unknown): { detail?: string } {
  if (!(error instanceof Error)) return {};
  const more = ['detail', 'where'].map((key) => Object.entries(error).find(([name]) => name === key)?.[1]);
  return { detail: [error.message, ...more].filter((line) => typeof line === 'string' && line !== '').join('\n') };
}
