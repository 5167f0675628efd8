import { isConnectionLoss, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';

const codes = {
  invalid_value: 'TD060',
  not_found: 'TD061',
  not_allowed: 'TD062',
  already_exists: 'TD063',
  invalid_caller: 'TD064',
  conflict: 'TD065',
  unexpected_row: 'TD066',
  timed_out: 'TD067',
  connection_lost: 'TD021',
} as const;

/** What can go wrong with a call, in one word; docs/errors.md says what to do about each. */
export type StoreErrorKind = keyof typeof codes;

/** Everything that a store throws on purpose, whether the client found it or the server. */
export class StoreError extends TandemError {
  readonly kind: StoreErrorKind;

  constructor(
    kind: StoreErrorKind,
    message: string,
    options: { hint?: string; detail?: string; cause?: unknown } = {},
  ) {
    super(codes[kind], message, options);
    this.kind = kind;
  }
}

/** Class 22: out of range, no such label, not of the type. And 23502, 23514; 54000, 54001: larger or deeper than the server takes. */
function isAboutValue(state: string): boolean {
  return state.startsWith('22') || VALUE_STATES.has(state);
}

const VALUE_STATES = new Set<string>([
  SqlState.notNullViolation,
  SqlState.checkViolation,
  SqlState.programLimitExceeded,
  SqlState.statementTooComplex,
]);

/** A second session under one id, in another partition: refused by reference and not by a unique key. */
const SAME_ID_CONSTRAINT = 'sessions_id_status_fkey';

/** What an error says of itself, for whoever looks into it. */
export interface Said {
  readonly cause: unknown;
  readonly detail?: string;
}

/** What a server's refusal means to the caller of a store; the error itself where nobody foresaw it. */
export function storeFailure(error: unknown): unknown {
  if (error instanceof TandemError) return error;
  const said = { cause: error, ...(error instanceof Error && { detail: error.message }) };
  if (isConnectionLoss(error)) return connectionLost(said);
  const state = sqlStateOf(error);
  if (state === null) return error;
  return stateFailure(state, said, constraintOf(error) === SAME_ID_CONSTRAINT) ?? error;
}

export function connectionLost(said: Said): StoreError {
  return new StoreError('connection_lost', 'The connection to the server was lost.', {
    hint: 'Whether a write was done is not known: read it back before you try again.',
    ...said,
  });
}

/** What a SQLSTATE means; null where nobody foresaw it. `sameId`: a session of this id stands in another partition. */
export function stateFailure(state: string, said: Said, sameId: boolean): StoreError | null {
  if (isAboutValue(state)) return new StoreError('invalid_value', 'The server refuses a value.', said);
  switch (state) {
    case SqlState.insufficientPrivilege:
      return new StoreError('not_allowed', 'The caller may not do this.', said);
    // A session that the keeper holds.
    case SqlState.restrictViolation:
      return new StoreError('not_allowed', 'Something keeps the row as it is.', said);
    case SqlState.uniqueViolation:
      return new StoreError('already_exists', 'There is a row with this id.', said);
    case SqlState.foreignKeyViolation:
      return sameId
        ? new StoreError('already_exists', 'There is a session with this id.', said)
        : new StoreError('not_found', 'What the row refers to does not exist.', said);
    case SqlState.serializationFailure:
    case SqlState.deadlockDetected:
      return new StoreError('conflict', 'Others changed the same rows at that moment, again and again.', said);
    case SqlState.queryCanceled:
    case SqlState.lockNotAvailable:
      return new StoreError('timed_out', 'It took longer than the server allows.', said);
    default:
      return null;
  }
}

/** True where the whole transaction may succeed if it is run again. */
export function isWorthRetrying(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === SqlState.serializationFailure || state === SqlState.deadlockDetected;
}

function constraintOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('constraint' in error)) return null;
  return typeof error.constraint === 'string' ? error.constraint : null;
}
