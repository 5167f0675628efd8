import type { Emit } from './events.ts';

/** A step of the work as people see it. */
export interface Task {
  readonly name: string;
  /** The numbers of the guide's steps; empty where the guide has none. */
  readonly guide: string;
  readonly title: string;
}

/** Tells of work that is no step of a plan as one. */
export async function asOneStep<T>(
  emit: Emit,
  task: Task,
  work: () => Promise<{ result: T; detail: string }>,
): Promise<T> {
  const startedAt = performance.now();
  emit({ event: 'step', ...task, state: 'running' });
  try {
    const { result, detail } = await work();
    emit({ event: 'step', ...task, state: 'done', detail, elapsed_ms: Math.round(performance.now() - startedAt) });
    return result;
  } catch (error) {
    emit({ event: 'step', ...task, state: 'failed' });
    throw error;
  }
}
