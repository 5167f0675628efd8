import type { Emit, TandemEvent } from '../engine/events.ts';
import type { Task } from '../engine/one-step.ts';
import { createJsonReporter } from './reporter-json.ts';
import { createLiveReporter } from './reporter-live.ts';
import { createPlainReporter } from './reporter-plain.ts';
import type { Terminal } from './terminal.ts';

/** How work ended that did what it was asked for. */
export interface Outcome {
  /** One or more lines for people. */
  readonly summary: string;
  /** Fields of the last line of `--json`, beside `event`, `ok` and `cutover_lock_ms`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Shows work while it goes on: a task list on a terminal, lines into a pipe, events as JSON where asked for. */
export interface Reporter {
  readonly emit: Emit;
  /** Nothing more will be told. What is shown live stays as it is, and the screen is free for lines below it. */
  close(): Promise<void>;
  done(outcome: Outcome, cutoverLockMs: number | null): void;
}

/** What the work threw, and what was known by then. */
export class FailedRun extends Error {
  override readonly name = 'FailedRun';
  readonly cutoverLockMs: number | null;

  constructor(cause: unknown, cutoverLockMs: number | null) {
    super('The run failed.', { cause });
    this.cutoverLockMs = cutoverLockMs;
  }
}

export function createReporter(terminal: Terminal, options: { json: boolean; tasks: readonly Task[] }): Reporter {
  if (options.json) return createJsonReporter(terminal);
  if (terminal.interactive) return createLiveReporter(terminal, options.tasks);
  return createPlainReporter(terminal, options.tasks);
}

/** Runs `work` under a reporter, and reports its outcome. @throws FailedRun with what the work threw */
export async function withReporter(
  terminal: Terminal,
  options: { json: boolean; tasks: readonly Task[] },
  work: (emit: Emit) => Promise<Outcome>,
): Promise<void> {
  const reporter = createReporter(terminal, options);
  let lockMs: number | null = null;
  const emit = (event: TandemEvent) => {
    if (event.event === 'cutover') lockMs = event.lock_ms;
    reporter.emit(event);
  };
  let outcome: Outcome;
  try {
    outcome = await work(emit);
  } catch (error) {
    await reporter.close();
    throw new FailedRun(error, lockMs);
  }
  await reporter.close();
  reporter.done(outcome, lockMs);
}
