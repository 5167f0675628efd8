import { hc } from 'hono/client';
import type { Api } from '../../src/server/dashboard.ts';

/** The server's routes, typed by the server itself. */
export const api = hc<Api>('/api');

/** What the server says where it cannot give what was asked for. */
export interface Problem {
  readonly message: string;
  readonly hint: string | null;
  readonly detail: string | null;
}

export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

interface Answer {
  readonly ok: boolean;
  readonly status: number;
  json(): Promise<unknown>;
  text(): Promise<string>;
}

/** The answer's content. @throws RequestFailed with what the server says; signs in again where that is what it wants */
export async function answered<A extends Answer>(asked: Promise<A>): Promise<Awaited<ReturnType<A['json']>>> {
  const answer = await asked.catch(() => {
    throw new RequestFailed({
      message: 'The server does not answer.',
      hint: 'Is `tandem serve` at work?',
      detail: null,
    });
  });
  if (answer.ok) return read(answer);
  if (answer.status === 401) location.assign(`/sign-in?to=${encodeURIComponent(location.pathname)}`);
  throw new RequestFailed(problemOf(await answer.text()));
}

/** Typed by the route that answers. */
function read<A extends Answer>(answer: A): Promise<Awaited<ReturnType<A['json']>>> {
  return answer.json() as Promise<Awaited<ReturnType<A['json']>>>;
}

function problemOf(text: string): Problem {
  try {
    const said: Problem = JSON.parse(text);
    return said;
  } catch {
    return { message: text.trim() || 'The server gave no reason.', hint: null, detail: null };
  }
}

export function problemIn(error: unknown): Problem {
  if (error instanceof RequestFailed) return error.problem;
  return { message: error instanceof Error ? error.message : String(error), hint: null, detail: null };
}
