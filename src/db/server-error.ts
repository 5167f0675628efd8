import { TandemError } from '../engine/errors.ts';
import { isConnectionLoss, SqlState, sqlStateOf } from './sqlstate.ts';

const AGAIN = 'Run the same command again when the server answers: it goes on where it stopped.';

/** What a server's refusal means to whoever runs a command; null for one that nobody foresaw. */
export function serverFailure(error: unknown): TandemError | null {
  if (isConnectionLoss(error)) {
    return new TandemError('TD021', 'The connection to the server was lost.', { hint: AGAIN, ...said(error) });
  }
  switch (sqlStateOf(error)) {
    case SqlState.invalidPassword:
    case SqlState.invalidAuthorization:
      return new TandemError('TD002', 'The server refused the user or the password.', {
        hint: 'Check the user and password in --database-url or DATABASE_URL.',
        ...said(error),
      });
    case SqlState.insufficientPrivilege:
      return new TandemError('TD006', `The connecting role lacks a privilege: ${wordsOf(error)}.`, {
        hint: 'Connect as the owner of the tables with CREATE on the database, or as a superuser, and run it again.',
        cause: error,
      });
    case SqlState.readOnlyTransaction:
      return new TandemError('TD009', `The server only reads: ${wordsOf(error)}.`, {
        hint: 'Give the address of the primary, or turn default_transaction_read_only off, and run it again.',
        cause: error,
      });
    case SqlState.lockNotAvailable:
    case SqlState.deadlockDetected:
      return new TandemError('TD020', `Another session holds a lock that was needed: ${wordsOf(error)}.`, {
        hint: 'Find it in pg_stat_activity (oldest xact_start), let it end, and run the same command again.',
        cause: error,
      });
    case SqlState.queryCanceled:
      return new TandemError('TD022', `The server gave up a statement: ${wordsOf(error)}.`, {
        hint: 'Run the same command again to go on.',
        cause: error,
      });
    case SqlState.diskFull:
      return new TandemError('TD025', `The disk of the server is full: ${wordsOf(error)}.`, {
        hint: 'Give it room (`tandem plan` says how much a run needs), then run the same command again, or go back with `tandem rollback`.',
        cause: error,
      });
    case SqlState.tooManyConnections:
      return new TandemError('TD026', `The server takes no more connections: ${wordsOf(error)}.`, {
        hint: 'Let others go, or use fewer --workers, and run the same command again.',
        cause: error,
      });
    default:
      return null;
  }
}

/** Why there is no connection to begin with, in one sentence; the error itself where that is not known. */
export function connectionFailure(error: unknown, where: string): unknown {
  const state = sqlStateOf(error);
  if (state === SqlState.invalidPassword || state === SqlState.invalidAuthorization || lacksPassword(error)) {
    return new TandemError('TD002', `The server at ${where} refused the user or the password.`, {
      hint: 'Check the user and password in --database-url or DATABASE_URL.',
      ...said(error),
    });
  }
  if (state === SqlState.invalidCatalogName) {
    return new TandemError('TD003', `There is no such database: ${where}.`, {
      hint: 'Check the last part of the URL; `psql -l` lists the databases of a server.',
      cause: error,
    });
  }
  if (state === null || isConnectionLoss(error)) {
    return new TandemError('TD001', `No PostgreSQL server answers at ${where}.`, {
      hint: aboutTls(error) ?? 'Check host and port, and that the server accepts connections from this machine.',
      ...said(error),
    });
  }
  return serverFailure(error) ?? error;
}

// The server asks for a password and the URL has none: `pg` says so without a code.
function lacksPassword(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('SASL:');
}

function aboutTls(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = 'code' in error ? String(error.code) : '';
  if (/CERT|^ERR_TLS|^UNABLE_TO_/.test(code)) {
    return 'Its certificate is not trusted here: name its authority with ?sslrootcert=FILE in the URL, or accept any with ?sslmode=no-verify.';
  }
  return error.message.includes('SSL') ? 'Take sslmode out of the URL, or have the server accept TLS.' : null;
}

/** The server's own words, without a full stop. */
function wordsOf(error: unknown): string {
  return innermost(error).replace(/\.$/, '');
}

function said(error: unknown): { detail?: string; cause: unknown } {
  const words = innermost(error);
  return words === '' ? { cause: error } : { detail: words, cause: error };
}

/** Where a name has several addresses, each failed in its own way, and the error around them says nothing. */
function innermost(error: unknown): string {
  if (error instanceof AggregateError) return [...new Set(error.errors.map(innermost))].join('\n');
  return error instanceof Error ? error.message : String(error);
}
