/** Process exit codes, documented in docs/cli.md. */
export const ExitCode = { done: 0, failedCheck: 1, usage: 2, refused: 3, interrupted: 4 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * Every code that a user can meet, with the exit code that it leads to. docs/errors.md lists each one, and a test
 * compares the two.
 */
export const errorCodes = {
  TD001: { name: 'unreachable', exit: ExitCode.usage },
  TD002: { name: 'authentication_failed', exit: ExitCode.usage },
  TD003: { name: 'no_such_database', exit: ExitCode.usage },
  TD004: { name: 'server_too_old', exit: ExitCode.usage },
  TD005: { name: 'missing_table', exit: ExitCode.usage },
  TD006: { name: 'missing_privilege', exit: ExitCode.refused },
  TD007: { name: 'invalid_plan', exit: ExitCode.usage },
  TD008: { name: 'invalid_option', exit: ExitCode.usage },
  TD009: { name: 'read_only_server', exit: ExitCode.refused },
  TD010: { name: 'another_runner', exit: ExitCode.refused },
  TD011: { name: 'blocked_by_findings', exit: ExitCode.refused },
  TD012: { name: 'wrong_phase', exit: ExitCode.refused },
  TD013: { name: 'not_confirmed', exit: ExitCode.refused },
  TD014: { name: 'transaction_pooler', exit: ExitCode.usage },
  TD016: { name: 'plan_changed', exit: ExitCode.refused },
  TD017: { name: 'unsuitable_table', exit: ExitCode.usage },
  TD018: { name: 'missing_extension', exit: ExitCode.refused },
  TD020: { name: 'lock_not_obtained', exit: ExitCode.interrupted },
  TD021: { name: 'connection_lost', exit: ExitCode.interrupted },
  TD022: { name: 'interrupted', exit: ExitCode.interrupted },
  TD023: { name: 'source_changed', exit: ExitCode.refused },
  TD024: { name: 'backlog_too_large', exit: ExitCode.interrupted },
  TD025: { name: 'disk_full', exit: ExitCode.interrupted },
  TD026: { name: 'too_many_connections', exit: ExitCode.interrupted },
  TD027: { name: 'source_altered', exit: ExitCode.refused },
  TD030: { name: 'verification_failed', exit: ExitCode.failedCheck },
  TD031: { name: 'quarantined_rows', exit: ExitCode.failedCheck },
  TD032: { name: 'step_failed', exit: ExitCode.failedCheck },
  TD040: { name: 'backup_exists', exit: ExitCode.refused },
  TD041: { name: 'backup_damaged', exit: ExitCode.failedCheck },
  TD042: { name: 'backup_write_failed', exit: ExitCode.interrupted },
  TD043: { name: 'restore_target_not_empty', exit: ExitCode.refused },
  TD044: { name: 'restore_failed', exit: ExitCode.failedCheck },
  TD050: { name: 'local_server_failed', exit: ExitCode.interrupted },
  TD060: { name: 'invalid_value', exit: ExitCode.usage },
  TD061: { name: 'not_found', exit: ExitCode.refused },
  TD062: { name: 'not_allowed', exit: ExitCode.refused },
  TD063: { name: 'already_exists', exit: ExitCode.refused },
  TD064: { name: 'invalid_caller', exit: ExitCode.usage },
  TD065: { name: 'conflict', exit: ExitCode.interrupted },
  TD066: { name: 'unexpected_row', exit: ExitCode.failedCheck },
  TD067: { name: 'timed_out', exit: ExitCode.interrupted },
  TD099: { name: 'internal', exit: ExitCode.failedCheck },
} as const satisfies Record<string, { name: string; exit: ExitCode }>;

export type ErrorCode = keyof typeof errorCodes;

/** The one base of everything that Tandem throws on purpose: a sentence, what to do about it, and a documented code. */
export class TandemError extends Error {
  override readonly name = 'TandemError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** More lines worth showing: sample keys, the SQL that failed with its caret. */
  readonly detail: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; detail?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.detail = options.detail;
  }

  get exitCode(): ExitCode {
    return errorCodes[this.code].exit;
  }
}
