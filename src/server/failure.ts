import type { Context } from 'hono';
import { z } from 'zod';
import { serverFailure } from '../db/server-error.ts';
import { ExitCode, TandemError } from '../engine/errors.ts';

/** What a page is told that cannot have what it asked for. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly detail: string | null;
}

export function refusalOf(error: unknown): Refusal {
  const known = error instanceof TandemError ? error : serverFailure(error);
  if (known)
    return { code: known.code, message: known.message, hint: known.hint ?? null, detail: known.detail ?? null };
  if (error instanceof z.ZodError)
    return { code: 'TD060', message: 'This is not what was asked for.', hint: null, detail: z.prettifyError(error) };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'TD099', message, hint: null, detail: null };
}

export function answerFailure(error: unknown, context: Context): Response {
  const refusal = refusalOf(error);
  return context.json(refusal, statusOf(error));
}

function statusOf(error: unknown): 400 | 404 | 409 | 500 | 503 {
  if (error instanceof z.ZodError) return 400;
  const known = error instanceof TandemError ? error : serverFailure(error);
  if (known === null) return 500;
  if (known.code === 'TD061') return 404;
  if (known.exitCode === ExitCode.usage) return 400;
  if (known.exitCode === ExitCode.refused) return 409;
  return known.exitCode === ExitCode.interrupted ? 503 : 500;
}
