/** SQLSTATEs that the code acts on, by the names of PostgreSQL's appendix A. Message texts are never matched. */
export const SqlState = {
  featureNotSupported: '0A000',
  notNullViolation: '23502',
  uniqueViolation: '23505',
  foreignKeyViolation: '23503',
  checkViolation: '23514',
  restrictViolation: '23001',
  invalidText: '22P02',
  triggeredDataChange: '27000',
  checkOption: '44000',
  invalidPassword: '28P01',
  invalidAuthorization: '28000',
  invalidCatalogName: '3D000',
  invalidSqlStatementName: '26000',
  readOnlyTransaction: '25006',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  insufficientPrivilege: '42501',
  undefinedTable: '42P01',
  invalidSchemaName: '3F000',
  undefinedObject: '42704',
  undefinedFile: '58P01',
  undefinedSchema: '3F000',
  duplicateObject: '42710',
  duplicateTable: '42P07',
  duplicatePreparedStatement: '42P05',
  diskFull: '53100',
  tooManyConnections: '53300',
  programLimitExceeded: '54000',
  statementTooComplex: '54001',
  objectNotInPrerequisiteState: '55000',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  adminShutdown: '57P01',
  crashShutdown: '57P02',
  cannotConnectNow: '57P03',
  raisedByTrigger: 'P0001',
} as const;

/** The SQLSTATE of an error thrown by `pg`, or null for any other value. */
export function sqlStateOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('severity' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

/**
 * True for errors of the value at hand: a row that does not fit, not a broken statement. Classes 22 and 23, what a
 * trigger raises (P0001), and a value too large for an index or a text-search vector (54000).
 */
export function isDataError(state: string | null): boolean {
  if (state === SqlState.raisedByTrigger || state === SqlState.programLimitExceeded) return true;
  return state !== null && (state.startsWith('22') || state.startsWith('23'));
}

/** True where the server gave a transaction up for the sake of another one: done again, it may well succeed. */
export function isTransient(state: string | null): boolean {
  return state === SqlState.serializationFailure || state === SqlState.deadlockDetected;
}

/** True where the server or the connection went away, and the same command may be run again. */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== null) return state.startsWith('08') || state.startsWith('57P');
  // A host with several addresses fails once for each.
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isConnectionLoss);
  const [code, syscall] = ['code', 'syscall'].map((key) => property(error, key));
  if (SOCKET_ERRNOS.has(code ?? '') || (code === 'ENOENT' && syscall === 'connect')) return true;
  return error instanceof Error && CONNECTION_ENDED.has(error.message);
}

function property(value: unknown, name: string): string | null {
  if (typeof value !== 'object' || value === null) return null;
  return String(Object.entries(value).find(([key]) => key === name)?.[1] ?? '');
}

const SOCKET_ERRNOS = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

// `pg` gives no code for a socket that closed under a query, or that did not open in time; these are its texts for it.
const CONNECTION_ENDED = new Set([
  'Connection terminated',
  'Connection terminated unexpectedly',
  'Connection terminated due to connection timeout',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error and is not queryable',
]);
