import { z } from 'zod';
import { messageType, sessionLanguage, sessionLevel, sessionStatus } from './rows.ts';
import { StoreError } from './store-error.ts';

/** The most characters of each text. The columns have no limit of their own; an application wants one. */
export interface Limits {
  readonly title: number;
  readonly content: number;
  readonly comment: number;
  readonly query: number;
  /** Rows of one page. */
  readonly page: number;
}

export const defaultLimits: Limits = { title: 200, content: 60_000, comment: 10_000, query: 1_000, page: 200 };

/** What calls take, refused here before the server is asked. */
export type Inputs = ReturnType<typeof inputsOf>;

export const id = z.guid();

const HALF_CHARACTER = /\p{Surrogate}/u;

export function inputsOf(limits: Limits) {
  // PostgreSQL's text holds every character but NUL, and the driver writes U+FFFD for half of one that a cut left behind.
  const text = (most: number) =>
    z
      .string()
      .max(most)
      .refine((value) => !value.includes('\0'), 'holds a NUL character')
      .refine((value) => !HALF_CHARACTER.test(value), 'holds half of a character (a lone surrogate)');
  const said = (most: number) => text(most).refine((value) => value.trim() !== '', 'is empty');
  const score = z.number().int().min(0).max(100).nullable().optional();
  const page = { limit: z.number().int().min(1).max(limits.page).default(20), after: z.string().nullish() };
  return {
    newSession: z.strictObject({
      id: id.optional(),
      user_id: id.optional(),
      language: sessionLanguage,
      level: sessionLevel,
      title: text(limits.title).nullish(),
    }),
    title: text(limits.title).nullable(),
    sessionPage: z.strictObject({ ...page, status: sessionStatus.default('active'), user_id: id.optional() }),
    newMessage: z.strictObject({
      id: id.optional(),
      session_id: id,
      user_id: id.optional(),
      type: messageType.default('text'),
      content: said(limits.content),
    }),
    messageEdit: z.strictObject({ content: said(limits.content) }),
    messagePage: z.strictObject({ ...page, session_id: id }),
    newFeedback: z.strictObject({
      message_id: id,
      overall_score: score,
      grammar_score: score,
      vocabulary_score: score,
      fluency_score: score,
      pronunciation_score: score,
      comment: text(limits.comment).nullish(),
      corrections: z.json().optional(),
    }),
    feedbackOf: z.strictObject({ session_id: id.optional(), message_id: id.optional(), user_id: id.optional() }),
    query: text(limits.query),
    statsOf: z.strictObject({ user_id: id.optional() }),
  };
}

/** @throws StoreError `invalid_value` that names each value and what is wrong with it */
export function parseInput<Shape extends z.ZodType>(shape: Shape, value: unknown): z.output<Shape> {
  const parsed = safeParse(shape, value);
  if (parsed.success) return parsed.data;
  throw new StoreError('invalid_value', 'A value is refused.', { detail: z.prettifyError(parsed.error) });
}

function safeParse<Shape extends z.ZodType>(shape: Shape, value: unknown): z.ZodSafeParseResult<z.output<Shape>> {
  try {
    return shape.safeParse(value);
  } catch (error) {
    // JSON of some thousand levels: the stack ends before the value does.
    if (error instanceof RangeError)
      throw new StoreError('invalid_value', 'A value is nested too deeply.', { cause: error });
    throw error;
  }
}

/** @throws StoreError `unexpected_row` for rows that are not of the types this version was generated from */
export function parseRows<Shape extends z.ZodType>(shape: Shape, rows: readonly unknown[]): z.output<Shape>[] {
  const parsed = listOf(shape).safeParse(rows);
  if (parsed.success) return parsed.data;
  throw new StoreError('unexpected_row', 'The server sent a row of another shape.', {
    detail: z.prettifyError(parsed.error),
    hint: 'Use the version of Tandem that the database was migrated with.',
  });
}

const lists = new WeakMap<z.ZodType, z.ZodArray<z.ZodType>>();

// Making a schema takes longer than parsing a row with it.
function listOf<Shape extends z.ZodType>(shape: Shape): z.ZodArray<Shape> {
  const list = (lists.get(shape) as z.ZodArray<Shape> | undefined) ?? z.array(shape);
  lists.set(shape, list);
  return list;
}

/** The one row of a statement that finds or writes one. @throws StoreError `not_found` */
export function parseOne<Shape extends z.ZodType>(
  shape: Shape,
  rows: readonly unknown[],
  what: string,
): z.output<Shape> {
  const [row] = parseRows(shape, rows);
  if (row === undefined) throw notFound(what);
  return row;
}

export function notFound(what: string): StoreError {
  return new StoreError('not_found', `There is no such ${what}, or it is not the caller's.`);
}
