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
  /** The newest answer that is shown: an older one that comes late is dropped, but not one that comes first. */
  const shown = useRef(0);
  // `key` stands for what `read` depends on.
  const reload = useCallback(() => {
    const mine = ++asked.current;
    const isNews = () => {
      if (mine <= shown.current) return false;
      shown.current = mine;
      return true;
    };
    read().then(
      (answer) => {
        if (!isNews()) return;
        setValue(() => answer);
        setProblem(null);
      },
      (error: unknown) => isNews() && setProblem(problemIn(error)),
    );
  }, [key]);
  // What was asked with another key is no answer any more.
  useEffect(() => {
    shown.current = asked.current;
    reload();
  }, [reload]);
  useChanges(topics, reload);
  return { value, problem, reload };
}
