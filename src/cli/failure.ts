import { z } from 'zod';
import { serverFailure } from '../db/server-error.ts';
import { isConnectionLoss, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { type ErrorCode, type ExitCode, errorCodes, TandemError } from '../engine/errors.ts';
import { errorColors as pc } from './colors.ts';
import { withoutPasswords } from './secrets.ts';
import { statementWithCaret } from './statement-with-caret.ts';

/** What a command ends with that does not do what it was asked for. */
export interface Failure {
  readonly code: ErrorCode;
  readonly exitCode: ExitCode;
  /** One sentence. */
  readonly message: string;
  readonly hint: string;
  readonly detail: string | null;
  readonly sqlstate: string | null;
  readonly error: unknown;
}

const UNFORESEEN =
  'This was not foreseen. Nothing is left half-done that the same command cannot finish; --debug shows where it came from.';

const OTHER_VERSION =
  'Another version of Tandem may have begun this run: go on with that one. --debug shows where it came from.';

/** The one place in which an error becomes what a user meets. */
export function explain(error: unknown, signal: AbortSignal): Failure {
  const known = error instanceof TandemError ? error : (interruption(error, signal) ?? serverFailure(error));
  if (known) {
    return {
      code: known.code,
      exitCode: known.exitCode,
      message: known.message,
      hint: known.hint ?? `docs/errors.md says more about ${known.code}.`,
      detail: known.detail ?? null,
      sqlstate: sqlStateOf(known.cause),
      error,
    };
  }
  const parsed = error instanceof z.ZodError;
  return {
    code: 'TD099',
    exitCode: errorCodes.TD099.exit,
    message: parsed ? 'Something in the database is not as Tandem left it.' : messageOf(error),
    hint: parsed ? OTHER_VERSION : UNFORESEEN,
    detail: parsed ? z.prettifyError(error) : serverDetail(error),
    sqlstate: sqlStateOf(error),
    error,
  };
}

/** For people: a sentence, what is known beyond it, and what to do. A stack trace only where it was asked for. */
export function renderFailure(failure: Failure, options: { debug: boolean }): string {
  const { code, message, hint, detail, sqlstate } = failure;
  const label = code === 'TD022' ? pc.yellow('stopped') : pc.red('error');
  const lines = [`${label} ${code === 'TD099' && sqlstate ? `SQLSTATE ${sqlstate}` : code}: ${message}`];
  if (detail !== null && detail !== message) lines.push(...detail.split('\n').map((line) => `  ${line}`));
  lines.push(`${pc.cyan('hint')}: ${hint}`);
  if (options.debug) {
    for (let cause = failure.error; cause instanceof Error; cause = cause.cause) {
      lines.push(pc.dim(cause.stack ?? cause.message));
      const statement = statementWithCaret(cause);
      if (statement !== null) lines.push(statement);
    }
  }
  return withoutPasswords(lines.join('\n'));
}

/** For programs: the last line of standard output with --json. `cutoverLockMs` where the cutover had been made by then. */
export function failureLine(failure: Failure, cutoverLockMs: number | null = null): string {
  const { code, message, hint, detail, sqlstate } = failure;
  const event = { event: 'done', ok: false, code, name: errorCodes[code].name, message, hint, detail, sqlstate };
  return withoutPasswords(JSON.stringify({ ...event, cutover_lock_ms: cutoverLockMs }));
}

/** Waits that a signal cut short throw errors of their own, and so do statements that were cancelled for it. */
function interruption(error: unknown, signal: AbortSignal): TandemError | null {
  const state = sqlStateOf(error);
  const other = isConnectionLoss(error) || (state !== null && state !== SqlState.queryCanceled);
  if (!signal.aborted || !(error instanceof Error) || other) return null;
  return new TandemError('TD022', 'Stopped.', { hint: 'Run the same command again to go on.', cause: error });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0] || error.name : String(error);
}

/** What the server adds to its message: the values at hand, its own hint, the function it was in. */
function serverDetail(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const fields = new Map(Object.entries(error));
  const lines = ['detail', 'hint', 'where'].map((name) => fields.get(name)).filter((line) => typeof line === 'string');
  return lines.length === 0 ? null : lines.join('\n');
}
