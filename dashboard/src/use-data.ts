import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Topic } from '../../src/server/topics.ts';
import { type Problem, problemIn } from './api.ts';
import { useChanges } from './live.ts';

export interface Data<T> {
  readonly value: T | undefined;
  readonly problem: Problem | null;
  readonly reload: () => void;
}

/** What the server says, read again when a topic changes. What was read stays until the next is there. */
export function useData<T>(read: () => Promise<T>, topics: readonly Topic[], key = ''): Data<T> {
  const [value, setValue] = useState<T | undefined>(undefined);
  const [problem, setProblem] = useState<Problem | null>(null);
  const asked = useRef(0);
  // `key` stands for what `read` depends on.
  const reload = useCallback(() => {
    const mine = ++asked.current;
    read().then(
      (answer) => {
        if (mine !== asked.current) return;
        setValue(() => answer);
        setProblem(null);
      },
      (error: unknown) => mine === asked.current && setProblem(problemIn(error)),
    );
  }, [key]);
  useEffect(reload, [reload]);
  useChanges(topics, reload);
  return { value, problem, reload };
}
