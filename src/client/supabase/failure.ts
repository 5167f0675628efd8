import { z } from 'zod';
import { connectionLost, StoreError, stateFailure } from '../store-error.ts';

const body = z.object({
  /** A SQLSTATE, or PostgREST's own: `PGRST…`; empty for what neither of them said. */
  code: z.string().catch(''),
  message: z.string().catch(''),
  details: z.string().catch(''),
});

/** What an answer says of its refusal, and the answer. */
export interface Refusal extends z.infer<typeof body> {
  readonly cause: unknown;
}

export function refusalOf(error: unknown): Refusal {
  const parsed = body.safeParse(error);
  return { ...(parsed.success ? parsed.data : { code: '', message: String(error), details: '' }), cause: error };
}

/** No token, none that holds, or not one that is in use by now. */
const INVALID_CALLER = new Set(['PGRST301', 'PGRST302', 'PGRST303']);
/** PostgREST has no connection to the database, or has not read its schema yet. */
const WITHOUT_DATABASE = new Set(['PGRST000', 'PGRST001', 'PGRST002']);
const NO_CONNECTION_IN_TIME = 'PGRST003';
const NO_SUCH_ROW = 'PGRST116';
/**
 * A schema, relationship, function, column or table that PostgREST does not know; or that the server does not, and PostgREST
 * still does (42P01, 42703, 42704), or knows with another type (42883).
 */
const UNKNOWN_NAME = /^(PGRST(106|20\d)|42P01|42703|42704|42883)$/;

/** What a refusal of PostgREST, or of what stands before it, means to the caller of a store. */
export function restFailure(refusal: Refusal, status: number): Error {
  const { code, message, details, cause } = refusal;
  const said = { cause, detail: [message, details].filter((text) => text !== '').join('\n') };
  if (status === 0 || isOfGateway(code, status) || WITHOUT_DATABASE.has(code) || /^(08|57P)/.test(code)) {
    return connectionLost(said);
  }
  if (INVALID_CALLER.has(code) || (code === '' && status === 401)) {
    return new StoreError('invalid_caller', 'The token or the key does not hold.', said);
  }
  if (code === NO_CONNECTION_IN_TIME)
    return new StoreError('timed_out', 'It took longer than the server allows.', said);
  if (code === NO_SUCH_ROW)
    return new StoreError('not_found', "There is no such row, or it is not the caller's.", said);
  if (UNKNOWN_NAME.test(code)) {
    return new StoreError('unexpected_row', 'The database is not what it was asked as.', {
      hint: "Right after a migration it may not have read the schema yet: NOTIFY pgrst, 'reload schema'.",
      ...said,
    });
  }
  return stateFailure(code, said, isSameId(refusal)) ?? new Error(message, { cause });
}

function isOfGateway(code: string, status: number): boolean {
  return code === '' && status >= 502 && status <= 504;
}

/**
 * PostgREST does not pass the constraint's name on. A foreign key's detail speaks of a key that is not there, or still referred to; of one
 * that exists speaks only the trigger `session_key_guard`, in these words whatever the server's language is.
 */
function isSameId({ details }: Refusal): boolean {
  return /^Key \(id\)=\([0-9a-f-]{36}\) already exists\.$/.test(details);
}
